"""Where the members of one of our tars are, by arithmetic: for reading one file out of a package (downloads).

Nothing but names and sizes is needed, since headers are byte for byte predictable. The order of the members is that in
which the package was written; whoever reads compares the header that stands there with what is expected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from datamgmt.packaging.tarballs.headers import header_size, padded


@dataclass(frozen=True, slots=True)
class Place:
    """A member in its tar: where its header begins, how long that is, and the size of its bytes."""

    name: str
    size: int
    start: int
    header: int

    @property
    def data(self) -> int:
        """Where its bytes begin."""
        return self.start + self.header

    @property
    def end(self) -> int:
        """Where the next header begins."""
        return self.data + padded(self.size)


def places(members: Iterable[tuple[str, int]]) -> Iterator[Place]:
    """Those of members (name, size) in this order."""
    start = 0
    for name, size in members:
        place = Place(name, size, start, header_size(name, size))
        yield place
        start = place.end
