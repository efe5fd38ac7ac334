"""Filing under bodies that nobody thought of: it files exactly, or refuses with a reason."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccatdc.common.errors import KeyEscapesError
from datamgmt.filing.parsing import PATH_LENGTH
from datamgmt.models import RawDataFile
from datamgmt.storage.keys import checked_key
from planning.models import ExecutedObsUnit
from tests.api.bodies import BULK, FILES, START, file_body, finish_body, finish_path, start_body
from tests.api.conftest import ApiClient
from tests.factories.planning import ExecutedObsUnitFactory

pytestmark = pytest.mark.django_db

bounded = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
#: Code points of every plane, surrogates and controls too.
ANY_TEXT = st.text(st.characters(), max_size=80)
PATHS = st.one_of(
    ANY_TEXT,
    st.lists(ANY_TEXT, min_size=1, max_size=6).map("/".join),
    st.lists(st.sampled_from(["a", "..", ".", "", "-x", " ", ".ccatdc", "\0"]), min_size=1).map("/".join),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(width=64), ANY_TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(ANY_TEXT, inner, max_size=4)),
    max_leaves=12,
)
NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([2**63, -(2**63), 10**400, 1e308]))


def may_be_used(path: str) -> bool:
    try:
        checked_key(path)
    except KeyEscapesError:
        return False
    return len(path) <= PATH_LENGTH


@bounded
@given(path=PATHS)
def test_a_path_is_filed_exactly_or_refused(instrument_api: ApiClient, path: str) -> None:
    body = file_body(relative_path=path)
    taken = RawDataFile.objects.filter(relative_path=path).exists() if may_be_used(path) else False

    answer = instrument_api.post(FILES, body)

    stored = list(RawDataFile.objects.filter(pk=body["id"]).values_list("relative_path", flat=True))
    if may_be_used(path) and not taken:
        assert (answer.status_code, stored) == (201, [path])
    else:
        assert (answer.status_code, stored) == (409 if taken else 400, [])
        assert answer["Content-Type"] == "application/problem+json"


FILE_FIELDS = [
    "id",
    "executed_obs_unit",
    "source_location",
    "relative_path",
    "size",
    "name",
    "instrument",
    "module",
    "instrument_module",
    "checksum",
    "checksum_algorithm",
    "file_type",
    "created_at",
    "description",
]


@bounded
@given(field=st.sampled_from(FILE_FIELDS), value=st.one_of(JSON, NUMBERS))
def test_any_value_in_a_field_of_a_file_is_filed_or_refused(instrument_api: ApiClient, field: str, value: Any) -> None:
    body = {**file_body(), field: value}
    for path, sent in ((FILES, body), (BULK, [body])):
        answer = instrument_api.post(path, sent)
        assert answer.status_code in {200, 201, 400, 403, 409}, answer.content


@bounded
@given(
    field=st.sampled_from(["id", "obs_unit", "program", "obs_unit_name", "start_time", "parameters", "operator"]),
    value=st.one_of(JSON, NUMBERS),
)
def test_any_value_in_a_start_is_filed_or_refused(instrument_api: ApiClient, field: str, value: Any) -> None:
    answer = instrument_api.post(START, {**start_body(), field: value})
    assert answer.status_code in {200, 201, 400, 409}, answer.content


@bounded
@given(parameters=st.dictionaries(ANY_TEXT, JSON, max_size=4))
def test_parameters_come_back_as_they_were_sent(instrument_api: ApiClient, parameters: dict[str, Any]) -> None:
    body = start_body(parameters=parameters)
    answer = instrument_api.post(START, body)
    if answer.status_code == 201:
        assert answer.json()["parameters"] == parameters
        assert instrument_api.post(START, body).status_code == 200, "the same again"
    else:
        assert answer.status_code == 400, answer.content
        assert not ExecutedObsUnit.objects.filter(pk=body["id"]).exists()


@bounded
@given(
    field=st.sampled_from(["status", "end_time", "conditions", "quality", "quality_comment"]),
    value=st.one_of(JSON, st.fixed_dictionaries({"pwv_mm_mean": NUMBERS})),
)
def test_any_value_in_a_finish_is_filed_or_refused(instrument_api: ApiClient, field: str, value: Any) -> None:
    execution = ExecutedObsUnitFactory.create()
    answer = instrument_api.put(finish_path(execution), {**finish_body(), field: value})
    assert answer.status_code in {200, 400, 409}, answer.content


@bounded
@given(body=JSON)
def test_any_document_is_refused_by_every_call(instrument_api: ApiClient, body: Any) -> None:
    execution = ExecutedObsUnitFactory.create()
    for answer in (
        instrument_api.post(START, body),
        instrument_api.put(finish_path(execution), body),
        instrument_api.post(FILES, body),
        instrument_api.post(BULK, body),
    ):
        assert answer.status_code == 400, answer.content
        assert answer["Content-Type"] == "application/problem+json"
