"""Who the embedded PostgreSQL runs as. Most of it can be seen by root only."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ccatdc.common.errors import ConfigurationError
from ccatdc.standalone import identity
from ccatdc.standalone.postgres import PostgresServer
from tests.standalone.conftest import PROJECT

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")

START_AND_ASK = """
import sys, psycopg
from pathlib import Path
from ccatdc.standalone.postgres import PostgresServer
with PostgresServer(Path(sys.argv[1]) / "pg", durable=False) as server:
    print(psycopg.connect(server.url("postgres")).execute("SELECT 41 + 1").fetchone()[0])
"""


def refuse_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that forbids user namespaces, as far as the starter can see."""

    def refuse() -> None:
        raise PermissionError("unshare(CLONE_NEWUSER)")

    monkeypatch.setattr(
        identity, "_as_root_in_disguise", lambda: identity.Identity("nobody", (0, 0), refuse)
    )


def owner_of_process(server: PostgresServer) -> int:
    pid = (server.data_dir / "postmaster.pid").read_text().split()[0]
    return Path(f"/proc/{pid}").stat().st_uid


@as_root
def test_without_namespaces_a_system_account_runs_it_in_a_closed_folder(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_namespaces(monkeypatch)
    account = identity.system_account()
    closed = short / "closed"
    closed.mkdir(mode=0o700)
    with PostgresServer(closed / "pg", durable=False) as server:
        server.ensure_database("ccatdc")
        assert owner_of_process(server) == account.pw_uid
        assert server.data_dir.stat().st_uid == account.pw_uid
    assert closed.stat().st_mode & 0o777 == 0o700


@as_root
def test_a_folder_given_to_an_account_is_served_by_it_ever_after(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as container:
        refuse_namespaces(container)
        with PostgresServer(short / "pg", durable=False):
            pass
    with PostgresServer(short / "pg", durable=False) as server:
        assert owner_of_process(server) == identity.system_account().pw_uid


@as_root
def test_where_the_account_cannot_pass_the_error_says_what_to_do(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_namespaces(monkeypatch)

    class WithoutCapabilities:
        def __getattr__(self, name: str) -> object:
            return lambda *arguments: -1

    monkeypatch.setattr(identity, "_LIBC", WithoutCapabilities())
    short.chmod(0o700)
    with pytest.raises(ConfigurationError, match="may not enter") as refused:
        PostgresServer(short / "pg", durable=False).start()
    assert refused.value.code == "standalone.closed_folder"
    assert "/var/tmp" in refused.value.remedy


@as_root
def test_an_ordinary_user_starts_it(short: Path) -> None:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv (util-linux) is not installed")
    ordinary = [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable]
    allowed = subprocess.run(
        [*ordinary, "-c", "import ccatdc.standalone.postgres"],
        cwd=PROJECT,
        capture_output=True,
        check=False,
        timeout=60,
    )
    if allowed.returncode != 0:
        pytest.skip("this Python or this project is closed to other users")
    os.chown(short, 65534, 65534)
    done = subprocess.run(
        [*ordinary, "-c", START_AND_ASK, short],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.strip() == "42", done.stderr
    assert (short / "pg").stat().st_uid == 65534
    # Root that comes later serves the user's folder as the user.
    with PostgresServer(short / "pg", durable=False) as server:
        assert owner_of_process(server) == 65534


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_we_may_not_write_is_refused_by_name(short: Path) -> None:
    short.chmod(0o555)
    with pytest.raises(ConfigurationError, match=f"may not write in {short}"):
        PostgresServer(short / "pg", durable=False).start()
