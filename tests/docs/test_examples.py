"""Every example of the documents is run, in order, against a real server; or says why it is not."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from django.core.management import get_commands, load_command_class

from ccat_file.layouts import layout_of
from ccat_file.options import parser
from datamgmt.models import DataLocation, RawDataFile
from observatory.models import InstrumentModule
from planning.models import ExecutedObsUnit, ExecutionStatus, ObservationConfiguration, ObsUnit
from tests.docs.conftest import Reader
from tests.docs.examples import DOCUMENTS, ROOT, Example, examples
from tests.factories.datamgmt import RawDataPackageFactory, RawDataPackagePhysicalCopyFactory
from tests.factories.planning import ExecutedObsUnitFactory, PreScheduledSlotFactory
from tests.planning.scheduling.ecsv import part_of_a_night, written
from transfer.models import StagingJob

PACKAGE: Final = UUID("f3b0c1d2-5a4e-4a77-9a53-9f3f0c7d1e52")
#: Texts, which stay as they are, or what a document leaves out.
_LEFT_OUT: Final = re.compile(r'(?P<text>"(?:[^"\\]|\\.)*")|,?\s*…')
ALL: Final = [example for document in DOCUMENTS for example in examples(document)]


def named(name: str) -> list[Example]:
    return examples(ROOT / "docs" / name)


def follow(reader: Reader, document: list[Example]) -> None:
    """Run all that can be run."""
    acts: dict[str, Callable[[Reader, Example], None]] = {
        "program": run_program,
        "body": send_body,
        "answer": compare_answer,
        "layout": read_layout,
    }
    for example in document:
        if example.kind in acts:
            acts[example.kind](reader, example)


def run_program(reader: Reader, example: Example) -> None:
    start = ["sh", "-eu", "-c"] if example.language == "sh" else [sys.executable, "-c"]
    environment = reader.instrument.environment()
    command = [*start, reader.here(example.text)]
    done = subprocess.run(
        command, env=environment, cwd=reader.folder, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, f"{example}: {done.stderr}{done.stdout}"


def send_body(reader: Reader, example: Example) -> None:
    body = json.loads(example.text)
    body |= {name: value for name, value in reader.ids.items() if name in body}
    answer = reader.call(example.method, example.address, body)
    assert str(answer.status_code) == example.says, f"{example}: {answer.text}"


def compare_answer(reader: Reader, example: Example) -> None:
    address = example.address
    if "/7/" in address:
        address = address.replace("/7/", f"/{StagingJob.objects.get().pk}/")
    body = {"four files, the last with a size below 0": four_files}[example.says]() if example.says else None
    answer = reader.call(example.method, address, body)
    lacking = differences(json.loads(_LEFT_OUT.sub(lambda found: found["text"] or "", example.text)), answer.json())
    assert lacking == [], f"{example}: {answer.text}"


def read_layout(reader: Reader, example: Example) -> None:
    file = reader.folder / "layout.json"
    file.write_text(example.text)
    layout_of(str(file))


def differences(told: Any, real: Any, path: str = "") -> list[str]:
    """Fields of a document's answer that the real one has not, or of another kind."""
    if isinstance(told, dict) and isinstance(real, dict):
        lacking = [f"{path}.{name} is not there" for name in told if name not in real]
        return lacking + [d for n in told if n in real for d in differences(told[n], real[n], f"{path}.{n}")]
    if isinstance(told, list) and isinstance(real, list):
        if told and not real:
            return [f"{path} is empty"]
        return differences(told[0], real[0], f"{path}[0]") if told else []
    kinds = {type(told), type(real)}
    if type(None) in kinds or kinds <= {int, float} or len(kinds) == 1:
        return []
    return [f"{path} is {real!r}"]


def four_files() -> list[dict[str, Any]]:
    rows = []
    for number, size in enumerate((1, 2, 3, -1)):
        rows.append(
            {
                "id": str(uuid4()),
                "executed_obs_unit": str(ExecutedObsUnit.objects.values_list("pk", flat=True)[0]),
                "instrument": "prime-cam",
                "module": "280ghz",
                "source_location": "ccat_primecam_raw_data",
                "relative_path": f"17502/r01d1_{number:03}.g3",
                "size": size,
            }
        )
    return rows


def archived_package() -> None:
    """The package whose id the documents name."""
    module = InstrumentModule.objects.get(short_name="280ghz", instrument__short_name="prime-cam")
    unit = ObsUnit.objects.get(name="Orion-KL polarization")
    execution = ExecutedObsUnitFactory.create(obs_unit=unit, finished=True)
    package = RawDataPackageFactory.create(
        pk=PACKAGE,
        executed_obs_unit=execution,
        instrument_module=module,
        source_location=DataLocation.objects.get(name="primecam_raw_data"),
        archived=True,
    )
    archive = DataLocation.objects.get(site__short_name="cologne", name="long_term_archive")
    RawDataPackagePhysicalCopyFactory.create(raw_data_package=package, data_location=archive, archived=True)


def test_the_api(reader: Reader) -> None:
    unit = ObsUnit.objects.get(name="Orion-KL polarization")
    archived_package()
    (reader.folder / "night.ecsv").write_text(written(part_of_a_night()))
    reader.ids = {
        "observation_configuration": ObservationConfiguration.objects.get(obs_unit=unit).pk,
        "pre_scheduled_slot": PreScheduledSlotFactory.create(obs_unit=unit).pk,
        "obs_units": [unit.pk],
        "instrument_modules": [unit.instrument_module_configurations.all()[0].instrument_module_id],
    }
    follow(reader, named("api.md"))
    assert ExecutedObsUnit.objects.get(pk="7b0f3a52-6f0e-4a64-9d1f-2f4f6c1f0a11").quality == "bad"


def test_the_guide_for_instruments(reader: Reader) -> None:
    follow(reader, named("instruments.md"))

    executions = ExecutedObsUnit.objects.all()
    assert sorted(row.status for row in executions) == [ExecutionStatus.ABORTED, *[ExecutionStatus.COMPLETED] * 2]
    assert {row.pwv_mm_mean for row in executions} == {0.4, None}
    files = RawDataFile.objects.exclude(checksum="")
    assert sorted(files.values_list("relative_path", flat=True)) == ["17500/r01d1_000.g3", "17501/r01d1_000.g3"]
    reader.instrument.until_sent()
    assert RawDataFile.objects.of_streams().count() == 2


def test_the_guide_for_scientists(reader: Reader) -> None:
    archived_package()
    follow(reader, named("scientists.md"))
    assert list(StagingJob.objects.get().raw_data_packages.values_list("pk", flat=True)) == [PACKAGE]


def test_every_example_is_run_or_says_why_not() -> None:
    assert len(ALL) > 30
    run = {"program", "body", "answer", "layout"}
    followed = {ROOT / "docs" / name for name in ("api.md", "instruments.md", "scientists.md")}
    unknown = [
        str(example)
        for example in ALL
        if not (example.kind in run and example.document in followed)
        and example.kind != "drawing"
        and not (example.kind == "not run" and len(example.says) > 8)
    ]
    assert unknown == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_example_stands_outside_of_a_fence(document: Path) -> None:
    """An indented block would not be found."""
    text = re.sub(r"^ *```.*?^ *```$", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert re.findall(r"^\n    (?! *[-*|\d])\S.*", text, re.MULTILINE) == []


def test_commands_of_examples_exist_with_these_options() -> None:
    """Also of those that are not run."""
    found = 0
    for example in ALL:
        if example.language not in ("sh", "console"):
            continue
        for line in example.text.replace("\\\n", " ").splitlines():
            if (match := re.search(r"(?:^|[ (])(manage\.py|ccat-file) ([^|)>&]*)", line.partition(" #")[0])) is None:
                continue
            words = shlex.split(match[2].replace("$OBS", str(PACKAGE)))
            found += 1
            if match[1] == "ccat-file":
                parser().parse_args(words)
            else:
                name, *options = words
                command = load_command_class(get_commands()[name], name)
                command.create_parser("manage.py", name).parse_args(options)
    assert found > 12
