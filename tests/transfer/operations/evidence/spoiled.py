"""A package that is archived, and what can happen to its copies behind everybody's back."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from django.utils import timezone

from ccatdc.common.errors import KeyMissingError, StorageError
from datamgmt.models import DataLocation, DeletionMode, PhysicalCopy, RawDataPackage
from datamgmt.storage import storage_for
from tests.factories.transfer import StagingJobFactory
from tests.flow import Flow
from tests.transfer.world import change
from transfer.models import Staging

ARCHIVED = ("package", "bundle", "transfer", "unpack", "archive")
FILES = {"run1/a": b"a" * 3000, "run1/b": b"b"}


def left(location: DataLocation) -> list[str]:
    """Keys of the files at a location."""
    return sorted(key for key, _ in storage_for(location).walk())


def age(flow: Flow, days: float) -> None:
    """As if it had been archived, and read, so long ago."""
    then = timezone.now() - timedelta(days=days)
    PhysicalCopy.objects.non_polymorphic().update(verified_at=then, seen_at=then)
    RawDataPackage.objects.update(archived_at=then)


def object_of(flow: Flow, copy: PhysicalCopy) -> Path:
    """The bytes in the store."""
    return flow.object_path(flow.archive, copy.key)


def remove(path: Path) -> None:
    """A lifecycle rule did it."""
    path.unlink()


def flip(path: Path) -> None:
    """One bit, same length."""
    content = bytearray(path.read_bytes())
    content[700] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    """The store lost the end."""
    path.write_bytes(path.read_bytes()[:-512])


def until_the_server_shows(flow: Flow, copy: PhysicalCopy, content: bytes | None) -> None:
    """It keeps what it knows of a folder for a second."""
    storage = storage_for(flow.archive)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            with storage.open(copy.key) as stream:
                found: bytes | None = stream.read()
        except KeyMissingError:
            found = None
        except StorageError:  # in between
            continue
        if found == content:
            return
        time.sleep(0.1)
    raise AssertionError("the server does not show what was changed")


def spoil_object(flow: Flow, copy: PhysicalCopy, spoil: Callable[[Path], None]) -> None:
    """In the store, behind everybody's back."""
    path = object_of(flow, copy)
    spoil(path)
    until_the_server_shows(flow, copy, path.read_bytes() if path.exists() else None)


def only_at_source(flow: Flow) -> None:
    """The buffers are empty already; deletion at SOURCE is on from now on."""
    change(flow.source, deletion_mode=DeletionMode.OFF)
    flow.run()
    assert left(flow.output_buffer) == left(flow.input_buffer) == []
    change(flow.source, deletion_mode=DeletionMode.AUTOMATIC)


def edit_keeping_the_times(path: Path, content: bytes) -> None:
    """As ``touch -r`` after an edit."""
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def second_job(flow: Flow) -> Staging:
    """Somebody else asks for what is staged."""
    job = StagingJobFactory.create(destination_location=flow.processing, packages=RawDataPackage.objects.all())
    flow.run("stage")
    staging: Staging = Staging.objects.get(staging_job=job)
    return staging
