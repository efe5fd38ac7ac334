"""Module configurations: what a module can be told to be when an obs unit uses it.

One table for what all module configurations share and one for each kind (upstream's layout). Obs units refer to the
shared table (planning/models/obs_units.py). The fields of both kinds are proposed from the instruments' published
specifications.
"""

from __future__ import annotations

import math
import re
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from polymorphic.models import PolymorphicModel

from ccatdc.common.states import known_values
from observatory.models.hierarchy import InstrumentModule
from observatory.models.lines import Line
from observatory.models.tuning import tuning_in_range

#: A readout stream as the data taking names its folders: board and drone, rfsoc01_drone1.
_STREAM = re.compile(r"rfsoc\d{2}_drone\d")
#: The intermediate-frequency band of CHAI, GHz.
CHAI_IF_GHZ = (4.0, 8.0)


class ModuleConfigurationType(models.TextChoices):
    """Discriminator of the configuration tables."""

    CHAI_MODULE_CONFIGURATION = "chai_module_configuration", "CHAI module configuration"
    PRIME_CAM_MODULE_CONFIGURATION = ("prime_cam_module_configuration", "Prime-Cam module configuration")


class InstrumentModuleConfiguration(PolymorphicModel):
    """A named module configuration of one module. Never made directly: always one of the kinds below."""

    TYPE: str = ""

    type = models.CharField(max_length=50, choices=ModuleConfigurationType.choices, editable=False)
    instrument_module = models.ForeignKey(InstrumentModule, models.PROTECT, related_name="configurations")
    name = models.CharField(max_length=128)
    active = models.BooleanField(default=True)
    valid_from = models.DateTimeField(null=True, blank=True)
    valid_to = models.DateTimeField(null=True, blank=True)
    comment = models.TextField(blank=True)

    class Meta:
        verbose_name = "module configuration"
        db_table = "instrument_module_configuration"
        ordering = ["instrument_module", "name"]
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["instrument_module", "name"], name="module_configuration_name_unique"),
            models.CheckConstraint(
                condition=Q(valid_from__isnull=True) | Q(valid_to__isnull=True) | Q(valid_from__lt=F("valid_to")),
                name="module_configuration_validity_order",
            ),
            known_values("type", ModuleConfigurationType, "module_configuration_type_known"),
        ]
        triggers = [tuning_in_range("b.id = NEW.id", ("instrument_module_id",))]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep the discriminator in step with the class."""
        self.type = self.TYPE
        super().save(*args, **kwargs)


class Sideband(models.TextChoices):
    """Which sideband of the mixer the line lies in."""

    LSB = "lsb", "Lower"
    USB = "usb", "Upper"


class VelocityFrame(models.TextChoices):
    """What a velocity is relative to."""

    LSR = "lsr", "Local standard of rest"
    HELIO = "helio", "Heliocentric"
    TOPO = "topo", "Topocentric"


class ChaiModuleConfiguration(InstrumentModuleConfiguration):
    """The tuning of one CHAI array: line, sideband, velocity, spectrometer.

    Frequencies in GHz, resolution in kHz, velocity in km/s. The tuning lies inside the module's range.
    """

    TYPE = ModuleConfigurationType.CHAI_MODULE_CONFIGURATION

    line = models.ForeignKey(Line, models.PROTECT, related_name="chai_configurations")
    sideband = models.CharField(max_length=8, choices=Sideband.choices)
    tuning_frequency_ghz = models.FloatField(help_text="GHz; inside the range of the module.")
    if_frequency_ghz = models.FloatField(
        default=6.0, help_text="GHz; where in the intermediate-frequency band of 4 to 8 the line is."
    )
    velocity_lsr_km_s = models.FloatField(default=0, help_text="km/s, in the velocity frame.")
    velocity_frame = models.CharField(max_length=8, choices=VelocityFrame.choices, default=VelocityFrame.LSR)
    bandwidth_ghz = models.FloatField(default=4.0, help_text="GHz.")
    n_channels = models.PositiveIntegerField(null=True, blank=True)
    resolution_khz = models.FloatField(default=100, help_text="kHz.")
    backend = models.CharField(max_length=32, blank=True)

    class Meta:
        db_table = "chai_module_configuration"
        base_manager_name = "objects"
        constraints = [
            models.CheckConstraint(condition=Q(tuning_frequency_ghz__gt=0), name="chai_tuning_positive"),
            models.CheckConstraint(condition=Q(if_frequency_ghz__range=CHAI_IF_GHZ), name="chai_if_band"),
            models.CheckConstraint(
                condition=Q(bandwidth_ghz__gt=0, resolution_khz__gt=0)
                & (Q(n_channels__isnull=True) | Q(n_channels__gt=0)),
                name="chai_spectrometer_positive",
            ),
            known_values("sideband", Sideband, "chai_sideband_known"),
            known_values("velocity_frame", VelocityFrame, "chai_velocity_frame_known"),
        ]
        triggers = [
            tuning_in_range("b.id = NEW.instrumentmoduleconfiguration_ptr_id", ("tuning_frequency_ghz",), also_new=True)
        ]

    def clean(self) -> None:
        """The tuning is one that the module can reach."""
        module = getattr(self, "instrument_module", None)
        if module is None or self.tuning_frequency_ghz is None:
            return  # reported by its own field
        low, high = module.freq_min_ghz, module.freq_max_ghz
        low, high = 0 if low is None else low, math.inf if high is None else high
        if not low <= self.tuning_frequency_ghz <= high:
            raise ValidationError({"tuning_frequency_ghz": f"{module} reaches from {low:g} to {high:g} GHz only."})


class PrimeCamModuleConfiguration(InstrumentModuleConfiguration):
    """Read-out and optics of one Prime-Cam module.

    Frequencies in GHz, sampling in Hz. The Fabry-Perot interferometer (``fpi_``) is EoR-Spec's alone: it scans from
    start to stop in steps, or the module has none.
    """

    TYPE = ModuleConfigurationType.PRIME_CAM_MODULE_CONFIGURATION

    band_center_ghz = models.FloatField(help_text="GHz.")
    bandwidth_ghz = models.FloatField(null=True, blank=True, help_text="GHz.")
    n_detectors = models.PositiveIntegerField(null=True, blank=True)
    n_rf_networks = models.PositiveSmallIntegerField(null=True, blank=True)
    sample_rate_hz = models.FloatField(null=True, blank=True, help_text="Hz.")
    stream_ids = models.JSONField(default=list, blank=True, help_text='A list of read-out streams: ["rfsoc01_drone1"].')
    tuning_ref = models.CharField(
        max_length=128, blank=True, help_text="The file of tones that the read-out was tuned with."
    )
    fpi_start_ghz = models.FloatField(null=True, blank=True, help_text="GHz.")
    fpi_stop_ghz = models.FloatField(null=True, blank=True, help_text="GHz.")
    fpi_step_ghz = models.FloatField(null=True, blank=True, help_text="GHz.")
    fpi_resolving_power = models.FloatField(null=True, blank=True)

    class Meta:
        db_table = "prime_cam_module_configuration"
        base_manager_name = "objects"
        constraints = [
            models.CheckConstraint(
                condition=Q(band_center_ghz__gt=0) & (Q(bandwidth_ghz__isnull=True) | Q(bandwidth_ghz__gt=0)),
                name="prime_cam_band_positive",
            ),
            models.CheckConstraint(
                condition=Q(sample_rate_hz__isnull=True) | Q(sample_rate_hz__gt=0),
                name="prime_cam_sample_rate_positive",
            ),
            models.CheckConstraint(
                condition=Q(fpi_start_ghz__isnull=True, fpi_stop_ghz__isnull=True)
                | Q(
                    fpi_start_ghz__isnull=False,
                    fpi_stop_ghz__isnull=False,
                    fpi_start_ghz__gt=0,
                    fpi_start_ghz__lte=F("fpi_stop_ghz"),
                ),
                name="prime_cam_fpi_order",
            ),
            models.CheckConstraint(
                condition=(Q(fpi_step_ghz__isnull=True) | Q(fpi_step_ghz__gt=0))
                & (Q(fpi_resolving_power__isnull=True) | Q(fpi_resolving_power__gt=0)),
                name="prime_cam_fpi_positive",
            ),
        ]

    def clean(self) -> None:
        """Streams are named as the read-out names its folders."""
        streams = self.stream_ids
        if not isinstance(streams, list) or not all(
            isinstance(stream, str) and _STREAM.fullmatch(stream) for stream in streams
        ):
            raise ValidationError({"stream_ids": 'This is a list of names like ["rfsoc01_drone1", "rfsoc01_drone2"].'})
