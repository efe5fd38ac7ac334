"""The shape of the house: who may import whom, how stages pair up, and what no module may be.

Everything is read from the source by ``ast``: nothing is run, and imports inside functions count too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import ForeignKey, ManyToManyField

from transfer.managers.base import StageManager
from transfer.operations.base import StageOperation
from transfer.pipeline import PIPELINE, OperationType, Stage

ROOT = Path(__file__).resolve().parent.parent
#: From the ground up; each may import those before it. ``ccatdc.common`` is the ground itself.
FLOORS = ("observatory", "accounts", "planning", "datamgmt", "transfer", "gateway", "ccatdc")
GROUND = "ccatdc.common"
MAX_LINES = 300
#: Names that say nothing about what is in a module.
NAMELESS = re.compile(r"(^|_)(utils?|helpers?|services?|misc|tools)$")


def is_migration(path: Path) -> bool:
    """Written by a command."""
    return "migrations" in path.parts


MODULES = sorted(
    path
    for path in chain.from_iterable((ROOT / app).rglob("*.py") for app in FLOORS)
    if not is_migration(path)
)
TEST_MODULES = sorted((ROOT / "tests").rglob("*.py"))


def dotted(path: Path) -> str:
    """A module's name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree(path: Path) -> ast.Module:
    """What a module says."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def imported(path: Path) -> frozenset[str]:
    """The names of modules, and of what is taken from them, that a module imports anywhere."""
    found: set[str] = set()
    package = dotted(path) if path.name == "__init__.py" else dotted(path).rpartition(".")[0]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            up = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*up, node.module or ""]).strip(".") if node.level else node.module
            found |= {str(base)} | {f"{base}.{alias.name}" for alias in node.names}
    return frozenset(found)


def below(name: str, module: str) -> bool:
    """Whether a name is a module, or in it."""
    return name == module or name.startswith(f"{module}.")


def floor_of(name: str) -> int | None:
    """How high a module stands; None for one that is not ours."""
    if below(name, GROUND):
        return -1
    top = name.partition(".")[0]
    return FLOORS.index(top) if top in FLOORS else None


def offenders(paths: list[Path], forbidden: tuple[str, ...]) -> list[str]:
    """Which of these modules import what they must not."""
    return [
        f"{dotted(path)} imports {name}"
        for path in paths
        for name in sorted(imported(path))
        if any(below(name, each) for each in forbidden)
    ]


def in_package(package: str) -> list[Path]:
    """The modules of a package."""
    return [path for path in MODULES if below(dotted(path), package)]


# Directions


def test_imports_go_down_only() -> None:
    wrong = []
    for path in MODULES:
        own = floor_of(dotted(path))
        assert own is not None
        for name in sorted(imported(path) - {"ccatdc"}):
            other = floor_of(name)
            if other is not None and other > own:
                wrong.append(f"{dotted(path)} imports {name}")
    assert wrong == []


def test_the_ground_imports_no_app() -> None:
    assert offenders(in_package(GROUND), FLOORS[:-1]) == []
    inside = [
        f"{dotted(path)} imports {name}"
        for path in in_package(GROUND)
        for name in imported(path)
        if below(name, "ccatdc") and not below(name, GROUND) and name != "ccatdc"
    ]
    assert inside == []


def test_foreign_keys_go_down_only() -> None:
    wrong = []
    for app in FLOORS:
        for model in apps.get_app_config(app).get_models():
            for field in (*model._meta.fields, *model._meta.many_to_many):
                if not isinstance(field, ForeignKey | ManyToManyField):
                    continue
                target = field.related_model._meta.app_label
                if target in FLOORS and FLOORS.index(target) > FLOORS.index(app):
                    wrong.append(f"{field} leads to {target}")
    assert wrong == []


def test_managers_never_touch_bytes() -> None:
    forbidden = ("transfer.operations", "transfer.transports", "datamgmt.storage")
    assert offenders(in_package("transfer.managers"), forbidden) == []


def test_operations_never_look_for_work() -> None:
    assert offenders(in_package("transfer.operations"), ("transfer.managers",)) == []


def test_no_stage_imports_another() -> None:
    wrong = []
    for package in ("transfer.managers", "transfer.operations"):
        stages = [dotted(path) for path in in_package(package) if stage_file(path)]
        for path in in_package(package):
            others = tuple(name for name in stages if name != dotted(path))
            wrong += offenders([path], others)
    assert wrong == []


def test_only_stages_and_their_loop_import_managers() -> None:
    outside = [
        path
        for path in MODULES
        if not below(dotted(path), "transfer.managers")
        and not below(dotted(path), "transfer.management")
    ]
    assert offenders(outside, ("transfer.managers",)) == []


def test_the_rule_of_deletion_is_pure() -> None:
    """Facts in, reasons out: no clock and no query of its own."""
    rule = ROOT / "transfer" / "retention.py"
    forbidden = (
        "django.utils.timezone",
        "django.db",
        "transfer.models",
        "transfer.retention_facts",
    )
    assert offenders([rule], forbidden) == []


def test_the_table_of_stages_imports_no_stage() -> None:
    table = ROOT / "transfer" / "pipeline.py"
    assert offenders([table], ("transfer.managers", "transfer.operations")) == []


def test_nobody_imports_tests() -> None:
    assert offenders(MODULES, ("tests", "conftest")) == []


# Stages


def stage_file(path: Path) -> bool:
    """``s10_package.py`` and its like."""
    return re.fullmatch(r"s\d\d_[a-z]+\.py", path.name) is not None


def stage_files(package: str) -> list[str]:
    """The stages that a package has."""
    return sorted(path.stem for path in in_package(package) if stage_file(path))


def test_managers_and_operations_pair_up_with_the_table() -> None:
    table = [stage.manager.split(".")[-2] for stage in PIPELINE]
    assert table == sorted(table), "in the order of the flow"
    assert stage_files("transfer.managers") == table
    assert stage_files("transfer.operations") == table


def test_every_manager_has_a_test_of_its_own_name() -> None:
    tests = {path.stem for path in (ROOT / "tests" / "transfer" / "managers").glob("test_s*.py")}
    assert {f"test_{stem}" for stem in stage_files("transfer.managers")} == tests


@pytest.mark.parametrize("stage", PIPELINE, ids=lambda stage: stage.name)
def test_a_stage_loads_and_its_manager_has_its_name(stage: Stage) -> None:
    assert issubclass(stage.load_manager(), StageManager)
    assert issubclass(stage.load_operation(), StageOperation)
    assert stage.load_manager().name == stage.name
    assert stage.at


def test_every_kind_of_work_has_one_stage() -> None:
    assert [stage.operation_type for stage in PIPELINE] == list(OperationType)


# Modules


def test_no_module_is_too_long() -> None:
    lengths = {dotted(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def test_every_module_says_where_it_stands() -> None:
    silent = [
        dotted(path)
        for path in MODULES + TEST_MODULES
        if path.read_text(encoding="utf-8").strip() and not ast.get_docstring(tree(path))
    ]
    assert silent == []


def test_every_public_class_and_function_says_what_it_is_for() -> None:
    assert [name for path in MODULES for name in undocumented(path)] == []


def undocumented(path: Path) -> Iterator[str]:
    """Public functions and classes of a module without a docstring. What a framework names (Meta,
    ``save``, ``__str__``, and everything inside functions) speaks for itself.
    """
    for node in tree(path).body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node):
            yield f"{dotted(path)}.{node.name}"


def test_no_module_is_named_for_nothing() -> None:
    wrong = [
        dotted(path)
        for path in MODULES + TEST_MODULES
        if NAMELESS.search(path.parent.name if path.name == "__init__.py" else path.stem)
    ]
    assert wrong == []


def test_nothing_is_imported_by_star() -> None:
    stars = [dotted(path) for path in MODULES if any(n.endswith(".*") for n in imported(path))]
    assert [name for name in stars if name != "ccatdc.settings_test"] == []


def test_no_error_is_swallowed() -> None:
    wrong = []
    for path in MODULES:
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.ExceptHandler):
                continue
            does_nothing = all(isinstance(each, ast.Pass) for each in node.body)
            catches_all = node.type is None or (
                isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}
            )
            if node.type is None or (catches_all and does_nothing):
                wrong.append(f"{dotted(path)}:{node.lineno}")
    assert wrong == []


STATUS_COLUMNS = {"status", "state", "unpack_status"}
#: Modules that write such a column past the machine, and why they may.
PAST_THE_MACHINE = {
    "ccatdc.common.states": "the machine itself",
    "transfer.operations.s30_transfer": "what ended in an archive has nothing to unpack",
}


def test_a_status_changes_through_a_transition_only() -> None:
    """``update(status=…)`` and ``row.status = …`` would pass the machine, the mirrors and the log."""
    wrong = {
        dotted(path)
        for path in MODULES
        for node in ast.walk(tree(path))
        if written_columns(node) & STATUS_COLUMNS
    }
    assert wrong <= set(PAST_THE_MACHINE)


def written_columns(node: ast.AST) -> set[str]:
    """The columns that a statement sets on a row, or on the rows of a query."""
    if isinstance(node, ast.Assign):
        targets = [target for target in node.targets if isinstance(target, ast.Attribute)]
        return {
            t.attr for t in targets if not (isinstance(t.value, ast.Name) and t.value.id == "self")
        }
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return set()
    return {str(keyword.arg) for keyword in node.keywords if node.func.attr == "update"}


# Commands


COMMANDS = sorted(
    path.stem for path in MODULES if path.parent.name == "commands" and path.stem != "__init__"
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_called_by_a_test(command: str) -> None:
    called = [
        path.name
        for path in TEST_MODULES
        if path != Path(__file__)
        and re.search(rf"""["'/ ]{command}["' ]""", path.read_text(encoding="utf-8"))
    ]
    assert called, f"no test calls manage.py {command}"


def test_there_are_commands_to_test() -> None:
    assert {"run_location", "run_managers", "list_queues", "load_reference"} <= set(COMMANDS)
    assert {"create_api_token", "register_location", "ops"} <= set(COMMANDS)
