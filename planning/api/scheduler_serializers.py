"""Serializers of what the scheduler asks and says: obs units that can be observed, calibrations that are due, and what
is available.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from ccatdc.common.api.parsers import StrictSerializer
from planning.api.serializers import ObsUnitSerializer
from planning.models import ObsUnit
from planning.scheduling.calibrations import Calibration

MAX_ROWS = 10_000
_KEY: dict[str, Any] = {"min_value": 1, "max_value": 2**63 - 1}


class SightSerializer(serializers.Serializer[Any]):
    """Where the target stands at the time that was asked for. Degrees, without refraction. Null for what is done wherever
    the telescope points.
    """

    elevation_deg = serializers.FloatField(allow_null=True)
    azimuth_deg = serializers.FloatField(allow_null=True, help_text="Of a field, the middle of the sweep.")
    sun_distance_deg = serializers.FloatField(
        allow_null=True, help_text="Of the point of the sweep, and the module, that come nearest to the Sun."
    )
    sun_warning = serializers.BooleanField(help_text="Within 5 degrees of the least distance from the Sun.")
    slot = serializers.IntegerField(allow_null=True, help_text="The unit's pre-scheduled slot that holds the time.")


class AvailableObsUnitSerializer(ObsUnitSerializer):
    """An obs unit that can be observed; ``sight`` is null unless a time was asked for."""

    sight = serializers.SerializerMethodField()

    class Meta(ObsUnitSerializer.Meta):
        fields = [*ObsUnitSerializer.Meta.fields, "sight"]
        read_only_fields = fields

    @extend_schema_field(SightSerializer(allow_null=True))
    def get_sight(self, unit: ObsUnit) -> Any:
        """Where it stands."""
        found = self.context.get("sights", {}).get(unit.pk)
        return None if found is None else SightSerializer(found).data


class CalibrationSerializer(serializers.Serializer[Any]):
    """A module that is calibrated with a mode, and when it is due. Obs units of this mode can do it."""

    cadence = serializers.IntegerField(source="cadence.pk")
    instrument = serializers.CharField(source="cadence.instrument_module.instrument.short_name")
    module = serializers.CharField(source="cadence.instrument_module.short_name")
    instrument_module = serializers.IntegerField(source="cadence.instrument_module_id")
    obs_mode = serializers.CharField(source="cadence.obs_mode.name")
    interval_s = serializers.IntegerField(
        source="cadence.interval_s", help_text="Seconds; 0: after each science observation."
    )
    last_end_time = serializers.DateTimeField(
        source="last_end", allow_null=True, help_text="When it was last done; null: not in the last 90 days."
    )
    due_at = serializers.DateTimeField(
        allow_null=True, help_text="Null: it was not done for so long, or waits for the end of a science observation."
    )
    due = serializers.BooleanField(source="is_due")
    overdue_s = serializers.SerializerMethodField(
        help_text="Seconds since due_at; null where it is not due or was not done for so long."
    )

    def get_overdue_s(self, calibration: Calibration) -> float | None:
        """How long it has been due."""
        return None if calibration.overdue is None else calibration.overdue.total_seconds()


@extend_schema_serializer(many=False)
class AvailableObsUnitsSerializer(serializers.Serializer[Any]):
    """A page of obs units that can be observed, and the calibrations at that moment, the most urgent first."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = AvailableObsUnitSerializer(many=True)
    calibrations = CalibrationSerializer(many=True)


class _AvailabilitySerializer(StrictSerializer):
    """What is to be available or not, and why. Taking something away needs a reason."""

    available = serializers.BooleanField()
    reason = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=1000, help_text="For the audit log."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Who takes something away says why."""
        if not attrs["available"] and not attrs["reason"].strip():
            raise serializers.ValidationError({"reason": "Say why it is not available."}, code="required")
        return attrs


class UnitsAvailabilitySerializer(_AvailabilitySerializer):
    """Of obs units: available is active, not available is on hold."""

    obs_units = serializers.ListField(child=serializers.IntegerField(**_KEY), allow_empty=False, max_length=MAX_ROWS)


class InstrumentsAvailabilitySerializer(_AvailabilitySerializer):
    """Of instruments, by their short names. Their modules keep what was said of them."""

    instruments = serializers.ListField(
        child=serializers.CharField(max_length=32), allow_empty=False, max_length=MAX_ROWS
    )


class ModulesAvailabilitySerializer(_AvailabilitySerializer):
    """Of modules."""

    instrument_modules = serializers.ListField(
        child=serializers.IntegerField(**_KEY), allow_empty=False, max_length=MAX_ROWS
    )


class SetSerializer(serializers.Serializer[Any]):
    """What the call did: everything that it named is so now."""

    available = serializers.BooleanField()
    changed = serializers.IntegerField(help_text="Rows that were otherwise before.")
    unchanged = serializers.IntegerField(help_text="Rows that were so already.")
