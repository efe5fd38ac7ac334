"""Reference data of many rows: 10,000 sources and 10,000 obs units from CSV files.

* First load: files read, checked and stored, against ``bulk_create`` of the same rows in the same run (wanted: at most 5 times
  its time). ``bulk_create`` knows nothing of files, names, checks, or of kinds of sources, which lie in two tables: here it is
  called for each of the two, with primary keys that are known beforehand.
* Second load: nothing changes (wanted: it says so, and is faster than the first).

Needs ``DATABASE_URL`` and ``CCATDC_DEBUG=1``; works in a test database beside it, which is removed afterwards.
Run: ``.venv/bin/python -m benchmarks.reference [--rows N] [--rounds N]``. Exits 1 when a wanted figure is missed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TIMES = 5.0
REFERENCE_DATA = Path(__file__).resolve().parent.parent / "reference_data"


def main() -> int:
    """Measure in rounds, print medians and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ccatdc.settings.base")
    django.setup()
    from django.db import connection
    from django.test.utils import setup_databases, teardown_databases

    databases = setup_databases(verbosity=0, interactive=False)
    try:
        with tempfile.TemporaryDirectory(prefix="ccatdc-benchmark-") as folder:
            return measure(Path(folder), arguments.rows, arguments.rounds)
    finally:
        teardown_databases(databases, verbosity=0)
        connection.close()


def measure(folder: Path, count: int, rounds: int) -> int:
    """Both ways in turn, each into tables without these rows."""
    from ccatdc.reference.load.loader import load_reference

    load_reference([REFERENCE_DATA])
    write_tables(folder, count)
    bulk, first, second = [], [], []
    for _ in range(rounds):
        bulk.append(seconds(lambda: bulk_create(count)))
        remove()
        first.append(seconds(lambda: load_reference([folder])))
        started = time.perf_counter()
        report = load_reference([folder])
        second.append(time.perf_counter() - started)
        if report.changes or report.unchanged != 2 * count:
            sys.exit(f"The second load changed {len(report.changes)} rows.")
        remove()
    loaded, made, again = map(statistics.median, (first, bulk, second))
    print(f"bulk_create of {count:,} sources and {count:,} obs units: {made:.2f} s")
    print(f"load: {loaded:.2f} s, {loaded / made:.2f} times that (wanted: at most {TIMES:g})")
    print(f"load again: {again:.2f} s, no change, {again / loaded:.2f} of the first (wanted: under 1)")
    return 0 if loaded <= TIMES * made and again < loaded else 1


def write_tables(folder: Path, count: int) -> None:
    """The same rows as :func:`bulk_create` makes."""
    sources, units = ["name,ra_deg,dec_deg,vlsr_km_s,source_class"], []
    units.append("observing_program,name,source,obs_mode,obs_unit_type,planned_duration_s,min_elevation_deg,max_pwv_mm")
    for n in range(count):
        sources.append(f"b{n},{ra(n)},{dec(n)},{n % 100},galaxy")
        units.append(f"GPS,b{n},b{n},daisy,prime_cam_obs_unit,600,30,0.8")
    (folder / "fixed_source.csv").write_text("\n".join(sources) + "\n", encoding="utf-8")
    (folder / "obs_unit.csv").write_text("\n".join(units) + "\n", encoding="utf-8")


def bulk_create(count: int) -> None:
    """Plain ``bulk_create`` of rows that are known to be right."""
    from django.contrib.contenttypes.models import ContentType
    from django.db import connection, transaction

    from planning.models import FixedSource, ObservingProgram, ObsMode, ObsUnit, Source

    position = position_model()
    kind = ContentType.objects.get_for_model(FixedSource).pk
    program, mode = (ObservingProgram.objects.get(short_name="GPS"), ObsMode.objects.get(name="daisy"))
    assert mode.instrument is not None  # noqa: S101 - daisy is a mode of Prime-Cam
    telescope = mode.instrument.telescope_id
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence('source', 'id')) FROM generate_series(1, %s)", [count]
            )
            keys = [pk for (pk,) in cursor.fetchall()]
        sources = [
            Source(
                pk=pk, name=f"b{n}", type=FixedSource.TYPE, source_class="galaxy",
                polymorphic_ctype_id=kind,
            )
            for n, pk in enumerate(keys)
        ]  # fmt: skip
        Source._base_manager.bulk_create(sources)
        position._base_manager.bulk_create(
            position(source_ptr_id=pk, ra_deg=ra(n), dec_deg=dec(n), vlsr_km_s=n % 100, frame="icrs")
            for n, pk in enumerate(keys)
        )
        ObsUnit.objects.bulk_create(
            ObsUnit(
                observing_program=program, name=f"b{n}", source_id=pk, obs_mode=mode,
                telescope_id=telescope, obs_unit_type="prime_cam_obs_unit", planned_duration_s=600,
                min_elevation_deg=30, max_pwv_mm=0.8,
            )
            for n, pk in enumerate(keys)
        )  # fmt: skip


def position_model() -> Any:
    """The lower of the two tables of fixed sources as a model of its own, which ``bulk_create`` accepts."""
    from django.apps import apps
    from django.db import models

    from planning.models import FixedSource

    known = apps.all_models["planning"].get("benchmarkposition")
    if known is not None:
        return known
    lower: type[models.Model] = FixedSource
    columns: dict[str, Any] = {
        column.name: column.clone() for column in lower._meta.local_concrete_fields if not column.is_relation
    }
    meta = type("Meta", (), {"app_label": "planning", "managed": False, "db_table": "fixed_source"})
    columns |= {"Meta": meta, "__module__": __name__, "source_ptr_id": models.BigIntegerField(primary_key=True)}
    return models.base.ModelBase("BenchmarkPosition", (models.Model,), columns)


def remove() -> None:
    """Take the rows away again, and let the planner see it."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM obs_unit WHERE name LIKE 'b%'")
        cursor.execute("DELETE FROM fixed_source USING source WHERE source_ptr_id = source.id AND name LIKE 'b%'")
        cursor.execute("DELETE FROM source WHERE name LIKE 'b%'")
        cursor.execute("VACUUM ANALYZE source, fixed_source, obs_unit")


def ra(n: int) -> float:
    """Degrees; different for all rows."""
    return n * 0.03 % 360


def dec(n: int) -> float:
    """Degrees."""
    return n * 0.017 % 180 - 90


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
