"""Dying between two lines that change the world, by name.

A worker is a forked process that counts what it does to the world: system calls of disks, requests to stores, commits. It
dies (``_exit``: no clean-up, no rollback of its own) just before the one that was chosen.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from botocore.client import BaseClient
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from datamgmt.storage.disk import links, parts, paths, quarantine
from transfer.engine.worker.runner import run_operation

#: What a killed process leaves as its status.
KILLED: Final = 137
#: Connections that a child inherits are its parent's: they are neither used nor closed.
_inherited: list[Any] = []

_SYSTEM_CALLS: Final = ("fsync", "unlink", "mkdir", "rmdir", "write", "symlink", "link", "rename")
_REQUESTS_THAT_READ: Final = ("GetObject", "HeadObject", "ListObjectsV2", "ListMultipartUploads")


class Boundaries:
    """Counts what changes the world, and dies before number ``dies_before``."""

    def __init__(self, dies_before: int | None) -> None:
        self.names: list[str] = []
        self._dies_before = dies_before

    def pass_by(self, name: str) -> None:
        """One more; or the end."""
        if len(self.names) == self._dies_before:
            os._exit(KILLED)
        self.names.append(name)

    def watch(self) -> None:
        """Have everything pass by here. For a process that ends soon: nothing is put back."""
        for name in _SYSTEM_CALLS:
            setattr(os, name, self._told(f"os.{name}", getattr(os, name)))
        renaming = self._told("rename", paths.rename_noreplace)
        for module in (links, parts, paths, quarantine):
            if hasattr(module, "rename_noreplace"):
                setattr(module, "rename_noreplace", renaming)  # noqa: B010  mypy knows the name as a function
        client_class: Any = BaseClient
        wrapper_class: Any = BaseDatabaseWrapper
        requests, commit = client_class._make_api_call, wrapper_class.commit

        def request(client: Any, operation: str, parameters: Any) -> Any:
            if operation not in _REQUESTS_THAT_READ:
                self.pass_by(operation)
            return requests(client, operation, parameters)

        def commits(wrapper: Any) -> None:
            self.pass_by("commit")
            commit(wrapper)

        client_class._make_api_call, wrapper_class.commit = request, commits

    def _told(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            # The first write of a file is as good as the thousandth; logs and pipes are not the world.
            if name != "os.write" or not self.names or self.names[-1] != name:
                self.pass_by(name)
            return real(*arguments, **options)

        return call


def run_in_worker(pk: int, report: Path, *, dies_before: int | None = None) -> list[str] | None:
    """Run an operation in a process of its own; the names of what it did, or None when it died."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _inherited.append(connection.connection)
            connection.connection = None
            boundaries = Boundaries(dies_before)
            boundaries.watch()
            run_operation(pk)
            names = boundaries.names
            boundaries._dies_before = None
            report.write_text(json.dumps(names))
            status = 0
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(ended) == KILLED:
        return None
    assert os.waitstatus_to_exitcode(ended) == 0, "the worker ended with an error that is none of the operation's"
    found: list[str] = json.loads(report.read_text())
    return found
