"""Names of packages and bundles, and their keys: readable, safe everywhere, used once."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from datamgmt.models import RawDataPackage
from datamgmt.packaging.naming import (
    archive_key,
    buffer_key,
    bundle_key,
    bundle_name,
    job_link_key,
    package_name,
    sidecar_key,
    staged_key,
)
from datamgmt.storage.keys import COMPONENT_BYTES, checked_key
from observatory.models import Instrument, InstrumentModule
from planning.models import ExecutedObsUnit, ObservingProgram, ObsUnit

PK = UUID("0123456789abcdef0123456789abcdef")
CHILE = timezone(timedelta(hours=-4))


def execution(**fields: Any) -> ExecutedObsUnit:
    """An observation that began on 1 May at 22:00 in Chile: on 2 May UTC."""
    program = ObservingProgram(short_name=fields.pop("program", "GEco"))
    fields.setdefault("id", PK)
    fields.setdefault("start_time", datetime(2026, 5, 1, 22, 0, tzinfo=CHILE))
    return ExecutedObsUnit(obs_unit=ObsUnit(observing_program=program), **fields)


def module(short_name: str = "f280", instrument: str = "primecam") -> InstrumentModule:
    """A module of Prime-Cam."""
    return InstrumentModule(short_name=short_name, instrument=Instrument(short_name=instrument))


def package(**fields: Any) -> RawDataPackage:
    """The first package of that observation."""
    known = execution(**fields)
    return RawDataPackage(name=package_name(known, module(), 1), executed_obs_unit=known, instrument_module=module())


def test_a_package_is_named_after_what_it_holds() -> None:
    name = package_name(execution(), module(), 7)
    assert name == "GEco_primecam_f280_20260502T020000_0123456789abcdef_007"


@pytest.mark.parametrize(
    "other",
    [
        {"id": UUID(int=1)},
        {"id": UUID("0123456789abcdef0123456789abcdee")},
        {"id": UUID("1123456789abcdef0123456789abcdef")},
        {"program": "Cal"},
        {"start_time": datetime(2026, 5, 1, 22, 1, tzinfo=CHILE)},
    ],
    ids=str,
)
def test_other_observations_have_other_names(other: dict[str, Any]) -> None:
    assert package_name(execution(**other), module(), 1) != package_name(execution(), module(), 1)


def test_observations_whose_ids_were_counted_have_different_names() -> None:
    names = {package_name(execution(id=UUID(int=n)), module(), 1) for n in range(100)}
    assert len(names) == 100


def test_modules_and_numbers_have_different_names() -> None:
    names = {
        package_name(execution(), module(), 1),
        package_name(execution(), module(), 2),
        package_name(execution(), module("f350"), 1),
        package_name(execution(), module("f280", "chai"), 1),
    }
    assert len(names) == 4


@pytest.mark.parametrize("program", ["../../etc", "Ö / é", "a b\n$(rm)", "-rf", "", "x" * 60])
def test_a_name_is_safe_whatever_people_called_their_program(program: str) -> None:
    name = package_name(execution(program=program), module(program), 1)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", name)
    assert not name.startswith("-")
    for key in (
        buffer_key(package(program=program), "12345678-99"),
        archive_key(package(program=program), "12345678-99"),
    ):
        assert checked_key(key) == key
        assert all(len(part.encode()) <= COMPONENT_BYTES for part in key.split("/"))


def test_a_bundle_is_named_after_its_hop_and_its_moment() -> None:
    moment = datetime(2026, 5, 1, 22, 0, 0, 42, tzinfo=CHILE)
    assert bundle_name("ccat", "cologne", moment) == "ccat_cologne_20260502T020000000042"
    assert bundle_name("ccat", "cologne", moment) != bundle_name("ccat", "cologne", moment + timedelta(microseconds=1))


def test_keys_are_in_folders_by_day_of_universal_time() -> None:
    name = package().name
    assert buffer_key(package(), "5-1") == f"packages/2026/05/02/{name}.5-1.tar"
    assert archive_key(package(), "5-1") == f"primecam/f280/2026/05/02/{PK}/{name}.5-1.tar"


def test_the_sidecar_lies_beside_its_object() -> None:
    key = archive_key(package(), "5-1")
    assert sidecar_key(key) == key[: -len(".tar")] + ".json"
    assert sidecar_key("a.tar/b.tar") == "a.tar/b.json"


def test_every_attempt_has_keys_of_its_own() -> None:
    def keys(attempt: str) -> list[str]:
        return [
            buffer_key(package(), attempt),
            archive_key(package(), attempt),
            staged_key(package(), attempt),
            bundle_key("b", attempt, "json"),
        ]

    assert len({*keys("5-1"), *keys("5-2"), *keys("51-2")}) == 12


def test_staged_trees_and_the_links_of_jobs_lie_apart() -> None:
    assert staged_key(package(), "5-1") == f"packages/{package().name}.5-1"
    assert job_link_key("jobs/17", package()) == f"jobs/17/{package().name}"


def test_manifests_and_tars_of_bundles_differ_in_their_ending() -> None:
    assert bundle_key("ccat_cologne_1", "5-1", "json") == "bundles/ccat_cologne_1.5-1.json"
    assert bundle_key("ccat_cologne_1", "5-1", "tar") == "bundles/ccat_cologne_1.5-1.tar"


def test_the_time_zone_of_the_start_does_not_change_the_name() -> None:
    in_utc = execution(start_time=datetime(2026, 5, 2, 2, 0, tzinfo=UTC))
    assert package_name(in_utc, module(), 1) == package_name(execution(), module(), 1)
