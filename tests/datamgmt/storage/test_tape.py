"""Tape is described, not driven: every use is refused by the technology's name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import pytest

from ccatdc.common.errors import NotSupportedError
from datamgmt.storage import storage_for
from datamgmt.storage.base import LocationStorage
from datamgmt.storage.disk.store import DiskStorage
from datamgmt.storage.tape import TapeStorage
from tests.datamgmt.storage.places import OURS, DiskRow


@dataclass
class TapeRow:
    uuid: UUID = OURS
    full_name: str = "cologne_tape"
    storage: str = "datamgmt.storage.tape.TapeStorage"


USES: dict[str, Callable[[LocationStorage], object]] = {
    "write_marker": lambda tape: tape.write_marker(),
    "check_identity": lambda tape: tape.check_identity(),
    "open": lambda tape: tape.open("a"),
    "open_range": lambda tape: tape.open_range("a", 0, 1),
    "presigned_address": lambda tape: tape.presigned_address("a", 60),
    "stat": lambda tape: tape.stat("a"),
    "exists": lambda tape: tape.exists("a"),
    "walk": lambda tape: tape.walk(),
    "usage": lambda tape: tape.usage(),
    "probe_writing": lambda tape: tape.probe_writing(),
    "local_path": lambda tape: tape.local_path("a"),
    "writer": lambda tape: tape.writer("a", "a1"),
    "resumable_writer": lambda tape: tape.resumable_writer("a", "a1", 1).__enter__(),
    "discard_attempt": lambda tape: tape.discard_attempt("a", "a1"),
    "delete": lambda tape: tape.delete("a"),
    "make_tree": lambda tape: tape.make_tree("a", "a1"),
    "delete_tree": lambda tape: tape.delete_tree("a"),
    "link": lambda tape: tape.link("a", "b"),
    "unlink_link": lambda tape: tape.unlink_link("a"),
}


@pytest.mark.parametrize("name", USES)
def test_every_use_of_tape_is_refused_by_name(name: str) -> None:
    with pytest.raises(NotSupportedError, match=r"Tape cannot .*cologne_tape") as caught:
        USES[name](storage_for(TapeRow()))

    assert caught.value.code == "storage.not_supported"
    assert not caught.value.retryable


def test_no_method_of_the_contract_is_forgotten() -> None:
    methods = {name for name in vars(LocationStorage) if not name.startswith("_")}
    leave_nothing = {"put_back", "sweep", "quarantined", "empty_quarantine", "certificate_expires_at"}
    assert set(USES) == methods - {"technology", "named_in_errors"} - leave_nothing


def test_the_row_names_its_class() -> None:
    assert isinstance(storage_for(TapeRow()), TapeStorage)
    assert isinstance(storage_for(DiskRow("/somewhere")), DiskStorage)
