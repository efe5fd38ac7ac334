"""``PUT /api/plans``: sources, obs units, configurations and slots over the API, by the rules of reference files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.auth.tokens import user_of
from accounts.models import record
from ccatdc.common.api.parsers import StrictSerializer
from ccatdc.common.errors import RequestError
from ccatdc.common.row_errors import RowError, in_words, listed
from ccatdc.reference.entries import Entry, Place, Problem, ReferenceDataError, Value
from ccatdc.reference.load.loader import Report, load_entries

#: What a plan consists of. The rest of the reference data is the operators': in files and in the portal.
SECTIONS: Final = (
    "fixed_source",
    "solar_system_object",
    "constant_elevation_source",
    "constant_elevation_azimuth_range",
    "obs_unit",
    "pre_scheduled_slot",
    "prime_cam_observation_configuration",
    "chai_observation_configuration",
    "chai_tiling",
    "chai_inpar_parameter",
)
MAX_ROWS: Final = 10_000
#: Changes that an answer lists; all are counted.
MAX_LISTED: Final = 1000


class PlanRowsError(RequestError):
    """Rows that cannot be stored; nothing of the call was."""

    default_code = "plans.invalid_rows"

    def __init__(self, problems: list[Problem]) -> None:
        errors = [_row_error(problem) for problem in problems]
        super().__init__(
            in_words(errors, f"Row of {problems[0].place.file}"),
            remedy="Nothing was stored. Correct the rows and send all of them again.",
        )
        self.extra = listed(errors)


def _row_error(problem: Problem) -> RowError:
    section = {"section": str(problem.place.file)}
    return RowError(problem.place.line, problem.field, "invalid", problem.reason, section)


class PlansSerializer(StrictSerializer):
    """Rows by table, each an object of its columns; other rows are named by their natural keys, as in reference files."""

    def get_fields(self) -> dict[str, Any]:
        """One list for each table."""
        return {
            name: serializers.ListField(
                child=serializers.DictField(allow_empty=False), required=False, allow_empty=True, max_length=MAX_ROWS
            )
            for name in SECTIONS
        }

    def entries(self) -> list[Entry]:
        """The rows as the loader takes them; a row's place is its section and number."""
        found = []
        for section, rows in self.validated_data.items():
            for number, row in enumerate(rows):
                place = Place(Path(section), number)
                found.append(Entry(section, {name: Value(value, place) for name, value in row.items()}, place, 0))
        return found


class PlanChangeSerializer(serializers.Serializer[Any]):
    """A row that was added, or changed."""

    section = serializers.CharField()
    name = serializers.CharField()
    added = serializers.BooleanField()


class PlansStoredSerializer(serializers.Serializer[Any]):
    """What the call did, or would do."""

    added = serializers.IntegerField()
    changed = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    changes = PlanChangeSerializer(many=True, help_text=f"The first {MAX_LISTED}.")


class PlansView(APIView):
    """Sources, obs units, their configurations and slots."""

    needs = {"PUT": "write:schedule"}

    @extend_schema(operation_id="put_plans", request=PlansSerializer, responses={200: PlansStoredSerializer})
    def put(self, request: Request) -> Response:
        """Add these rows, or bring them to what is said; all or nothing. A row is known by its natural key. The same
        again changes nothing, and what is not named stays. State and priority of an obs unit, and the status of a slot,
        are taken when the row is made only.
        """
        body = PlansSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        try:
            report = load_entries(body.entries(), [])
        except ReferenceDataError as error:
            raise PlanRowsError(error.problems) from error
        if report.changes:
            record("planning", f"Plans over the API: {_words(report)}", user=user_of(request))
        return Response(PlansStoredSerializer(_told(report)).data)


def _told(report: Report) -> dict[str, Any]:
    added = sum(change.added for change in report.changes)
    return {
        "added": added,
        "changed": len(report.changes) - added,
        "unchanged": report.unchanged,
        "changes": report.changes[:MAX_LISTED],
    }


def _words(report: Report) -> str:
    told = _told(report)
    return f"{told['added']} rows added, {told['changed']} changed, {told['unchanged']} as they were."
