"""Files over HTTP: one, many, and rows that make no sense."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from datamgmt.models import PhysicalCopy, RawDataFile, RawDataFilePhysicalCopy
from tests.api.bodies import BULK, FILES, file_body
from tests.api.conftest import ApiClient, problem
from tests.factories.planning import ExecutedObsUnitFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("odd", ["1969-12-31T23:59:59Z", "2400-01-01T00:00:00Z", "2999-01-01T00:00:00+05:00"])
def test_a_file_with_an_odd_time_is_filed_without_it(instrument_api: ApiClient, odd: str) -> None:
    assert instrument_api.post(FILES, file_body(created_at=odd)).status_code == 201
    assert RawDataFile.objects.get().created_at is None


def test_a_file_that_was_left_out_says_why(instrument_api: ApiClient) -> None:
    body = file_body()
    instrument_api.post(FILES, body)
    path = f"{FILES}{body['id']}"
    assert instrument_api.get(path).json()["set_aside"] is None
    RawDataFilePhysicalCopy.objects.update(
        integrity="missing", error_code="file.missing", error_message="It is not there."
    )
    answer = instrument_api.get(path).json()
    assert answer["set_aside"] == {"code": "file.missing", "message": "It is not there."}
    (copy,) = answer["copies"]
    assert (copy["error_code"], copy["error_message"]) == ("file.missing", "It is not there.")


class TestOneFile:
    def test_a_file_is_registered_with_201_and_again_with_200(self, instrument_api: ApiClient) -> None:
        body = file_body(checksum="AB" * 32, checksum_algorithm="sha256")

        first, second = (instrument_api.post(FILES, body) for _ in range(2))

        assert (first.status_code, second.status_code) == (201, 200)
        assert first.json() == {"id": body["id"], "created": True}
        assert second.json() == {"id": body["id"], "created": False}
        assert RawDataFile.objects.get().checksum == "ab" * 32, "hexadecimal digits in lower case"
        assert PhysicalCopy.objects.count() == 1

    def test_one_file_takes_few_queries(self, instrument_api: ApiClient, django_assert_max_num_queries: Any) -> None:
        instrument_api.post(FILES, file_body())
        body = file_body()
        with django_assert_max_num_queries(12):
            assert instrument_api.post(FILES, body).status_code == 201

    @pytest.mark.parametrize(
        ("change", "field", "code"),
        [
            ({"id": 7}, "id", "invalid"),
            ({"id": "not-a-uuid"}, "id", "invalid"),
            ({"executed_obs_unit": None}, "executed_obs_unit", "required"),
            ({"executed_obs_unit": 7}, "executed_obs_unit", "invalid"),
            ({"size": -1}, "size", "out_of_range"),
            ({"size": 2**63}, "size", "out_of_range"),
            ({"size": 1.5}, "size", "invalid"),
            ({"size": "1000"}, "size", "invalid"),
            ({"size": True}, "size", "invalid"),
            ({"relative_path": ""}, "relative_path", "storage.key_malformed"),
            ({"relative_path": "/etc/passwd"}, "relative_path", "storage.path_escapes"),
            ({"relative_path": "../a"}, "relative_path", "storage.path_escapes"),
            ({"relative_path": "a/../../b"}, "relative_path", "storage.path_escapes"),
            ({"relative_path": "a//b"}, "relative_path", "storage.path_escapes"),
            ({"relative_path": "a/./b"}, "relative_path", "storage.path_escapes"),
            ({"relative_path": "a/"}, "relative_path", "storage.path_escapes"),
            ({"relative_path": "a\x00b"}, "relative_path", "storage.key_malformed"),
            ({"relative_path": "a\udcffb"}, "relative_path", "storage.key_malformed"),
            ({"relative_path": "a" * 256}, "relative_path", "storage.component_too_long"),
            ({"relative_path": "ü" * 128}, "relative_path", "storage.component_too_long"),
            ({"relative_path": "a/" * 1024 + "b"}, "relative_path", "max_length"),
            ({"relative_path": ".ccatdc/x"}, "relative_path", "storage.key_reserved"),
            ({"relative_path": ["a"]}, "relative_path", "invalid"),
            ({"name": "x" * 256}, "name", "max_length"),
            ({"name": "\ud800"}, "name", "not_storable"),
            ({"description": "\x00"}, "description", "not_storable"),
            ({"description": None}, "description", "invalid"),
            ({"source_location": 3}, "source_location", "invalid"),
            ({"source_location": "a\x00"}, "source_location", "not_storable"),
            ({"checksum": "ab" * 32}, "checksum", "checksum.incomplete"),
            ({"checksum_algorithm": "md5"}, "checksum", "checksum.incomplete"),
            ({"checksum": "ab" * 16, "checksum_algorithm": "sha256"}, "checksum", "checksum.malformed"),
            ({"checksum": "xy" * 16, "checksum_algorithm": "md5"}, "checksum", "checksum.malformed"),
            ({"checksum": "ab" * 20, "checksum_algorithm": "sha1"}, "checksum_algorithm", "unknown_algorithm"),
            ({"checksum_algorithm": ["md5"]}, "checksum_algorithm", "unknown_algorithm"),
            ({"file_type": "movie"}, "file_type", "invalid_choice"),
            ({"file_type": {}}, "file_type", "invalid_choice"),
            ({"created_at": "yesterday"}, "created_at", "invalid"),
            ({"created_at": 1750012345}, "created_at", "invalid"),
            ({"created_at": "0001-01-01T00:00:00+14:00"}, "created_at", "invalid"),
            ({"created_at": "2026-05-01"}, "created_at", "invalid"),
            ({"instrument_module": 1}, "module", "required"),
            ({"instrument": ""}, "module", "required"),
            ({"instrument_module": -1}, "instrument_module", "out_of_range"),
            ({"checksumm": "ab"}, "checksumm", "unknown_field"),
        ],
    )
    def test_a_field_that_makes_no_sense_is_named(
        self, instrument_api: ApiClient, change: dict[str, Any], field: str, code: str
    ) -> None:
        answer = problem(instrument_api.post(FILES, file_body(**change)), 400, "filing.invalid_rows")
        errors = [(error["index"], error["field"], error["code"]) for error in answer["errors"]]
        assert (0, field, code) in errors
        assert not RawDataFile.objects.exists()

    @pytest.mark.parametrize(
        "missing", ["id", "executed_obs_unit", "source_location", "relative_path", "size", "module"]
    )
    def test_a_missing_field_is_named(self, instrument_api: ApiClient, missing: str) -> None:
        body = file_body()
        del body[missing]
        answer = problem(instrument_api.post(FILES, body), 400, "filing.invalid_rows")
        assert answer["errors"][0]["field"] == missing
        assert answer["errors"][0]["code"] == "required"

    @pytest.mark.parametrize(
        "path",
        [
            " leading and trailing ",
            "-rf",
            "--help/-",
            "line\nbreak",
            "tab\there",
            "back\\slash",
            "quotes\"'",
            "Zürich/観測/нет.fits",
            "e\u0301 is not é",
            "emoji 🔭",
            "a" * 255,
            "..a/...b/c..",
            "*?[x]$(y)`z`;",
            "\u202egnp.exe",
            "/".join(["deep" * 10] * 49),
        ],
    )
    def test_a_name_is_kept_character_by_character(self, instrument_api: ApiClient, path: str) -> None:
        body = file_body(relative_path=path)
        assert instrument_api.post(FILES, body).status_code == 201
        file = RawDataFile.objects.get()
        assert file.relative_path == path
        assert file.name == path.rpartition("/")[2]
        assert instrument_api.get(f"{FILES}{body['id']}").json()["relative_path"] == path


class TestManyFiles:
    def test_a_list_is_filed_and_repeated(self, instrument_api: ApiClient) -> None:
        execution = ExecutedObsUnitFactory.create()
        rows = [file_body(execution) for _ in range(3)]

        first, second = (instrument_api.post(BULK, rows) for _ in range(2))

        assert (first.status_code, first.json()) == (201, {"created": 3, "unchanged": 0})
        assert (second.status_code, second.json()) == (200, {"created": 0, "unchanged": 3})

    def test_every_bad_row_is_named_and_none_is_filed(self, instrument_api: ApiClient) -> None:
        execution = ExecutedObsUnitFactory.create()
        rows: list[Any] = [file_body(execution) for _ in range(5)]
        rows[1]["size"] = -1
        rows[3] = "row"
        rows[4]["relative_path"] = "../x"

        answer = problem(instrument_api.post(BULK, rows), 400, "filing.invalid_rows")

        assert [error["index"] for error in answer["errors"]] == [1, 3, 4]
        assert answer["error_count"] == 3
        assert not RawDataFile.objects.exists()

    def test_errors_are_listed_up_to_a_hundred_and_all_counted(self, instrument_api: ApiClient) -> None:
        execution = ExecutedObsUnitFactory.create()
        rows = [file_body(execution, size=-1) for _ in range(150)]
        answer = problem(instrument_api.post(BULK, rows), 400, "filing.invalid_rows")
        assert (len(answer["errors"]), answer["error_count"]) == (100, 150)

    def test_a_conflict_names_the_row(self, instrument_api: ApiClient) -> None:
        execution = ExecutedObsUnitFactory.create()
        stored = file_body(execution)
        instrument_api.post(FILES, stored)
        rows = [file_body(execution), {**stored, "size": 7}]
        answer = problem(instrument_api.post(BULK, rows), 409, "filing.differs")
        (error,) = answer["errors"]
        assert error["index"] == 1
        assert error["id"] == stored["id"]
        assert error["differences"] == {"size": {"stored": 1000, "sent": 7}}
        assert RawDataFile.objects.count() == 1

    def test_ten_thousand_rows_are_filed_and_one_more_is_refused(self, instrument_api: ApiClient) -> None:
        row = file_body(ExecutedObsUnitFactory.create())
        rows = [{**row, "id": str(uuid4()), "relative_path": f"f/{number}"} for number in range(10_001)]
        problem(instrument_api.post(BULK, rows), 400, "filing.too_many_rows")
        assert instrument_api.post(BULK, rows[1:]).json() == {"created": 10_000, "unchanged": 0}

    @pytest.mark.parametrize("body", [{}, [], None, "text", 7, {"files": []}])
    def test_what_is_no_list_of_rows_is_refused(self, instrument_api: ApiClient, body: Any) -> None:
        problem(instrument_api.post(BULK, json.dumps(body).encode()), 400, "filing.not_a_list")

    def test_bulk_rows_are_indistinguishable_from_rows_that_the_model_made(self, instrument_api: ApiClient) -> None:
        """A column that COPY would leave out, or fill with something else, shows here."""
        execution = ExecutedObsUnitFactory.create()
        body = file_body(execution)
        instrument_api.post(FILES, body)
        file = RawDataFile.objects.get()
        copied = PhysicalCopy.objects.values().get()
        file_values = RawDataFile.objects.values().get()
        pk = file.pk
        PhysicalCopy.objects.all().delete()
        file.delete()

        same = RawDataFile.objects.create(
            id=pk,
            name=file.name,
            relative_path=file.relative_path,
            size=file.size,
            executed_obs_unit=execution,
            instrument_module=file.instrument_module,
            source_location=file.source_location,
        )
        RawDataFilePhysicalCopy.objects.create(raw_data_file=same, data_location=file.source_location, size=file.size)
        moments = {"id", "created_at", "registered_at"}
        for made, values in (
            (PhysicalCopy.objects.values().get(), copied),
            (RawDataFile.objects.values().get(), file_values),
        ):
            assert {k: v for k, v in made.items() if k not in moments} == {
                k: v for k, v in values.items() if k not in moments
            }
