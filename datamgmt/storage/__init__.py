"""Where the bytes are: one class for each technology, behind one contract (:mod:`datamgmt.storage.base`).

Used by operations and by filing's path check; never by managers.
"""

from __future__ import annotations

from importlib import import_module

from datamgmt.storage.base import LocationStorage, StoredLocation


def storage_for(location: StoredLocation) -> LocationStorage:
    """The storage of a location, by the dotted path in its class attribute ``storage``."""
    module, _, name = location.storage.rpartition(".")
    storage_class = getattr(import_module(module), name)
    storage = storage_class(location)
    if not isinstance(storage, LocationStorage):
        raise TypeError(f"{location.storage} is not a LocationStorage")
    return storage
