"""Whatever people write into the portal comes back from files as it was: every odd text, number and nothing."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ccatdc.reference.export import export_reference
from ccatdc.reference.load.loader import load_reference
from planning.models import (
    ChaiInparParameter,
    ChaiObservationConfiguration,
    FixedSource,
    ObsMode,
    ObsUnit,
    PreScheduledSlot,
)
from tests.reference.test_export import empty_the_database, everything
from tests.reference.test_kosma_files import INPAR, USES_TEMPLATE
from tests.reference.test_loader import SHIPPED
from tests.reference.test_tables import write

#: Text that PostgreSQL can hold: no NUL, no half characters.
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
NAMES = TEXTS.filter(lambda name: bool(name) and name == name.strip() and name.isprintable())
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | NUMBERS | TEXTS
JSON = st.dictionaries(TEXTS, PLAIN | st.lists(PLAIN, max_size=3) | st.dictionaries(TEXTS, PLAIN, max_size=2))
FIELDS = {
    "name": NAMES,
    "description": TEXTS,
    "aliases": st.lists(TEXTS, max_size=3),
    "vlsr_km_s": st.none() | NUMBERS,
    "ra_deg": st.floats(0, 360, exclude_max=True),
    "parameters": JSON,
    "inpar": TEXTS,
}
#: What a reader of some format takes for something else.
ODD = {
    "yaml words": ["no", "on", "~", "null", "1:30", "010", "0x10", "1e5", "2026-01-01", ".inf"],
    "yaml signs": ["- a", "a: b", "#c", "&x", "*x", "<<", "=", "'", '"', "%", "@", "`", "---", "!"],
    "csv signs": ["a,b", 'a"b', '"', ";", "\t", "a\rb", "a\nb", "a\r\nb", "\r", "\n", " a "],
    "unseen": ["\ufeff", "\u2028", "\x85", "\x07", "\x7f", "\u200b", "\ufffe", "\U0010ffff", "\xa0"],
    "unicode": ["µ", "e\u0301", "Ångström", "日本", "\U0001f52d"],
}


def columns(model: Any, *names: str) -> list[tuple[Any, ...]]:
    return list(model.objects.order_by(*names).values_list(*names))


def stored() -> list[Any]:
    return [
        columns(FixedSource, "name", "description", "aliases", "vlsr_km_s", "ra_deg", "dec_deg"),
        columns(ObsMode, "name", "description", "default_parameters"),
        columns(ObsUnit, "name", "observing_program__short_name", "source__name", "priority"),
        columns(PreScheduledSlot, "start_time", "comment"),
        columns(ChaiInparParameter, "chai_observation_configuration__obs_unit", "name", "value")[:0],
        columns(ChaiInparParameter, "position", "name", "value", "unit", "comment"),
    ]


def goes_round(folder: Path) -> None:
    """Exported, loaded into an empty database and exported again: the same rows, the same bytes."""
    before = stored()
    export_reference(folder / "first")
    empty_the_database()

    load_reference([folder / "first"])

    assert stored() == before
    export_reference(folder / "second")
    assert everything(folder / "second") == everything(folder / "first")
    assert load_reference([folder / "second"]).changes == []


@pytest.fixture
def shipped(db: None, tmp_path: Path) -> None:
    load_reference([SHIPPED])
    load_reference([write(tmp_path / "k", {"a.yaml": USES_TEMPLATE, "inpar/otf.inpar": INPAR})])


@pytest.mark.usefixtures("shipped")
def test_the_shipped_data_goes_round(tmp_path: Path) -> None:
    goes_round(tmp_path)


@pytest.mark.usefixtures("shipped")
@pytest.mark.parametrize("kind", ODD)
def test_texts_that_mean_something_to_a_format_go_round(kind: str, tmp_path: Path) -> None:
    unit = ObsUnit.objects.get(name="30 Dor map")
    configuration = ChaiObservationConfiguration.objects.get(obs_unit=unit)
    for n, text in enumerate(ODD[kind]):
        FixedSource.objects.create(
            name=f"s{n} {text}x".strip() if text.isprintable() else f"s{n}",
            ra_deg=n,
            dec_deg=0,
            description=text,
            aliases=[text],
        )
        ObsMode.objects.create(name=f"m{n}", description=text, default_parameters={text: text})
        PreScheduledSlot.objects.create(
            obs_unit=unit,
            start_time=f"2026-12-{n + 1:02}T03:00:00.000001Z",
            end_time=f"2026-12-{n + 1:02}T04:00:00Z",
            comment=text,
        )
        ChaiInparParameter.objects.create(
            chai_observation_configuration=configuration,
            name=f"p{n}",
            value=text,
            unit=text,
            comment=text,
            position=100 + n,
        )

    goes_round(tmp_path)


@pytest.mark.usefixtures("shipped")
@given(st.fixed_dictionaries(FIELDS))
@example(
    {
        "name": "0",
        "description": "",
        "aliases": [""],
        "vlsr_km_s": -0.0,
        "ra_deg": math.nextafter(360, 0),
        "parameters": {"": None, "a": 1e22},
        "inpar": "'",
    }
)
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_is_written_goes_round(tmp_path_factory: pytest.TempPathFactory, row: dict[str, Any]) -> None:
    FixedSource.objects.filter(name__startswith="odd ").delete()
    FixedSource.objects.create(
        name=f"odd {row['name']}",
        ra_deg=row["ra_deg"],
        dec_deg=-90,
        description=row["description"],
        aliases=row["aliases"],
        vlsr_km_s=row["vlsr_km_s"],
    )
    ObsMode.objects.update_or_create(name="focus", defaults={"default_parameters": row["parameters"]})
    ChaiInparParameter.objects.filter(name="obs_cookie").update(
        value=row["inpar"], comment=row["inpar"], unit=row["inpar"]
    )

    goes_round(tmp_path_factory.mktemp("round"))
