"""A tape library: a future capability. It can be described as a location; every use of it is refused by name."""

from __future__ import annotations

from typing import Any, NoReturn

from datamgmt.storage.base import LocationStorage


def _refused(what: str) -> Any:
    def refuse(self: LocationStorage, *_args: Any, **_options: Any) -> NoReturn:
        self._cannot(f"{what} yet")

    return refuse


#: Raises :class:`NotSupportedError` whatever it is asked.
TapeStorage: type[LocationStorage] = type(
    "TapeStorage",
    (LocationStorage,),
    {
        "__module__": __name__,
        "technology": "Tape",
        **{name: _refused(name.replace("_", " ")) for name in LocationStorage.__abstractmethods__},
    },
)
