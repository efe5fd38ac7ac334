"""The lines, module configurations and configurations that are shipped: the real values, clean for a person too."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ccatdc.reference.entries import ReferenceDataError
from ccatdc.reference.load.loader import load_reference
from observatory.models import InstrumentModuleConfiguration, Line
from planning.models import ChaiTiling, ObservationConfiguration, ObsUnit
from tests.reference.conftest import WriteFolder
from tests.reference.test_loader import SHIPPED

pytestmark = pytest.mark.django_db


def test_the_lines_of_galactic_ecology_have_their_frequencies() -> None:
    load_reference([SHIPPED])

    tuned = Line.objects.filter(chai_configurations__isnull=False).order_by("rest_frequency_ghz")
    assert [(line.name, line.rest_frequency_ghz) for line in tuned] == [
        ("CO(4-3)", Decimal("461.0407682")),
        ("[CI] 3P1-3P0", Decimal("492.1606510")),
        ("CO(7-6)", Decimal("806.6518060")),
        ("[CI] 3P2-3P1", Decimal("809.3419700")),
    ]


def test_every_shipped_set_up_and_configuration_is_clean() -> None:
    load_reference([SHIPPED])

    rows = [
        *Line.objects.all(),
        *InstrumentModuleConfiguration.objects.all(),
        *ObservationConfiguration.objects.all(),
        *ChaiTiling.objects.all(),
    ]
    assert len(rows) == 8 + 9 + 19 + 4
    for row in rows:
        row.full_clean()


def test_every_obs_unit_has_set_ups_of_its_own_instrument() -> None:
    load_reference([SHIPPED])

    for unit in ObsUnit.objects.prefetch_related("instrument_module_configurations"):
        kinds = {type(s).__name__[:4] for s in unit.instrument_module_configurations.all()}
        assert kinds == {"Chai" if unit.obs_unit_type == "chai_obs_unit" else "Prim"}
        assert unit.telescope.short_name == "fyst"


def test_a_misspelt_scan_parameter_names_file_line_and_field(write_folder: WriteFolder) -> None:
    override = """\
prime_cam_observation_configuration:
  - obs_unit: TD/3C279 monitoring
    scan_type: daisy
    velocity_deg_s: 0.3
    scan_params: {radius: 0.3}
"""
    with pytest.raises(ReferenceDataError) as refused:
        load_reference([SHIPPED, write_folder(a=override)])

    text = str(refused.value)
    assert "a.yaml:5: scan_params: radius_deg is missing" in text
    assert "radius is no parameter of a daisy scan; did you mean radius_deg?" in text


def test_a_configuration_of_the_other_kind_is_not_taken_for_chais(write_folder: WriteFolder) -> None:
    parameter = """\
chai_inpar_parameter:
  - {chai_observation_configuration: TD/3C279 monitoring, name: obs_lam_on, value: "1"}
"""
    with pytest.raises(ReferenceDataError, match="is a prime_cam_observation_configuration"):
        load_reference([SHIPPED, write_folder(a=parameter)])


@pytest.mark.parametrize("written", ["yes", "true", "[461]"])
def test_a_frequency_is_a_number(write_folder: WriteFolder, written: str) -> None:
    line = f"line:\n  - {{name: CO, rest_frequency_ghz: {written}}}\n"

    with pytest.raises(ReferenceDataError, match=r"rest_frequency_ghz: .* is not a number"):
        load_reference([write_folder(a=line)])
