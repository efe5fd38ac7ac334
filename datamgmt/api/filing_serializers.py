"""Step 0: serializers of what instruments send, and of what they get back."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from ccatdc.common.api.parsers import FiniteFloatField, MomentField, StorableJsonField, StrictSerializer
from datamgmt.filing.executions import FinishReport, StartReport
from datamgmt.filing.parsing import MAX_SIZE, PATH_LENGTH, TEXT_LENGTH
from datamgmt.filing.reports import ModuleConfigurationName
from datamgmt.models.files import ChecksumAlgorithm, FileType
from planning.models import ExecutionQuality, ExecutionStatus, ObsUnit
from planning.models.executions import CONDITION_LIMITS

#: More modules than any telescope has.
MAX_MODULE_CONFIGURATIONS = 100
ENDED = [choice for choice in ExecutionStatus.choices if choice[0] != ExecutionStatus.RUNNING]


def _condition(name: str, unit: str) -> FiniteFloatField:
    lowest, highest = CONDITION_LIMITS[name]
    return FiniteFloatField(required=False, allow_null=True, min_value=lowest, max_value=highest, help_text=unit)


class ConditionsSerializer(StrictSerializer):
    """The weather and the pointing: averages over the observation, and the ranges that the telescope moved through."""

    pwv_mm_mean = _condition("pwv_mm_mean", "Precipitable water vapour, mm.")
    tau_225 = _condition("tau_225", "Opacity at 225 GHz.")
    humidity = _condition("humidity", "Percent, 0 to 100.")
    temperature_c = _condition("temperature_c", "Degrees Celsius.")
    wind_m_s = _condition("wind_m_s", "Metres per second.")
    wind_gust_m_s = _condition("wind_gust_m_s", "Metres per second, the strongest gust.")
    wind_direction_deg = _condition("wind_direction_deg", "Degrees from which it comes, from north over east.")
    pressure_hpa = _condition("pressure_hpa", "Hectopascal; 1 mbar is 1 hPa, 1 Torr 1.333 hPa.")
    elevation_deg_mean = _condition("elevation_deg_mean", "Degrees.")
    azimuth_deg_mean = _condition("azimuth_deg_mean", "Degrees.")
    el_min_deg = _condition("el_min_deg", "Degrees.")
    el_max_deg = _condition("el_max_deg", "Degrees; not below el_min_deg.")
    az_min_deg = _condition("az_min_deg", "Degrees.")
    az_max_deg = _condition("az_max_deg", "Degrees; not below az_min_deg.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Ranges run upwards."""
        for low, high in (("el_min_deg", "el_max_deg"), ("az_min_deg", "az_max_deg")):
            lowest, highest = attrs.get(low), attrs.get(high)
            if lowest is not None and highest is not None and lowest > highest:
                raise serializers.ValidationError({high: f"This is below {low}."}, code="order")
        return attrs


class SetUpNameSerializer(StrictSerializer):
    """A module configuration of a module: by its id, or by the short names of instrument and module and its own name."""

    id = serializers.IntegerField(required=False, min_value=1, max_value=MAX_SIZE)
    instrument = serializers.CharField(required=False, max_length=32)
    module = serializers.CharField(required=False, max_length=32)
    name = serializers.CharField(required=False, max_length=128, trim_whitespace=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One of the two ways to name it."""
        if set(attrs) not in ({"id"}, {"instrument", "module", "name"}):
            raise serializers.ValidationError(
                "Name a module configuration by id, or by instrument, module and name.", code="required"
            )
        return attrs


class StartSerializer(StrictSerializer):
    """An observation begins. The obs unit by its id, or by program and name."""

    id = serializers.UUIDField(help_text="Made by the client, once for each observation.")
    obs_unit = serializers.IntegerField(required=False, min_value=1, max_value=MAX_SIZE)
    program = serializers.CharField(
        required=False, max_length=16, help_text="Short name of the program; with obs_unit_name."
    )
    obs_unit_name = serializers.CharField(
        required=False, max_length=128, trim_whitespace=False, help_text="With program."
    )
    start_time = MomentField(help_text="The instrument's clock, UTC or with offset.")
    parameters = StorableJsonField(required=False, default=dict, help_text="A snapshot of the scan; kept as it is.")
    operator = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=150, help_text="A user name."
    )
    instrument_module_configurations = serializers.ListField(
        child=SetUpNameSerializer(),
        required=False,
        max_length=MAX_MODULE_CONFIGURATIONS,
        help_text="Used; one for each module.",
    )
    observation_configuration = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=MAX_SIZE,
        help_text="Of the obs unit; it is kept with the revision that it has now.",
    )  # fmt: skip
    pre_scheduled_slot = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=MAX_SIZE,
        help_text="Of the obs unit.",
    )  # fmt: skip

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One of the two ways to name the obs unit."""
        by_id, by_name = "obs_unit" in attrs, {"program", "obs_unit_name"} <= attrs.keys()
        if by_id == by_name or (by_id and attrs.keys() & {"program", "obs_unit_name"}):
            raise serializers.ValidationError(
                {"obs_unit": "Name the obs unit by obs_unit, or by program and obs_unit_name."}
            )
        if by_name:
            attrs["obs_unit"] = _obs_unit_named(attrs["program"], attrs["obs_unit_name"])
        return attrs

    def report(self) -> StartReport:
        """The validated body."""
        data = self.validated_data
        return StartReport(
            id=data["id"],
            obs_unit_id=data["obs_unit"],
            start_time=data["start_time"],
            parameters=data["parameters"],
            operator=data["operator"],
            module_configurations=tuple(
                ModuleConfigurationName(**name) for name in data.get("instrument_module_configurations", ())
            ),
            observation_configuration=data.get("observation_configuration"),
            pre_scheduled_slot=data.get("pre_scheduled_slot"),
        )


def _obs_unit_named(program: str, name: str) -> int:
    units = ObsUnit.objects.filter(observing_program__short_name=program, name=name)
    pk = units.values_list("pk", flat=True).first()
    if pk is None:
        raise serializers.ValidationError(
            {"obs_unit_name": f"Program {program} has no obs unit {name!r}."}, code="does_not_exist"
        )
    return int(pk)


class FinishSerializer(StrictSerializer):
    """An observation is over: completed, aborted by people, or failed."""

    status = serializers.ChoiceField(ENDED)
    end_time = MomentField(help_text="The instrument's clock, UTC or with offset.")
    conditions = ConditionsSerializer(required=False)
    quality = serializers.ChoiceField(ExecutionQuality.choices, required=False, default=ExecutionQuality.UNKNOWN)
    quality_comment = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=10_000, trim_whitespace=False
    )

    def report(self) -> FinishReport:
        """The validated body."""
        data = self.validated_data
        return FinishReport(
            status=data["status"],
            end_time=data["end_time"],
            conditions=dict(data.get("conditions", {})),
            quality=data["quality"],
            quality_comment=data["quality_comment"],
        )


class AmendSerializer(StrictSerializer):
    """Another judgement of an observation that is over, or of a file."""

    quality = serializers.ChoiceField(ExecutionQuality.choices, required=False)
    quality_comment = serializers.CharField(required=False, allow_blank=True, max_length=10_000, trim_whitespace=False)
    reason = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=1000, help_text="For the audit log."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """At least one of the two."""
        if not {"quality", "quality_comment"} & set(attrs):
            raise serializers.ValidationError("Give a quality, a quality_comment or both.", code="required")
        return attrs


class FileReportSerializer(serializers.Serializer[Any]):
    """One file as an instrument reports it. Describes what datamgmt/filing/parsing.py reads.

    The module is named by ``instrument`` and ``module`` (short names), or by ``instrument_module``. A file is of an
    execution, or of a data stream of its module; then it has ``start_time`` and ``end_time``, the times of its data.
    """

    id = serializers.UUIDField(help_text="Made by the client, once for each file.")
    executed_obs_unit = serializers.UUIDField(required=False, allow_null=True, help_text="Or data_stream.")
    data_stream = serializers.CharField(
        required=False, allow_blank=True, max_length=TEXT_LENGTH, help_text="Name of a data stream of the module."
    )
    start_time = serializers.DateTimeField(
        required=False, allow_null=True, help_text="When its data begin, by the instrument's clock."
    )
    end_time = serializers.DateTimeField(required=False, allow_null=True, help_text="When its data end.")
    source_location = serializers.CharField(
        max_length=TEXT_LENGTH, help_text="Full name of a SOURCE, such as ccat_primecam_raw_data."
    )
    relative_path = serializers.CharField(
        max_length=PATH_LENGTH,
        trim_whitespace=False,
        help_text="Below the root of the location; kept character by character.",
    )
    size = serializers.IntegerField(min_value=0, max_value=MAX_SIZE, help_text="Bytes.")
    name = serializers.CharField(
        required=False, allow_blank=True, max_length=TEXT_LENGTH, help_text="Default: of the path."
    )
    instrument = serializers.CharField(required=False, allow_blank=True, max_length=TEXT_LENGTH)
    module = serializers.CharField(required=False, allow_blank=True, max_length=TEXT_LENGTH)
    instrument_module = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=MAX_SIZE)
    checksum = serializers.CharField(
        required=False, allow_blank=True, max_length=TEXT_LENGTH, help_text="Hexadecimal digits."
    )
    checksum_algorithm = serializers.ChoiceField(ChecksumAlgorithm.choices, required=False, allow_blank=True)
    file_type = serializers.ChoiceField(FileType.choices, required=False)
    created_at = serializers.DateTimeField(required=False, allow_null=True, help_text="The instrument's clock.")
    description = serializers.CharField(required=False, allow_blank=True, max_length=TEXT_LENGTH)


class RegisteredSerializer(serializers.Serializer[Any]):
    """What a call with many files did."""

    created = serializers.IntegerField(help_text="Files that are new.")
    unchanged = serializers.IntegerField(help_text="Files that were filed so before.")


class FiledFileSerializer(serializers.Serializer[Any]):
    """A file that is filed."""

    id = serializers.UUIDField()
    created = serializers.BooleanField(help_text="False: it was filed so before.")
