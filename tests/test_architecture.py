"""The layout: who may import whom, how stages pair up, and what no module may be.

Everything is read from the source by ``ast``: nothing is run, and imports inside functions count too.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import ForeignKey, ManyToManyField

from transfer.managers.base import StageManager
from transfer.operations.base import StageOperation
from transfer.pipeline import PIPELINE, OperationType, Stage

ROOT = Path(__file__).resolve().parent.parent
#: The apps from the lowest layer up; ``ccatdc.common`` is below all of them.
LAYERS = ("observatory", "accounts", "notifications", "planning", "datamgmt", "transfer", "gateway", "ccatdc")
GROUND = "ccatdc.common"
MAX_LINES = 500
#: Names that say nothing about what is in a module.
NAMELESS = re.compile(r"(^|_)(utils?|helpers?|services?|misc|tools)$")


def is_migration(path: Path) -> bool:
    """Written by a command."""
    return "migrations" in path.parts


MODULES = sorted(
    path for path in chain.from_iterable((ROOT / app).rglob("*.py") for app in LAYERS) if not is_migration(path)
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


def layer_of(name: str) -> int | None:
    """How high a module stands; None for one that is not ours."""
    if below(name, GROUND):
        return -1
    top = name.partition(".")[0]
    return LAYERS.index(top) if top in LAYERS else None


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


# Directions: the contracts of import-linter (pyproject.toml) say who may import whom


def test_the_contracts_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside functions count too; packages' own ``__init__`` are looked through."""
    names = {dotted(path): path for path in MODULES}
    graph = {
        name: {other for other in imported(path) if other in names and other != name}
        for name, path in names.items()
        if path.name != "__init__.py"
    }
    order = TopologicalSorter(graph)
    try:
        order.prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_the_product_does_not_import_what_is_for_laptops() -> None:
    product = [path for path in MODULES if not below(dotted(path), "ccatdc.dev")]
    assert offenders(product, ("ccatdc.dev",)) == []


def test_no_family_of_prefixes_stands_where_a_folder_belongs() -> None:
    families: Counter[tuple[Path, str]] = Counter(
        (path.parent, path.stem.partition("_")[0])
        for path in MODULES
        if "_" in path.stem and path.stem != "__init__" and not stage_file(path)
    )
    many = {f"{folder.relative_to(ROOT)}/{prefix}_*" for (folder, prefix), n in families.items() if n > 2}
    assert many == set()


def test_foreign_keys_go_down_only() -> None:
    wrong = []
    for app in LAYERS:
        for model in apps.get_app_config(app).get_models():
            for field in (*model._meta.fields, *model._meta.many_to_many):
                if not isinstance(field, ForeignKey | ManyToManyField):
                    continue
                target = field.related_model._meta.app_label
                if target in LAYERS and LAYERS.index(target) > LAYERS.index(app):
                    wrong.append(f"{field} leads to {target}")
    assert wrong == []


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
        if not below(dotted(path), "transfer.managers") and not below(dotted(path), "transfer.management")
    ]
    assert offenders(outside, ("transfer.managers",)) == []


def test_the_table_of_stages_imports_no_stage() -> None:
    table = ROOT / "transfer" / "pipeline.py"
    assert offenders([table], ("transfer.managers", "transfer.operations")) == []


def test_mails_leave_from_one_module() -> None:
    """Everybody else writes a row: a server that says nothing holds up nobody."""
    others = [path for path in MODULES if dotted(path) != "notifications.sending"]
    assert offenders(others, ("django.core.mail", "smtplib")) == []


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


def test_a_module_that_is_long_is_pointed_out() -> None:
    lengths = {dotted(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    long = {name: length for name, length in lengths.items() if length > MAX_LINES}
    if long:
        warnings.warn(f"Look for the second topic: {long}", stacklevel=1)


def test_every_module_says_where_it_stands() -> None:
    silent = [
        dotted(path)
        for path in MODULES + TEST_MODULES
        if path.read_text(encoding="utf-8").strip() and not ast.get_docstring(tree(path))
    ]
    assert silent == []


def test_public_functions_that_are_not_obvious_say_what_they_are_for() -> None:
    assert [name for path in MODULES for name in undocumented(path)] == []


def undocumented(path: Path) -> Iterator[str]:
    """Public functions of a module with more than a few lines and no docstring. Short ones, classes and methods may speak for
    themselves.
    """
    for node in tree(path).body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node) and (node.end_lineno or 0) - node.lineno > 8:
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
    assert [name for name in stars if not name.startswith("ccatdc.settings.")] == []


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


STATUS_COLUMNS = {"status", "state", "unpack_status", "integrity"}
#: Modules that write such a column past the machine, and why they may.
PAST_THE_MACHINE = {
    "ccatdc.common.states": "the machine itself",
    "transfer.operations.s30_transfer": "what ended in an archive has nothing to unpack",
    "datamgmt.copies.recording": "verdicts about copies: any may follow any",
    "datamgmt.copies.needs_attention": "the same, for copies that are to be checked again",
    "transfer.engine.status_propagation": "the second place of a status that was just moved by a transition",
}
#: Modules that update columns whose names stand in a variable, and which these are.
BY_VARIABLE = {
    "datamgmt.rebuilding.rows": "times that a save sets by itself",
    "ccatdc.common.bulk_actions": "a yes-or-no column",
    "gateway.models": "what the link to the main site measures",
    "transfer.engine.circuit_breaker": "a breaker's own columns",
    "transfer.engine.dispatch": "the clean count of a pending operation",
    "transfer.operations.s30_transfer": "what a transfer measured",
    "transfer.operations.s80_monitor": "what a check measured",
}


def test_a_status_changes_through_a_transition_only() -> None:
    """``update(status=…)``, ``update(**{"status": …})``, ``row.status = …`` and SQL would pass the machine, the mirrors
    and the log.
    """
    written = {
        (dotted(path), name) for path in MODULES for node in ast.walk(tree(path)) for name in written_columns(node)
    }
    assert {module for module, name in written if name in STATUS_COLUMNS} <= set(PAST_THE_MACHINE)
    assert {module for module, name in written if name == "**"} <= {*BY_VARIABLE, *PAST_THE_MACHINE}


@pytest.mark.parametrize(
    "statement",
    [
        "rows.update(status=DONE)",
        "rows.update(**{'status': DONE})",
        "row.status = DONE",
        "cursor.execute('UPDATE operation o SET owner = %s, status = %s WHERE pk = 1')",
    ],
)
def test_every_way_to_write_a_status_is_seen(statement: str) -> None:
    assert {name for node in ast.walk(ast.parse(statement)) for name in written_columns(node)} >= {"status"}


def test_what_only_asks_for_a_status_is_no_change() -> None:
    query = "cursor.execute('UPDATE operation SET lease = now() WHERE status = %s')"
    assert "status" not in {name for node in ast.walk(ast.parse(query)) for name in written_columns(node)}


def written_columns(node: ast.AST) -> set[str]:
    """The columns that a statement sets on a row, or on the rows of a query; ``**`` for those in a variable."""
    if isinstance(node, ast.Assign):
        targets = [target for target in node.targets if isinstance(target, ast.Attribute)]
        return {t.attr for t in targets if not (isinstance(t.value, ast.Name) and t.value.id == "self")}
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        changes = re.findall(r"\bUPDATE\b.*?\bSET\b(.*?)(?:\bFROM\b|\bWHERE\b|$)", node.value, re.DOTALL)
        return {name for part in changes for name in re.findall(r"(\w+)\s*=", part)}
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "update"):
        return set()
    names = {keyword.arg for keyword in node.keywords if keyword.arg}
    for spread in (keyword.value for keyword in node.keywords if keyword.arg is None):
        keys = spread.keys if isinstance(spread, ast.Dict) else [None]
        names |= {str(key.value) if isinstance(key, ast.Constant) else "**" for key in keys}
    return names


# Commands


COMMANDS = sorted(path.stem for path in MODULES if path.parent.name == "commands" and path.stem != "__init__")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_called_by_a_test(command: str) -> None:
    called = [
        path.name
        for path in TEST_MODULES
        if path != Path(__file__) and re.search(rf"""["'/ ]{command}["' ]""", path.read_text(encoding="utf-8"))
    ]
    assert called, f"no test calls manage.py {command}"


def test_there_are_commands_to_test() -> None:
    assert {"run_location", "run_managers", "list_queues", "load_reference"} <= set(COMMANDS)
    assert {"create_api_token", "register_location", "ops"} <= set(COMMANDS)
