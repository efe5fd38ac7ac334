"""Every model that the project's data model reference names exists, with the reference's table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command

from ccatdc.data_model import APPS, document

#: Names and tables of the reference. The kinds of copies share a table, see below.
TABLES = {
    "ApiToken": "api_token",
    "ChaiInparParameter": "chai_inpar_parameter",
    "ChaiModuleConfiguration": "chai_module_configuration",
    "ChaiObservationConfiguration": "chai_observation_configuration",
    "ChaiTiling": "chai_tiling",
    "ConstantElevationSource": "constant_elevation_source",
    "DataArchive": "data_archive",
    "DataLocation": "data_location",
    "DataTransfer": "data_transfer",
    "DataTransferLog": "data_transfer_log",
    "DataTransferPackage": "data_transfer_package",
    "DataTransferRoute": "data_transfer_route",
    "DiskDataLocation": "disk_data_location",
    "ExecutedObsUnit": "executed_obs_unit",
    "FixedSource": "fixed_source",
    "Instrument": "instrument",
    "InstrumentModule": "instrument_module",
    "InstrumentModuleConfiguration": "instrument_module_configuration",
    "Line": "line",
    "LongTermArchiveTransfer": "long_term_archive_transfer",
    "LongTermArchiveTransferLog": "long_term_archive_transfer_log",
    "ObsMode": "obs_mode",
    "ObsUnit": "obs_unit",
    "ObservationConfiguration": "observation_configuration",
    "Observatory": "observatory",
    "ObservingProgram": "observing_program",
    "PhysicalCopy": "physical_copy",
    "PreScheduledSlot": "pre_scheduled_slot",
    "PrimeCamModuleConfiguration": "prime_cam_module_configuration",
    "PrimeCamObservationConfiguration": "prime_cam_observation_configuration",
    "RawDataFile": "raw_data_file",
    "RawDataPackage": "raw_data_package",
    "RawDataPackageMetadata": "raw_data_package_metadata",
    "Role": "role",
    "S3DataLocation": "s3_data_location",
    "Site": "site",
    "SolarSystemObject": "solar_system_object",
    "Source": "source",
    "StagingJob": "staging_job",
    "StagingJobLog": "staging_job_log",
    "SubObservingProgram": "sub_observing_program",
    "SystemLog": "system_log",
    "TapeDataLocation": "tape_data_location",
    "Telescope": "telescope",
    "User": "user",
}
#: Rows of these are many: kinds of one table, so that a page of copies is one query.
COPIES = ["DataTransferPackagePhysicalCopy", "RawDataFilePhysicalCopy", "RawDataPackagePhysicalCopy"]
LINK_TABLES = {
    "user_role",
    "role_permission",
    "obs_unit_instrument_module_configuration",
    "executed_obs_unit_instrument_module_configuration",
    "data_transfer_package_raw_data_package",
    "staging_job_raw_data_package",
    "observing_program_instrument",
    "line_instrument_module",
}
OUR_APPS = ("observatory", "accounts", "planning", "datamgmt", "transfer")
MODELS = {
    model.__name__: model
    for app in OUR_APPS
    for model in apps.get_app_config(app).get_models(include_auto_created=True)
}

DOCS = Path(__file__).resolve().parents[1] / "docs"


def test_the_reference_names_48_models() -> None:
    assert len(TABLES) + len(COPIES) == 48


@pytest.mark.parametrize(("name", "table"), TABLES.items())
def test_a_model_of_the_reference_has_its_table(name: str, table: str) -> None:
    assert MODELS[name]._meta.db_table == table
    assert not MODELS[name]._meta.proxy


@pytest.mark.parametrize("name", COPIES)
def test_the_kinds_of_copies_share_one_table(name: str) -> None:
    assert MODELS[name]._meta.db_table == "physical_copy"
    assert issubclass(MODELS[name], MODELS["PhysicalCopy"])


def test_link_tables_have_the_names_of_the_reference() -> None:
    assert {model._meta.db_table for model in MODELS.values()} >= LINK_TABLES


class TestDocument:
    def test_it_is_current(self) -> None:
        assert (DOCS / "data-model.md").read_text("utf-8") == document(), "manage.py describe_data_model docs"

    def test_the_command_writes_it(self, tmp_path: Path) -> None:
        call_command("describe_data_model", str(tmp_path))
        assert (tmp_path / "data-model.md").read_text("utf-8") == document()

    def test_its_diagrams_have_every_table_and_every_relation(self) -> None:
        blocks = re.findall(r"```mermaid\nerDiagram\n(.*?)```", document(), re.DOTALL)
        entities = {name for block in blocks for name in re.findall(r"^    (\w+) \{", block, re.M)}
        tables = {
            model.__name__ for app in APPS for model in apps.get_app_config(app).get_models() if not model._meta.proxy
        }
        assert entities == tables
        assert "RawDataFile }o--o| RawDataPackage : raw_data_package" in blocks[4]

    def test_it_has_every_table_with_its_fields_and_rules(self) -> None:
        text = document()

        for model in MODELS.values():
            if not model._meta.auto_created:
                assert f"### {model.__name__}: " in text
        assert "| rest_frequency_ghz | Decimal(14,7) | GHz |" in text
        assert "| telescope | → Telescope (PROTECT) |" in text
        assert "(obs_unit, telescope) → planning.ObsUnit (id, telescope)" in text
        assert "check ra_deg >= 0 and ra_deg < 360" in text
