"""What must never be filed: refused with 4xx and a code, and not one row of any table is written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.utils import timezone

from datamgmt.filing.parsing import MAX_ROWS
from tests.api.bodies import BULK, FILES, START, file_body, finish_body, finish_path, start_body
from tests.api.conftest import ApiClient, client_with, problem
from tests.factories.datamgmt import BufferLocationFactory
from tests.factories.observatory import InstrumentFactory, InstrumentModuleFactory
from tests.factories.planning import ExecutedObsUnitFactory, ObsModeFactory, ObsUnitFactory

pytestmark = pytest.mark.django_db

WRITE = "write:observations"
TOO_LONG = "a" * 256


def contents() -> dict[str, tuple[int, int]]:
    """For every table the number of its rows and a hash of what is in them."""
    with connection.cursor() as cursor:
        names = connection.introspection.table_names(cursor)
        parts = [
            f"SELECT '{name}', count(*), coalesce(sum(hashtext(t::text)), 0) FROM \"{name}\" t"  # noqa: S608 - names from the catalogue
            for name in names
        ]
        cursor.execute(" UNION ALL ".join(parts))
        return {name: (int(count), int(sum_)) for name, count, sum_ in cursor.fetchall()}


@pytest.fixture
def instrument() -> ApiClient:
    """A token that was used a moment ago, so that its use is not noted again."""
    api = client_with(WRITE, "read:observations")
    assert api.get("/api/instruments/").status_code == 200
    return api


def refused(send: Callable[[], Any], status: int, code: str) -> dict[str, Any]:
    """The problem document, after checking that nothing was written."""
    before = contents()
    body = problem(send(), status, code)
    assert contents() == before
    return body


def test_what_is_compared_notices_a_row_and_a_change(instrument: ApiClient) -> None:
    execution = ExecutedObsUnitFactory.create()
    before = contents()
    assert instrument.put(finish_path(execution), finish_body()).status_code == 200
    changed = contents()
    assert changed != before
    assert instrument.post(FILES, file_body(execution)).status_code == 201
    assert changed["raw_data_file"] != contents()["raw_data_file"]


@pytest.mark.parametrize(
    "path",
    [
        "../x.g3",
        "a/../../x.g3",
        "a/..",
        "..",
        ".",
        "./x.g3",
        "a/./x.g3",
        "/etc/passwd",
        "//x.g3",
        "a//x.g3",
        "a/",
        "/",
        "",
        "a\x00.g3",
        f"a/{TOO_LONG}",
        f"{TOO_LONG}/a",
        "ü" * 128,
        "a/" * 1024 + "b",
        "\ud800.g3",
        ".ccatdc/location.json",
    ],
    ids=lambda path: ascii(path)[1:25],
)
def test_paths_that_are_none(instrument: ApiClient, path: str) -> None:
    execution = ExecutedObsUnitFactory.create()
    good, bad = file_body(execution), file_body(execution, relative_path=path)
    body = refused(lambda: instrument.post(FILES, bad), 400, "filing.invalid_rows")
    assert [error["field"] for error in body["errors"]] == ["relative_path"]
    body = refused(lambda: instrument.post(BULK, [good, bad]), 400, "filing.invalid_rows")
    assert [(error["index"], error["field"]) for error in body["errors"]] == [(1, "relative_path")]


def test_a_backslash_is_a_letter_and_leaves_no_root(instrument: ApiClient) -> None:
    body = file_body(relative_path="..\\..\\x.g3")
    assert instrument.post(FILES, body).status_code == 201
    assert instrument.get(f"{FILES}{body['id']}").json()["name"] == "..\\..\\x.g3"


WRONG_FIELDS: list[tuple[str, dict[str, Any], str]] = [
    ("negative size", {"size": -1}, "out_of_range"),
    ("size of 2^63", {"size": 2**63}, "out_of_range"),
    ("size of 10^40", {"size": 10**40}, "out_of_range"),
    ("fraction of a byte", {"size": 0.5}, "invalid"),
    ("unknown module", {"module": "f999"}, "does_not_exist"),
    ("unknown instrument", {"instrument": "nobody"}, "does_not_exist"),
    ("unknown module by id", {"instrument": "", "module": "", "instrument_module": 2**62},
     "does_not_exist"),
    ("unknown location", {"source_location": "ccat_nowhere"}, "does_not_exist"),
    ("unknown execution", {"executed_obs_unit": str(UUID(int=1))}, "does_not_exist"),
    ("checksum of another length", {"checksum": "ab", "checksum_algorithm": "sha256"},
     "checksum.malformed"),
    ("checksum with its algorithm in it",
     {"checksum": f"sha256:{'ab' * 32}", "checksum_algorithm": "sha256"}, "checksum.malformed"),
    ("checksum in base64",
     {"checksum": "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=", "checksum_algorithm": "sha256"},
     "checksum.malformed"),
    ("checksum in full-width digits", {"checksum": "０" * 32, "checksum_algorithm": "md5"},  # noqa: RUF001
     "checksum.malformed"),
    ("unknown algorithm", {"checksum": "ab" * 20, "checksum_algorithm": "sha1"},
     "unknown_algorithm"),
    ("checksum without algorithm", {"checksum": "ab" * 32}, "checksum.incomplete"),
    ("algorithm without checksum", {"checksum_algorithm": "md5"}, "checksum.incomplete"),
    ("a date alone", {"created_at": "2026-05-01"}, "invalid"),
    ("a time that overflows", {"created_at": "9999-12-31T23:59:59-23:59"}, "invalid"),
    ("a time in year 0", {"created_at": "0000-01-01T00:00:00Z"}, "invalid"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "code"), [each[1:] for each in WRONG_FIELDS], ids=[each[0] for each in WRONG_FIELDS]
)
def test_fields_that_cannot_be(instrument: ApiClient, change: dict[str, Any], code: str) -> None:
    execution = ExecutedObsUnitFactory.create()
    good, bad = file_body(execution), file_body(execution) | change
    for send in (lambda: instrument.post(FILES, bad), lambda: instrument.post(BULK, [good, bad])):
        body = refused(send, 400, "filing.invalid_rows")
        assert code in {error["code"] for error in body["errors"]}


def test_a_file_at_a_place_that_is_no_source(instrument: ApiClient) -> None:
    body = file_body(location=BufferLocationFactory.create())
    answer = refused(lambda: instrument.post(FILES, body), 400, "filing.invalid_rows")
    assert [error["code"] for error in answer["errors"]] == ["not_a_source"]


def test_files_for_the_observation_of_another_instrument(instrument: ApiClient) -> None:
    chai = InstrumentFactory.create(short_name="chai")
    unit = ObsUnitFactory.create(obs_mode=ObsModeFactory.create(instrument=chai))
    body = file_body(ExecutedObsUnitFactory.create(obs_unit=unit))
    answer = refused(lambda: instrument.post(FILES, body), 400, "filing.invalid_rows")
    assert [error["code"] for error in answer["errors"]] == ["foreign_execution"]


def test_files_for_another_instrument_than_the_tokens() -> None:
    chai = InstrumentFactory.create(short_name="chai")
    bound = client_with(WRITE, "read:observations", instrument=chai)
    assert bound.get("/api/instruments/").status_code == 200
    primecam = InstrumentModuleFactory.create()
    body = file_body(module=primecam)
    refused(lambda: bound.post(FILES, body), 403, "token.other_instrument")
    own = file_body(module=InstrumentModuleFactory.create(instrument=chai, short_name="lfa"))
    refused(lambda: bound.post(BULK, [own, body]), 403, "token.other_instrument")


OFF = [
    "1970-01-01T00:00:00Z",
    "1980-01-06T00:00:00Z",
    "2000-01-01T00:00:10Z",
    "2019-12-31T23:59:59Z",
    "2999-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
]


@pytest.mark.parametrize("moment", OFF)
def test_clocks_that_are_years_off(instrument: ApiClient, moment: str) -> None:
    unit, execution = ObsUnitFactory.create(), ExecutedObsUnitFactory.create()
    start, finish = start_body(unit, start_time=moment), finish_body(end_time=moment)
    refused(lambda: instrument.post(START, start), 400, "filing.clock")
    refused(lambda: instrument.put(finish_path(execution), finish), 400, "filing.clock")


@pytest.mark.parametrize(
    "moment",
    ["0000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
     "10000-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "NaN", 1e308, -1],
)  # fmt: skip
def test_times_that_are_none(instrument: ApiClient, moment: Any) -> None:
    unit, execution = ObsUnitFactory.create(), ExecutedObsUnitFactory.create()
    start, finish = start_body(unit, start_time=moment), finish_body(end_time=moment)
    refused(lambda: instrument.post(START, start), 400, "request.invalid")
    refused(lambda: instrument.put(finish_path(execution), finish), 400, "request.invalid")


def test_a_clock_that_is_hours_off_is_believed(instrument: ApiClient) -> None:
    ahead = (timezone.now() + timedelta(hours=23)).isoformat()
    assert instrument.post(START, start_body(start_time=ahead)).status_code == 201
    days = (timezone.now() + timedelta(hours=25)).isoformat()
    body = start_body(start_time=days)
    refused(lambda: instrument.post(START, body), 400, "filing.clock")


def test_an_end_before_the_beginning(instrument: ApiClient) -> None:
    execution = ExecutedObsUnitFactory.create()
    body = finish_body(end_time="2026-05-01T21:59:59Z")
    answer = lambda: instrument.put(finish_path(execution), body)  # noqa: E731
    refused(answer, 400, "filing.ends_before_start")


@pytest.mark.parametrize("path", [START, FILES, BULK])
def test_a_body_over_the_limit(instrument: ApiClient, settings: Any, path: str) -> None:
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    refused(lambda: instrument.post(path, b" " * (limit + 1)), 413, "request.too_large")


def test_one_file_more_than_one_call_may_have(instrument: ApiClient) -> None:
    row = file_body()
    rows = [{**row, "id": str(uuid4()), "relative_path": f"{n}.g3"} for n in range(MAX_ROWS + 1)]
    refused(lambda: instrument.post(BULK, rows), 400, "filing.too_many_rows")


def test_one_path_twice_in_one_call(instrument: ApiClient) -> None:
    row = file_body()
    rows = [row, {**row, "id": str(uuid4())}]
    answer = refused(lambda: instrument.post(BULK, rows), 400, "filing.invalid_rows")
    errors = [(error["index"], error["field"], error["code"]) for error in answer["errors"]]
    assert errors == [(1, "relative_path", "twice")]


def test_one_path_in_two_calls(instrument: ApiClient) -> None:
    row = file_body()
    assert instrument.post(FILES, row).status_code == 201
    again = {**row, "id": str(uuid4())}
    answer = refused(lambda: instrument.post(FILES, again), 409, "filing.differs")
    assert [error["code"] for error in answer["errors"]] == ["filing.path_taken"]
