"""Walking a folder tree by open descriptors, so that nothing can lead outside the root and no path is too long.

Beneath :mod:`datamgmt.storage.disk.store` and the unpacking of tars. A path is entered component by component with
``O_NOFOLLOW``: a symbolic link below the root is refused even if it is put there while we look, and a key may be longer
than the system's PATH_MAX. The root itself may be a link: the operator chose it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Final, NoReturn
from uuid import uuid4

from ccatdc.common.errors import CcatError, ConfigurationError, KeyEscapesError, NoSpaceError, StorageError

FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a named pipe that somebody left in the tree must not hang a worker.
READ_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
CREATE_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

#: In the names of folders that are parts of one that is being removed.
INNER: Final = "in-"

_RENAME_NOREPLACE: Final = 1
_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def os_errors(doing: str) -> Iterator[None]:
    """Turn what the operating system says while ``doing`` something into our errors."""
    try:
        yield
    except CcatError:
        raise
    except OSError as error:
        raise_as_ours(error, doing)


def raise_as_ours(error: OSError, doing: str) -> NoReturn:
    """:class:`NoSpaceError` for a full disk or quota, :class:`StorageError` with the system's
    words for the rest.
    """
    reason = error.strerror or str(error)
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        raise NoSpaceError(f"No room to {doing}: {reason}.", remedy="It goes on when there is room again.") from error
    if error.errno == errno.EROFS:
        raise StorageError(
            f"Cannot {doing}: {reason}.",
            code="storage.read_only",
            remedy="Find out why the file system is read-only, and mount it writable.",
        ) from error
    if error.errno == errno.EXDEV:
        raise ConfigurationError(
            f"Cannot {doing}: its folder is on another file system than the root of the location.",
            code="storage.other_file_system",
            remedy="Register the mounted folder as a location of its own.",
        ) from error
    raise StorageError(f"Cannot {doing}: {reason}.") from error


@contextmanager
def opened_root(path: str) -> Iterator[int]:
    """The root folder, held open: what is checked on it stays true while it is used."""
    root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield root
    finally:
        os.close(root)


@contextmanager
def opened_folder(root: int, components: Sequence[str], *, create: bool = False) -> Iterator[int]:
    """A folder below ``root``, held open; missing ones are made when ``create``.

    FileNotFoundError when it is not there; :class:`KeyEscapesError` ``storage.symlink`` when a link is in the way.
    """
    folder, _ = open_folder(root, components, create=create)
    try:
        yield folder
    finally:
        os.close(folder)


def open_folder(root: int, components: Sequence[str], *, create: bool = False) -> tuple[int, int]:
    """As :func:`opened_folder`; and how many of the components were there before.

    The caller closes the descriptor, and syncs what was made where that matters.
    """
    folder = os.dup(root)
    before = len(components)
    try:
        for depth, component in enumerate(components):
            try:
                inner = _enter(folder, component)
            except FileNotFoundError:
                if not create:
                    raise
                # Another process may be faster; the second look judges what it made.
                with suppress(FileExistsError):
                    os.mkdir(component, dir_fd=folder)
                before = min(before, depth)
                inner = _enter(folder, component)
            os.close(folder)
            folder = inner
    except BaseException:
        os.close(folder)
        raise
    return folder, before


def _enter(folder: int, component: str) -> int:
    try:
        return os.open(component, FOLDER_FLAGS, dir_fd=folder)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            _refuse_link(folder, component)
            raise NotADirectoryError(errno.ENOTDIR, f"{component!r} is a file, not a folder") from error
        raise


def _refuse_link(folder: int, component: str) -> None:
    if stat.S_ISLNK(os.stat(component, dir_fd=folder, follow_symlinks=False).st_mode):
        raise KeyEscapesError(
            f"{component!r} is a symbolic link; links below the root are not followed.",
            code="storage.symlink",
            remedy="Put the files themselves there, or register the link's target as a location.",
        )


def open_regular(folder: int, name: str) -> int:
    """A regular file of the folder, open for reading; links and devices are refused with
    :class:`KeyEscapesError`.
    """
    try:
        descriptor = os.open(name, READ_FLAGS, dir_fd=folder)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            stat_regular(folder, name)
        raise
    try:
        require_regular(os.fstat(descriptor), name)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def stat_regular(folder: int, name: str) -> os.stat_result:
    """What the system knows of a regular file of the folder; anything else is refused."""
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    require_regular(found, name)
    return found


def require_regular(found: os.stat_result, name: str) -> None:
    """:class:`KeyEscapesError` unless this is a regular file."""
    if stat.S_ISLNK(found.st_mode):
        raise KeyEscapesError(
            f"{name!r} is a symbolic link, not a file.",
            code="storage.symlink",
            remedy="File the file that it points to.",
        )
    if not stat.S_ISREG(found.st_mode):
        raise KeyEscapesError(f"{name!r} is not a regular file.", code="storage.not_a_file")


def rename_noreplace(folder: int, name: str, to_folder: int, to_name: str) -> None:
    """Rename without ever replacing; FileExistsError when the new name is taken.

    Network file systems that do not know the flag (NFS) get a hard link and an unlink, which do not replace either.
    They have no such pair for folders; their rename can replace an empty folder at most, which loses nothing.
    """
    result = _libc.renameat2(folder, os.fsencode(name), to_folder, os.fsencode(to_name), _RENAME_NOREPLACE)
    if result == 0:
        return
    code = ctypes.get_errno()
    if code not in {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}:
        raise OSError(code, os.strerror(code), name, None, to_name)
    rename_by_link(folder, name, to_folder, to_name)


def rename_by_link(folder: int, name: str, to_folder: int, to_name: str) -> None:
    """The way of :func:`rename_noreplace` where the kernel's own is missing."""
    if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        os.link(name, to_name, src_dir_fd=folder, dst_dir_fd=to_folder, follow_symlinks=False)
        os.unlink(name, dir_fd=folder)
        return
    try:
        os.rename(name, to_name, src_dir_fd=folder, dst_dir_fd=to_folder)
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.ENOTDIR}:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), to_name) from error
        raise


def names_in(folder: int) -> list[str]:
    return os.listdir(folder)


def entries_below(root: int, components: Sequence[str]) -> Iterator[tuple[str, os.stat_result]]:
    """Names and facts of what a folder below ``root`` holds, streamed.

    Entries that vanish while we look, and a folder that does, were not there.
    """
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(opened_folder(root, components))
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in stack.enter_context(os.scandir(folder)):
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            yield entry.name, found


def sync_file_system(descriptor: int) -> None:
    """One wait for everything written so far to the file system; far cheaper than one for each of 5,000 files."""
    if _libc.syncfs(descriptor) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def remove_tree(folder: int, name: str, *, prefix: str) -> None:
    """Remove an entry of ``folder`` with all that it holds, never following links. What is gone already is success.

    Inner folders are first moved up into ``folder`` under names that begin with ``prefix`` and ``INNER``, so that
    neither the depth of the tree nor the number of open files has a limit, and what a killed process leaves can be
    found by its prefix.
    """
    pending = [name]
    while pending:
        current = pending.pop()
        try:
            inner = _enter(folder, current)
        except FileNotFoundError:
            continue
        try:
            for entry in names_in(inner):
                if stat.S_ISDIR(os.stat(entry, dir_fd=inner, follow_symlinks=False).st_mode):
                    raised = f"{prefix}{INNER}{uuid4().hex}"
                    rename_noreplace(inner, entry, folder, raised)
                    pending.append(raised)
                else:
                    os.unlink(entry, dir_fd=inner)
        finally:
            os.close(inner)
        os.rmdir(current, dir_fd=folder)


def remove_empty_folders(root: int, components: Sequence[str]) -> None:
    """Remove the folder and those above it as long as they are empty, never the root.

    Only ``rmdir`` is used, which cannot remove a folder that somebody has just put something into. Writers that lose a
    folder this way make it again (:meth:`datamgmt.storage.disk.store.DiskStorage.writer`).
    """
    for depth in range(len(components), 0, -1):
        *above, name = components[:depth]
        try:
            with opened_folder(root, above) as folder:
                os.rmdir(name, dir_fd=folder)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno in _FOLDER_STAYS:
                return
            raise


#: In use, a mount point, or not ours to remove: the folder stays, and nothing is wrong with that.
_FOLDER_STAYS: Final = {errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY, errno.ENOTDIR, errno.EACCES, errno.EPERM}
