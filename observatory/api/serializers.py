"""The shapes of instruments and their modules: the names that filing uses."""

from __future__ import annotations

from rest_framework import serializers

from observatory.models import Instrument, InstrumentModule


class InstrumentModuleSerializer(serializers.ModelSerializer[InstrumentModule]):
    """A module; a file names it by the short names of instrument and module, or by this id."""

    class Meta:
        model = InstrumentModule
        fields = ["id", "short_name", "name", "available", "freq_min_ghz", "freq_max_ghz"]
        read_only_fields = fields


class InstrumentSerializer(serializers.ModelSerializer[Instrument]):
    """An instrument with its modules."""

    telescope = serializers.CharField(source="telescope.short_name")
    modules = InstrumentModuleSerializer(many=True, read_only=True)

    class Meta:
        model = Instrument
        fields = [
            "id",
            "short_name",
            "name",
            "instrument_type",
            "available",
            "description",
            "telescope",
            "modules",
        ]
        read_only_fields = fields
