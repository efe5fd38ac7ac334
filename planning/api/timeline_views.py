"""``POST /api/timeline``: the scheduler's night or week, as JSON or as the ECSV that FYST's planner writes."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.auth.tokens import user_of
from ccatdc.common.api.parsers import FiniteFloatField, MomentField, StrictJsonParser, StrictSerializer
from planning.models.sources import AZIMUTHS_DEG
from planning.scheduling.ecsv import MAX_BYTES, read_ecsv
from planning.scheduling.timelines import GEOMETRY, MAX_BLOCKS, Block, FieldGeometry, accept_timeline, telescope_named

_NAME: dict[str, Any] = {"required": False, "allow_blank": True, "default": "", "max_length": 128}


class RetuneSerializer(StrictSerializer):
    """A retune of the detectors within a block."""

    start_s = FiniteFloatField(min_value=0, max_value=1e6, help_text="Seconds after the block's start.")
    duration_s = FiniteFloatField(min_value=0, max_value=1e6, help_text="Seconds.")


class FieldSerializer(StrictSerializer):
    """A field on the sky, for an obs unit that there is not yet. Degrees, ICRS."""

    ra_deg = FiniteFloatField(min_value=-360, max_value=360)
    dec_deg = FiniteFloatField(min_value=-90, max_value=90)
    width_deg = FiniteFloatField(required=False, default=0.0, min_value=0, max_value=360)
    height_deg = FiniteFloatField(required=False, default=0.0, min_value=0, max_value=180)
    rising = serializers.BooleanField(required=False, allow_null=True, default=None)


class BlockSerializer(StrictSerializer):
    """One block: when, which obs unit, and where the telescope sweeps. Degrees, UTC."""

    start_time = MomentField()
    end_time = MomentField()
    obs_unit = serializers.IntegerField(
        required=False,
        allow_null=True,
        default=None,
        min_value=1,
        max_value=2**63 - 1,
        help_text="Its id; or program and name.",
    )
    program = serializers.CharField(**_NAME, help_text="Short name; default: the program of the timeline.")
    name = serializers.CharField(**_NAME, help_text="Of the obs unit; one that the program has not is made.")
    mode = serializers.CharField(**_NAME, help_text="Observing mode of a unit that is made.")
    source = serializers.CharField(  # type: ignore[assignment]
        **_NAME, help_text="Target of a unit that is made; none: it is done in place."
    )
    sky_field = FieldSerializer(required=False, allow_null=True, default=None)
    azimuth_min_deg = FiniteFloatField(required=False, min_value=AZIMUTHS_DEG[0], max_value=AZIMUTHS_DEG[1])
    azimuth_max_deg = FiniteFloatField(required=False, min_value=AZIMUTHS_DEG[0], max_value=AZIMUTHS_DEG[1])
    elevation_deg = FiniteFloatField(required=False, min_value=-90, max_value=180)
    boresight_angle_deg = FiniteFloatField(required=False, min_value=-720, max_value=720)
    scan_index = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    subscan_index = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    retune_events = serializers.ListField(child=RetuneSerializer(), required=False, max_length=1000)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The unit is named one way, and azimuths run upwards."""
        if (attrs["obs_unit"] is None) == (not attrs["name"]):
            raise serializers.ValidationError("Name the obs unit by obs_unit, or by name.", code="required")
        low, high = attrs.get("azimuth_min_deg"), attrs.get("azimuth_max_deg")
        if low is not None and high is not None and low > high:
            raise serializers.ValidationError({"azimuth_max_deg": "This is below azimuth_min_deg."}, code="order")
        return attrs


class TimelineSerializer(StrictSerializer):
    """A timeline. Its plan names it: what is sent under the same name replaces it."""

    plan = serializers.CharField(max_length=64)
    telescope = serializers.CharField(**_NAME, help_text="Short name; default: the only one.")
    program = serializers.CharField(**_NAME, help_text="Of blocks that name none.")
    blocks = serializers.ListField(child=BlockSerializer(), allow_empty=True, max_length=MAX_BLOCKS)

    def as_blocks(self) -> list[Block]:
        """The validated blocks."""
        data = self.validated_data
        return [_block(index, row, data["program"]) for index, row in enumerate(data["blocks"])]


class AcceptedSerializer(serializers.Serializer[Any]):
    """What the timeline changed."""

    plan = serializers.CharField()
    created = serializers.IntegerField(help_text="Slots that are new.")
    unchanged = serializers.IntegerField(help_text="Slots that were there already.")
    replaced = serializers.IntegerField(help_text="Slots of the plan that were cancelled.")
    obs_units_created = serializers.IntegerField()


class EcsvParser(BaseParser):
    """An ECSV document, as text."""

    media_type = "text/ecsv"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:  # noqa: ARG002
        """The text. ParseError for what is no UTF-8, or too long."""
        body = stream.read(MAX_BYTES + 1)
        if len(body) > MAX_BYTES:
            raise ParseError(f"A timeline has at most {MAX_BYTES} bytes.")
        try:
            return {"ecsv": body.decode()}
        except UnicodeDecodeError as error:
            raise ParseError("The timeline is no UTF-8.") from error


class EcsvQuestion(StrictSerializer):
    """What an ECSV does not say."""

    plan = serializers.CharField(max_length=64)
    telescope = serializers.CharField(**_NAME)
    program = serializers.CharField(max_length=16)
    calibration_program = serializers.CharField(max_length=16)


class TimelineView(APIView):
    """A night or a week of blocks."""

    needs = {"POST": "write:schedule"}
    parser_classes = [StrictJsonParser, EcsvParser]

    @extend_schema(
        operation_id="accept_timeline",
        request={"application/json": TimelineSerializer, "text/ecsv": {"type": "string", "maxLength": MAX_BYTES}},
        responses={201: AcceptedSerializer, 200: AcceptedSerializer},
        parameters=[
            OpenApiParameter("plan", OpenApiTypes.STR, description="With ECSV: the name of the plan."),
            OpenApiParameter("program", OpenApiTypes.STR, description="With ECSV: of the science blocks."),
            OpenApiParameter("calibration_program", OpenApiTypes.STR, description="With ECSV: of the calibrations."),
            OpenApiParameter(
                "telescope", OpenApiTypes.STR, description="With ECSV: short name; default: the only one."
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        """Plan all blocks or none: 201; 200 when nothing is new. Blocks of the same plan that are not in it, and in which
        nothing was observed, are cancelled.
        """
        if str(request.content_type).startswith(EcsvParser.media_type):
            asked = EcsvQuestion(data=request.query_params.dict())
            asked.is_valid(raise_exception=True)
            said: dict[str, Any] = dict(asked.validated_data)
            blocks = read_ecsv(_text(request.data), said["program"], said["calibration_program"])
        else:
            body = TimelineSerializer(data=request.data)
            body.is_valid(raise_exception=True)
            said = dict(body.validated_data)
            blocks = body.as_blocks()
        accepted = accept_timeline(said["plan"], telescope_named(said["telescope"]), blocks, user_of(request))
        status = HTTPStatus.CREATED if accepted.created else HTTPStatus.OK
        return Response(AcceptedSerializer(accepted).data, status=status)


def _text(data: Any) -> str:
    return str(data.get("ecsv", ""))


def _block(index: int, row: Mapping[str, Any], program: str) -> Block:
    geometry = {name: row[name] for name in GEOMETRY if name in row}
    if "retune_events" in geometry:
        geometry["retune_events"] = [[each["start_s"], each["duration_s"]] for each in geometry["retune_events"]]
    return Block(
        index=index,
        start=row["start_time"],
        end=row["end_time"],
        name=row["name"],
        obs_unit=row["obs_unit"],
        program=row["program"] or program,
        mode=row["mode"],
        source=row["source"],
        sky_field=None if row["sky_field"] is None else FieldGeometry(**row["sky_field"]),
        geometry=geometry,
    )
