"""Registering a location: the place is marked as its own, and an S3 server shows what it verifies.

Stands before stage 0, once for each location, on a host that sees the place. Nothing is written to a location that is
not registered.
"""

from __future__ import annotations

from pathlib import Path

from botocore.exceptions import ClientError
from django.utils import timezone

from accounts.models import User, record
from ccatdc.common.errors import ConfigurationError, LocationIdentityError, StorageError
from datamgmt.models import DataLocation, DiskDataLocation, S3DataLocation
from datamgmt.storage import storage_for
from datamgmt.storage.base import LocationStorage
from datamgmt.storage.identity import ForeignMarkerError
from datamgmt.storage.s3.errors import s3_errors
from datamgmt.storage.s3.store import S3Storage

#: What S3 servers answer when a bucket of ours is there already.
_BUCKET_IS_THERE = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}


def register(
    location: DataLocation,
    *,
    create: bool = False,
    replace_marker: bool = False,
    as_marked: bool = False,
    user: User | None = None,
) -> None:
    """Mark the place and note what was found; doing it again is success.

    ``create`` makes a missing root folder or bucket. ``replace_marker`` is for a place that was registered before and
    is now a new, empty one: without it a missing marker of a registered location is an error, since a disk that is not
    mounted looks the same. ``as_marked`` is for a place that is older than this catalogue, after the database was lost:
    a row that was never registered takes over the UUID of the marker when that has the same full name.

    Raises LocationIdentityError for another location's place, StorageError and ConfigurationError when the place cannot
    be reached, NotSupportedError for a technology that is not driven yet.
    """
    if as_marked and location.registered_at is None:
        _take_over_uuid(location)
    storage = storage_for(location)
    if location.registered_at is not None and not replace_marker:
        _require_marker(storage, location)
    elif create:
        _make_place(location, storage)
    storage.write_marker()
    if isinstance(location, S3DataLocation) and isinstance(storage, S3Storage):
        location.refused_checksums = storage.probe()
        S3DataLocation.objects.filter(pk=location.pk).update(refused_checksums=location.refused_checksums)
    if location.registered_at is None or replace_marker:
        location.registered_at = timezone.now()
        DataLocation.objects.non_polymorphic().filter(pk=location.pk).update(registered_at=location.registered_at)
        record("register_location", f"Registered {location.full_name}.", about=location, user=user)


def _take_over_uuid(location: DataLocation) -> None:
    """Of its own marker, if it has one; that of another location, or none, is judged afterwards as ever."""
    try:
        storage_for(location).check_identity()
    except ForeignMarkerError as error:
        if error.marker.full_name != location.full_name:
            raise
        location.uuid = error.marker.uuid
        DataLocation.objects.non_polymorphic().filter(pk=location.pk).update(uuid=location.uuid)
        text = f"{location.full_name} is the place that was registered before this catalogue was made."
        record("register_location", text, about=location)
    except (LocationIdentityError, StorageError):
        return


def _require_marker(storage: LocationStorage, location: DataLocation) -> None:
    try:
        storage.check_identity()
    except LocationIdentityError as error:
        if error.code != "location.marker_missing":
            raise
        raise LocationIdentityError(
            f"{location.full_name} was registered on {location.registered_at:%Y-%m-%d %H:%M} UTC, "
            f"and now its marker is missing. {error.message}",
            code=error.code,
            remedy="Mount the disk or correct the address. Only if its place is really a new, "
            "empty one, register it with --replace-marker.",
        ) from error


def _make_place(location: DataLocation, storage: LocationStorage) -> None:
    if isinstance(location, DiskDataLocation):
        try:
            Path(location.path).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"The root folder {location.path} of {location.full_name} cannot be made: {error.strerror}.",
                code="location.cannot_create",
                remedy="Make it as a user who may, and give it to the user of the workers.",
            ) from error
    elif isinstance(location, S3DataLocation) and isinstance(storage, S3Storage):
        with s3_errors(f"make the bucket {location.bucket_name}"):
            try:
                storage.client.create_bucket(Bucket=location.bucket_name)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") not in _BUCKET_IS_THERE:
                    raise
