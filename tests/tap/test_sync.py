"""Queries that are answered at once: what ADQL can say, whom they show what, and what is refused."""

from __future__ import annotations

import io
from typing import Any

import pytest
from astropy.io.votable import parse
from django.db import connection
from django.test import Client

from accounts.models import User
from ccatdc.common.visibility import visible
from planning.models import ExecutedObsUnit, ObservingProgram
from planning.models.visibility import public
from tests.accounts.foreign import SCIENTIST, scientist
from tests.factories.accounts import ApiTokenFactory
from tests.portal.conftest import logged_in
from tests.staging.conftest import member
from tests.tap.conftest import asked, column, refusal
from transfer.tap import views
from transfer.tap.running import ROLE
from transfer.tap.tables import TABLES, Column
from transfer.tap.translating import Translated

pytestmark = pytest.mark.django_db
TARGETS = "SELECT target_name FROM ivoa.obscore"


@pytest.fixture(autouse=True)
def two(orion: ExecutedObsUnit, center: ExecutedObsUnit) -> None:
    """One is public, one is not."""


@pytest.fixture
def all_seeing() -> Client:
    """Somebody who sees all programs."""
    return logged_in(member())


@pytest.mark.parametrize(
    "where",
    [
        "CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 83.8, -5.4, 0.1)) = 1",
        "1 = CONTAINS(POINT(s_ra, s_dec), CIRCLE(POINT(83.8, -5.4), 0.1))",
        "CONTAINS(POINT('', s_ra, s_dec), BOX('ICRS', 83.8, -5.4, 1, 1)) = 1",
        "CONTAINS(POINT('', s_ra, s_dec), POLYGON('ICRS', 83, -6, 85, -6, 85, -5, 83, -5)) = 1",
        "CONTAINS(POINT('ICRS', 83.8, -6.3), s_region) = 1",
        "CONTAINS(s_region, CIRCLE('ICRS', 83.8, -5.4, 2)) = 1",
        "INTERSECTS(s_region, CIRCLE('ICRS', 83.8, -4, 0.5)) = 1",
        "INTERSECTS(POLYGON('ICRS', 84.5, -6, 86, -6, 86, -5), s_region) = 1",
        "DISTANCE(POINT('ICRS', s_ra, s_dec), POINT('ICRS', 83.8, -5.4)) < 0.1",
        "0.1 > DISTANCE(s_ra, s_dec, 83.8, -5.4)",
        "CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 266, -29, 1)) = 0",
        "NOT (CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 266, -29, 1)) = 1)",
        "INTERSECTS(s_region, CIRCLE('ICRS', 266, -29, 1)) <> 1",
        "CONTAINS(POINT('ICRS', 83.8, -5.4), s_region) + 1 > 1",
        "target_name LIKE 'Orion%' AND t_min BETWEEN 61161 AND 61162 AND NOT em_min IS NULL",
        "LOWER(target_name) = 'orion-kl' OR target_name IN ('a', 'b')",
        "obs_id IN (SELECT obs_id FROM ccat.observations WHERE pwv < 1)",
        "EXISTS (SELECT 1 FROM ccat.observations AS v WHERE v.obs_id = obscore.obs_id AND quality = 'good')",
        "ROUND(s_ra, 1) = 83.8 AND MOD(access_estsize, 2) >= 0 AND POWER(2, 3) = 8 AND LOG10(100) = 2",
        "target_name || 'x' = 'Orion-KLx' AND CAST(s_ra AS INTEGER) = 84",
    ],
)
def test_conditions_find_orion(where: str, all_seeing: Client) -> None:
    assert column(f"{TARGETS} WHERE {where}", all_seeing) == ["Orion-KL"]


@pytest.mark.parametrize(
    "where",
    [
        "CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 83.8, -5.4, 0.01)) = 1",
        "CONTAINS(POINT('ICRS', s_ra, s_dec), BOX('ICRS', 83.8, -7, 1, 1)) = 1",
        "CONTAINS(POINT('ICRS', 83.8, -6.5), s_region) = 1",
        "CONTAINS(s_region, CIRCLE('ICRS', 83.8, -5.4, 0.9)) = 1",
        "INTERSECTS(s_region, CIRCLE('ICRS', 83.8, -3, 0.5)) = 1",
        "INTERSECTS(POLYGON('ICRS', 85, -6, 86, -6, 86, -5), s_region) = 1",
        "DISTANCE(POINT(s_ra, s_dec), POINT(83.809, 5.37264)) < 10.7",
        "target_name = 'x'' OR 1=1 --'",
    ],
)
def test_conditions_find_nothing(where: str, all_seeing: Client) -> None:
    assert column(f"{TARGETS} WHERE {where}", all_seeing) == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("SELECT COUNT(*) FROM ivoa.obscore", ["2"]),
        ("SELECT TOP 1 target_name AS t FROM ivoa.obscore ORDER BY s_dec DESC", ["Orion-KL"]),
        ("SELECT target_name FROM ivoa.obscore ORDER BY 1 OFFSET 1", ["Sgr A*"]),
        ("SELECT MAX(pwv) FROM ccat.observations GROUP BY program HAVING COUNT(*) > 0 ORDER BY 1", ["0.4", "2.0"]),
        ("SELECT source_name FROM ccat.sources UNION SELECT 'a' FROM ccat.sources ORDER BY source_name",
         ["Orion-KL", "Sgr A*", "a"]),
        ("WITH w AS (SELECT obs_id FROM ccat.observations WHERE pwv > 1) SELECT proposal_id FROM w JOIN ivoa.obscore"
         " USING (obs_id)", ["SECRET"]),
        ("SELECT o.target_name FROM ivoa.obscore AS o JOIN ccat.sources AS s"
         " ON CONTAINS(POINT(o.s_ra, o.s_dec), CIRCLE(s.ra, s.dec, 0.1)) = 1 ORDER BY 1", ["Orion-KL", "Sgr A*"]),
        ("SELECT x.n FROM (SELECT COUNT(DISTINCT obs_id) AS n FROM ivoa.obscore) AS x", ["2"]),
        ("SELECT short_name FROM ccat.programs WHERE proprietary_days IS NULL AND short_name LIKE 'S%'", ["SECRET"]),
        ("SELECT table_name FROM TAP_SCHEMA.tables WHERE schema_name = 'ivoa'", ["ivoa.obscore"]),
        ("SELECT TOP 1 c.\"size\" FROM tap_schema.columns c JOIN tap_schema.tables USING (table_name)", ["--"]),
        ("SELECT ivoa.obscore.proposal_id FROM ivoa.obscore LEFT OUTER JOIN ccat.sources ON 1 = 2 ORDER BY 1",
         ["CORI", "SECRET"]),
        ("SELECT ROUND(DISTANCE(POINT(0, 0), POINT(90, 0)), 9), PI()", ["90.0"]),
        ("SELECT TOP 1 schema_name FROM tap_schema.schemas NATURAL JOIN tap_schema.key_columns", ["ivoa"]),
        ("SELECT COORD1(POINT('ICRS', 12, 3))", ["12"]),
    ],
)  # fmt: skip
def test_queries(query: str, found: list[str], all_seeing: Client) -> None:
    assert column(query, all_seeing) == found


def test_columns_say_what_they_are() -> None:
    answer: Any = Client().get("/tap/sync", {"lang": "adql", "query": "SELECT *, s_ra + 1 AS next FROM ivoa.obscore"})
    (table,) = parse(io.BytesIO(b"".join(answer.streaming_content)), verify="exception").iter_tables()
    fields = {each.name: each for each in table.fields}
    assert list(fields)[:-1] == [each.name for each in TABLES["ivoa.obscore"].columns]
    assert (fields["s_ra"].unit, fields["s_ra"].ucd, fields["s_ra"].datatype) == ("deg", "pos.eq.ra", "double")
    assert fields["s_region"].xtype == "adql:REGION"
    assert fields["next"].datatype == "double"
    (row,) = table.to_table()
    assert row["obs_publisher_did"].startswith("ivo://ccat.invalid/raw?")
    assert row["data_rights"] == "public"
    assert row["obs_release_date"] == "2026-05-01T22:00:00.000"


def test_what_is_never_released_has_no_date(all_seeing: Client) -> None:
    rows = asked("SELECT obs_release_date, data_rights FROM ivoa.obscore WHERE proposal_id = 'SECRET'", all_seeing)
    assert [(str(row["obs_release_date"]) in ("", "--"), str(row["data_rights"])) for row in rows] == [
        (True, "proprietary")
    ]


def test_other_formats_and_too_many_rows(all_seeing: Client) -> None:
    said = {"LANG": "ADQL", "QUERY": f"{TARGETS} ORDER BY 1", "RESPONSEFORMAT": "csv"}
    answer: Any = all_seeing.get("/tap/sync", said)
    assert b"".join(answer.streaming_content) == b"target_name\r\nOrion-KL\r\nSgr A*\r\n"
    cut: Any = all_seeing.get("/tap/sync", {**said, "RESPONSEFORMAT": "votable", "MAXREC": "1"})
    infos = parse(io.BytesIO(b"".join(cut.streaming_content))).resources[0].infos
    assert [each.value for each in infos] == ["OK", "OVERFLOW"]
    assert "csv" in refusal(TARGETS, RESPONSEFORMAT="fits")
    assert "MAXREC" in refusal(TARGETS, MAXREC="many")
    assert "uploaded" in refusal(TARGETS, UPLOAD="a,b")


# --- Who sees what ----------------------------------------------------------------------------------------------------


def everybody() -> list[tuple[str, User | None, Client]]:
    """Nobody, a scientist of no program, a member, a token without the right to read, somebody who sees all."""
    plain, of_secret, elsewhere = (scientist(username=name) for name in ("plain", "of_secret", "elsewhere"))
    ObservingProgram.objects.get(short_name="SECRET").members.add(of_secret, elsewhere)
    bare: Any = ApiTokenFactory.create(user=elsewhere, scopes=["stage:data"])
    token: Any = ApiTokenFactory.create(user=of_secret, scopes=SCIENTIST)
    boss = member()
    return [
        ("nobody", None, Client()),
        ("scientist", plain, logged_in(plain)),
        ("member", of_secret, logged_in(of_secret)),
        ("token of a member", of_secret, Client(headers={"authorization": f"Bearer {token.secret}"})),
        ("token that may not read", None, Client(headers={"authorization": f"Bearer {bare.secret}"})),
        ("all", boss, logged_in(boss)),
    ]


def test_the_rule_is_that_of_pages_and_api() -> None:
    people = everybody()
    for days in (None, 0, 10, 2_000_000_000):
        ObservingProgram.objects.filter(short_name="SECRET").update(proprietary_days=days)
        for name, user, client in people:
            rows = ExecutedObsUnit.objects.order_by()
            may_see = rows.filter(public()) if user is None else visible(rows, user)
            wanted = sorted(str(pk) for pk in may_see.values_list("pk", flat=True))
            for table in ("ivoa.obscore", "ccat.observations"):
                found = column(f"SELECT DISTINCT obs_id FROM {table} ORDER BY obs_id", client)  # noqa: S608 - ADQL
                assert found == wanted, (name, days, table)
            programs = ObservingProgram.objects.order_by()
            named = programs.filter(short_name="CORI") if user is None else visible(programs, user)
            wanted_programs = {*named.values_list("short_name", flat=True)} | (
                {"SECRET"} if user is None and len(wanted) == 2 else set()
            )
            assert set(column("SELECT short_name FROM ccat.programs", client)) == wanted_programs, (name, days)


def test_what_is_not_in_the_archive_is_no_data_product() -> None:
    ExecutedObsUnit.objects.get(obs_unit__source__name="Orion-KL").raw_data_packages.update(state="waiting")
    assert column(TARGETS) == []
    assert column("SELECT target_name FROM ccat.observations") == ["Orion-KL"]


# --- What is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("", "QUERY is missing"),
        ("DROP TABLE planning", "one SELECT"),
        ("UPDATE site SET active = false", "one SELECT"),
        ("SELECT 1; SELECT 2", "one SELECT"),
        ("WITH a AS (DELETE FROM site RETURNING *) SELECT * FROM a", ""),
        ("SELECT username FROM user", "no table user"),
        ('SELECT * FROM public."user"', "no table public.user"),
        ("SELECT * FROM pg_catalog.pg_roles", "no table"),
        ("SELECT * FROM tap_obscore", "no table"),
        ("SELECT pg_sleep(100)", "no function PG_SLEEP"),
        ("SELECT current_setting('ccatdc.sees_all')", "no function"),
        ("SELECT set_config('ccatdc.sees_all', 'on', true)", "no function"),
        ("SELECT * FROM generate_series(1, 1000000000)", ""),
        ("SELECT ctid FROM ivoa.obscore", "no column ctid"),
        ("SELECT obscore FROM ivoa.obscore", "no column obscore"),
        ("SELECT o.to_jsonb FROM ivoa.obscore AS o", "no column to_jsonb"),
        ("SELECT target_name FROM ivoa.obscore WHERE target_name ~ '(a+)+$'", "no ADQL"),
        ("SELECT target_name FROM ivoa.obscore WHERE target_name SIMILAR TO 'a'", ""),
        ("SELECT target_name FROM ivoa.obscore WHERE target_name RLIKE 'a'", ""),
        ("SELECT target_name FROM ivoa.obscore FOR UPDATE", "cannot have LOCKS"),
        ("SELECT target_name INTO x FROM ivoa.obscore", ""),
        ("SELECT SUM(s_ra) OVER (PARTITION BY s_dec) FROM ivoa.obscore", ""),
        ("SELECT target_name FROM LATERAL (SELECT 1) AS x", ""),
        ("WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM a) SELECT n FROM a", "RECURSIVE"),
        ("SELECT CAST(s_ra AS regclass) FROM ivoa.obscore", ""),
        ("SELECT s_ra[1] FROM ivoa.obscore", ""),
        ("SELECT $$a$$", ""),
        ("SELECT E'\\'' || version()", ""),
        ("SELECT target_name FROM ivoa.obscore -- \0", "control characters"),
        ("SELECT * FROM ivoa.obscore WHERE CONTAINS(POINT('GALACTIC', s_ra, s_dec), CIRCLE(1, 2, 3)) = 1", "ICRS"),
        ("SELECT * FROM ivoa.obscore WHERE CONTAINS(target_name, CIRCLE(1, 2, 3)) = 1", "no region"),
        ("SELECT * FROM ivoa.obscore WHERE CONTAINS(POINT(1, 2), CIRCLE(1, 200, 3)) = 1", "declination"),
        ("SELECT POINT(1, 2)", "stands inside"),
        ("SELECT s_ra FROM ivoa.obscore AS a, ivoa.obscore AS b", "is in a and in b"),
        ("SELECT 1 / 0", "division by zero"),
        ("SELECT target_name + 1 FROM ivoa.obscore", "cannot compute"),
        ("SELECT 1e999", "too large"),
        ("SELECT " + "9" * 50, "too long"),
        ("SELECT TOP 1.5 s_ra FROM ivoa.obscore", "whole numbers"),
        ("SELECT " + "(" * 30 + "1" + ")" * 30, "brackets"),
        ("SELECT " + "- " * 1400 + "1", "brackets"),
        ("SELECT " + "+".join("1" * 2000), "words and signs"),
        ("SELECT '" + "x" * 20_000 + "'", "characters"),
        ("SELECT 1 FROM ivoa.obscore AS a" + ", ivoa.obscore AS b" * 10, "are called b"),
        (TARGETS + "".join(f", ivoa.obscore AS t{n}" for n in range(10)), "tables at most"),
    ],
)
def test_what_is_refused(query: str, why: str) -> None:
    assert why in refusal(query)


def test_quoted_names_are_names_and_nothing_more(all_seeing: Client) -> None:
    # As CSV: astropy warns of such names.
    query = {"LANG": "ADQL", "QUERY": 'SELECT COUNT(*) AS "a"" FROM ""user%s" FROM ivoa.obscore', "FORMAT": "csv"}
    answer: Any = all_seeing.get("/tap/sync", query)
    assert b"".join(answer.streaming_content) == b'"a"" FROM ""user%s"\r\n2\r\n'
    assert "no column" in refusal('SELECT "s_ra""; DROP TABLE site" FROM ivoa.obscore')


def test_texts_are_texts(all_seeing: Client) -> None:
    assert column("SELECT TOP 1 'it''s \\ %s %% {0} \"' FROM ivoa.obscore", all_seeing) == ["it's \\ %s %% {0} \""]


def test_a_query_that_takes_too_long_is_cut(settings: Any) -> None:
    settings.TAP_SECONDS = 0.2
    many = ", ".join(f"tap_schema.columns AS t{n}" for n in range(6))
    said = refusal(f"SELECT COUNT(*) FROM {many} WHERE t0.ucd <> t1.utype")  # noqa: S608 - ADQL
    assert "longer than it may" in said
    settings.TAP_SECONDS = 20
    assert column(TARGETS) == ["Orion-KL"]


def test_as_many_run_as_may(settings: Any) -> None:
    settings.TAP_QUERIES = 0
    assert "As many queries run" in refusal(TARGETS)


def test_it_runs_as_a_role_that_sees_its_views_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def translate(sql: str) -> Translated:
        return Translated(sql, [], [Column("a")])

    monkeypatch.setattr(views, "translate", translate)
    assert column("SELECT current_user::text") == [ROLE]
    assert column("SELECT current_setting('temp_file_limit')") == ["2GB"]
    for stolen in ('SELECT password FROM "user"', "SELECT name FROM source", "SELECT key FROM physical_copy"):
        assert "permission denied" in refusal(stolen)
    monkeypatch.undo()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('transaction_read_only'), current_setting('ccatdc.sees_all', true)")
        assert cursor.fetchone() in [("off", ""), ("off", None)]


def test_all_of_the_tables_can_be_asked() -> None:
    for table in TABLES.values():
        names = [each.name for each in table.columns]
        rows = asked(f"SELECT TOP 3 {', '.join(names)} FROM {table.full_name}")  # noqa: S608 - ADQL
        assert rows or table.name == "keys"
