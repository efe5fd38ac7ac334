"""Who the embedded PostgreSQL runs as: it refuses to run as root, and its files must belong to it.

An ordinary user runs it as himself. Root has two ways (decision 001):

1. a user namespace in which our own uid 0 carries the number of an ordinary account. PostgreSQL
   sees that number, the files keep belonging to root, and no permission of any folder is changed;
2. where the kernel or a container forbids that, a real system account, which owns the data folder
   and keeps one of root's capabilities: to pass folders that are closed to it.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ccatdc.common.errors import ConfigurationError

_CLONE_NEWUSER = 0x10000000
_NOT_AN_ACCOUNT = 65534
"""Inside a namespace every foreign file shows this number, so it is the last choice for our own."""
_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP = 28, 1 << 2
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2
_CAP_DAC_OVERRIDE = 1
_CAP_HEADER = (ctypes.c_uint32 * 2)(0x20080522, 0)
"""Version 3 of the kernel's structure, for the calling process."""
_CAP_DATA = (ctypes.c_uint32 * 6)(*[1 << _CAP_DAC_OVERRIDE] * 3, 0, 0, 0)
"""Effective, permitted and inheritable: that one capability and no other."""
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Identity:
    """An account to run as.

    ``become`` is called in the child; ``owner`` (uid, gid) is whose the files must be.
    """

    name: str
    owner: tuple[int, int]
    become: Callable[[], None] | None = None

    def can(self, command: list[str], *, inside: Path) -> bool:
        """Whether a child of this identity can enter ``inside`` and run ``command`` there."""

        def prepare() -> None:
            if self.become is not None:
                self.become()
            os.chdir(inside)

        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=60,
                check=False,
                preexec_fn=prepare,
            )
        except (OSError, subprocess.SubprocessError):
            return False
        return done.returncode == 0


def choose_identity(data_dir: Path) -> Identity:
    """The identity for a server with this data folder, which may not exist yet.

    Existing files decide: a server must own them. Raises ConfigurationError when they belong to
    somebody else.
    """
    owner = data_dir.stat() if data_dir.exists() else None
    if os.geteuid() != 0:
        if owner is not None and owner.st_uid != os.geteuid():
            raise ConfigurationError(
                f"The database folder {data_dir} belongs to {account_name(owner.st_uid)}.",
                code="standalone.foreign_folder",
                remedy="Start it as that user, or choose another folder (--root).",
            )
        return Identity("ourselves", (os.geteuid(), os.getegid()))
    if owner is not None and owner.st_uid != 0:
        return _as_account(owner.st_uid, owner.st_gid)
    disguised = _as_root_in_disguise()
    if disguised.can(["/bin/sh", "-c", "exit 0"], inside=Path("/")):
        return disguised
    account = system_account()
    return _as_account(account.pw_uid, account.pw_gid)


def system_account() -> pwd.struct_passwd:
    """The account for a server that root starts: ``postgres`` if there is one, else ``nobody``."""
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ConfigurationError(
        "PostgreSQL refuses to run as root, and no account 'postgres' or 'nobody' exists.",
        code="standalone.no_account",
        remedy="Start as an ordinary user, or set DATABASE_URL to a PostgreSQL server.",
    )


def account_name(uid: int) -> str:
    """The name of an account for messages; its number when it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _as_account(uid: int, gid: int) -> Identity:
    def become() -> None:
        # Keeps capabilities over the change of account, and counts them in access(2), which initdb
        # asks. A container may have taken the right to do this, or the capability itself, from
        # root; then the folders on the way have to be open, which `Identity.can` finds out.
        _LIBC.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        if _LIBC.capset(ctypes.byref(_CAP_HEADER), ctypes.byref(_CAP_DATA)) == 0:
            # Ambient: it outlives the exec.
            _call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)

    return Identity(account_name(uid), (uid, gid), become)


def _as_root_in_disguise() -> Identity:
    """Root, seen as an ordinary account inside a user namespace; its files stay root's."""
    uid, gid = os.geteuid(), os.getegid()
    # initdb looks the number up, so it must be one that has a name.
    known = sorted(
        entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid not in (0, _NOT_AN_ACCOUNT)
    )
    seen = known[0] if known else _NOT_AN_ACCOUNT

    def become() -> None:
        _call("unshare", _CLONE_NEWUSER)
        # The kernel wants setgroups given up before a group may be mapped.
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{seen} {uid} 1")
        _write("/proc/self/gid_map", f"{seen} {gid} 1")

    return Identity("root in a user namespace", (uid, gid), become)


def _call(function: str, *arguments: int) -> None:
    if getattr(_LIBC, function)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{function}{arguments}")


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
