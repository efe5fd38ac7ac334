"""The copy of the reference data: equal to the main site's rows, and what filed rows need stays."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import ForeignKey
from django.utils import timezone

from accounts.models import ApiToken, Role, User
from ccatdc.common.errors import ConfigurationError
from gateway.models import OutboxItem
from gateway.reference.applying import apply_snapshot
from gateway.reference.keys import keep_keys_apart
from gateway.reference.snapshot import snapshot, snapshot_tag
from gateway.reference.tables import LOCAL_KEYS, TABLES
from observatory.models import InstrumentModule
from planning.models import (
    ConstantElevationSource,
    ExecutedObsUnit,
    FixedSource,
    ObservingProgram,
    ObsUnit,
    PreScheduledSlot,
    Source,
)
from tests.api.conftest import client_with, problem
from tests.factories.accounts import ApiTokenFactory, UserFactory
from tests.factories.datamgmt import BufferLocationFactory, SourceLocationFactory
from tests.factories.observatory import InstrumentModuleFactory, LineFactory
from tests.factories.planning import (
    ConstantElevationAzimuthRangeFactory,
    ExecutedObsUnitFactory,
    FixedSourceFactory,
    ObservingProgramFactory,
    ObsUnitFactory,
    PreScheduledSlotFactory,
    SubObservingProgramFactory,
)
from transfer.models import ServiceHeartbeat

pytestmark = pytest.mark.django_db
ADDRESS = "/api/reference/snapshot"
#: Tables of the four apps that a gateway does not copy, and why.
OWN = {
    "systemlog": "the audit log of each site",
    "change": "the history of each site",
    "usersession": "the log-ins of each site",
    "executedobsunit": "filed",
    "weathersample": "what stations sent to the main site",
    "rawdatafile": "filed",
    "physicalcopy": "filed",
    "unrecordedfile": "what the inventories of the main site found",
    "rawdatapackage": "the flow",
    "rawdatapackagemetadata": "the flow",
    "datatransferpackage": "the flow",
    "reductionsoftware": "what reduces data at the main site",
    "reductionsoftwareversion": "what reduces data at the main site",
    "processingrun": "filed at the main site",
    "dataproduct": "filed at the main site",
    "publication": "kept at the main site",
    "user": "groups and rights of Django's own, which nothing here uses",
}


@pytest.fixture
def world() -> None:
    """Rows of many kinds."""
    InstrumentModuleFactory.create()
    SourceLocationFactory.create()
    BufferLocationFactory.create()
    LineFactory.create()
    SubObservingProgramFactory.create()
    ConstantElevationAzimuthRangeFactory.create()
    PreScheduledSlotFactory.create()
    ApiTokenFactory.create()


def text() -> str:
    return snapshot()[1].decode()


def everything() -> str:
    """All copied rows, as text."""
    return json.dumps(json.loads(text())["tables"])


@pytest.mark.usefixtures("world")
class TestApply:
    def test_a_snapshot_of_the_same_rows_changes_nothing(self) -> None:
        applied = apply_snapshot(text())
        assert (applied.added, applied.changed, applied.deleted, applied.withdrawn) == (0, 0, 0, 0)

    def test_changed_added_and_deleted_rows_become_those_of_the_snapshot(self) -> None:
        gone = FixedSourceFactory.create(name="Only in the snapshot", ra_deg=1.25)
        wanted, rows = text(), everything()
        FixedSource.objects.get(pk=gone.pk).delete()
        FixedSourceFactory.create(name="Only here")
        InstrumentModule.objects.update(beam_fwhm_arcsec=17.5)
        Role.objects.get(name="viewer").permissions.clear()

        applied = apply_snapshot(wanted)

        assert everything() == rows
        assert applied.deleted >= 1
        assert Source.objects.get(pk=gone.pk).ra_deg == 1.25  # type: ignore[attr-defined]
        assert not Source.objects.filter(name="Only here").exists()

    def test_names_may_move_between_rows(self) -> None:
        one, two = ObsUnitFactory.create(name="one"), ObsUnitFactory.create(name="two")
        execution = ExecutedObsUnitFactory.create(obs_unit=one)
        wanted = text()
        ObsUnit.objects.filter(pk=one.pk).update(name="aside")
        ObsUnit.objects.filter(pk=two.pk).update(name="one")
        ObsUnit.objects.filter(pk=one.pk).update(name="two")
        apply_snapshot(wanted)
        one.refresh_from_db()
        assert one.name == "one"
        assert ExecutedObsUnit.objects.get(pk=execution.pk).obs_unit == one

    def test_what_filed_rows_refer_to_stays_switched_off_and_renamed(self) -> None:
        wanted = text()
        program = ObservingProgramFactory.create(short_name="Short-lived")
        field = ConstantElevationAzimuthRangeFactory.create(
            source=ConstantElevationSource.objects.create(name="A field", elevation_deg=40)
        ).source
        unit = ObsUnitFactory.create(name="A unit", observing_program=program, source=field)
        slot = PreScheduledSlotFactory.create(
            obs_unit=unit, start_time=datetime(2027, 1, 1, tzinfo=UTC), end_time=datetime(2027, 1, 1, 1, tzinfo=UTC)
        )
        execution = ExecutedObsUnitFactory.create(obs_unit=unit, pre_scheduled_slot=slot)

        applied = apply_snapshot(wanted)

        unit.refresh_from_db()
        assert (unit.state, unit.name) == ("cancelled", f"A unit~{unit.pk}")
        program.refresh_from_db()
        suffix = f"~{program.pk}"
        assert (program.active, program.short_name) == (False, "Short-lived"[: 16 - len(suffix)] + suffix)
        assert PreScheduledSlot.objects.get(pk=slot.pk).status == "cancelled"
        # A kind of a row stays with it.
        assert isinstance(Source.objects.get(pk=field.pk), ConstantElevationSource)
        assert ExecutedObsUnit.objects.get(pk=execution.pk).obs_unit == unit
        assert applied.withdrawn >= 4
        again = apply_snapshot(wanted)
        assert (again.withdrawn, again.deleted) == (0, 0)

    def test_a_withdrawn_row_that_comes_back_is_as_it_was(self) -> None:
        before = text()
        unit = ObsUnitFactory.create(name="A unit")
        ExecutedObsUnitFactory.create(obs_unit=unit)
        with_unit = text()
        apply_snapshot(before)
        apply_snapshot(with_unit)
        unit.refresh_from_db()
        assert (unit.name, unit.state) == ("A unit", "active")

    def test_a_revoked_token_is_revoked_here_and_one_that_filed_stays_when_it_is_gone(self) -> None:
        kept = ApiTokenFactory.create()
        before = text()
        gone = ApiTokenFactory.create()
        ExecutedObsUnitFactory.create(reported_by_token=gone)
        ApiToken.objects.filter(pk=kept.pk).update(revoked_at=timezone.now())
        revoked = text()
        ApiToken.objects.filter(pk=kept.pk).update(revoked_at=None)
        apply_snapshot(revoked)
        assert not ApiToken.objects.usable().filter(pk=kept.pk).exists()
        apply_snapshot(before)
        assert not ApiToken.objects.usable().filter(pk=gone.pk).exists()
        assert ApiToken.objects.filter(pk=gone.pk).exists()
        assert ApiToken.objects.usable().filter(pk=kept.pk).exists()

    def test_a_password_of_this_site_stays_and_is_in_no_snapshot(self) -> None:
        person = UserFactory.create(username="ana", full_name="Ana")
        wanted = text()
        person.set_password("of the gateway")
        person.full_name = "somebody"
        person.save()
        assert person.password not in text()
        assert person.email not in text()
        apply_snapshot(wanted)
        person.refresh_from_db()
        assert person.full_name == "Ana"
        assert person.check_password("of the gateway")

    def test_a_person_of_the_main_site_has_no_password_here_at_first(self) -> None:
        person = UserFactory.create(username="ana")
        wanted = text()
        User.objects.filter(pk=person.pk).delete()
        apply_snapshot(wanted)
        assert not User.objects.get(pk=person.pk).has_usable_password()

    def test_accounts_that_were_made_here_are_left_alone(self) -> None:
        wanted = text()
        local = UserFactory.create(id=LOCAL_KEYS + 1, username="site operator")
        apply_snapshot(wanted)
        assert User.objects.get(pk=local.pk).is_active

    def test_a_snapshot_of_another_version_changes_nothing(self) -> None:
        document = json.loads(text())
        document["tables"][0]["columns"].append("new_column")
        with pytest.raises(ConfigurationError, match="observatory"):
            apply_snapshot(json.dumps(document))
        with pytest.raises(ConfigurationError):
            apply_snapshot(json.dumps({**document, "format": 2}))
        with pytest.raises(ConfigurationError):
            apply_snapshot("[]")

    def test_deferred_keys_are_checked_before_it_counts(self) -> None:
        """A snapshot that contradicts itself is refused as a whole."""
        from django.db import IntegrityError, transaction

        document = json.loads(text())
        units = next(t for t in document["tables"] if t["table"] == "obs_unit")
        units["rows"][0]["source_id"] = 10**9
        with pytest.raises(IntegrityError), transaction.atomic():
            apply_snapshot(json.dumps(document))
        assert ObsUnit.objects.exists()


class TestTables:
    def test_each_refers_only_to_copied_tables(self) -> None:
        known = {table.model for table in TABLES} | {apps.get_model("contenttypes.ContentType")}
        wrong = [
            f"{field.model.__name__}.{field.name}"
            for table in TABLES
            for field in table.model._meta.local_fields
            if isinstance(field, ForeignKey) and field.related_model not in known
        ]
        assert wrong == []

    def test_every_table_below_is_copied_or_said_to_be_this_sites_own(self) -> None:
        copied = {table.model._meta.label_lower for table in TABLES}
        missing = set()
        for app in ("observatory", "accounts", "planning", "datamgmt"):
            for model in apps.get_app_config(app).get_models(include_auto_created=True):
                name = str(model._meta.model_name)
                of_own = any(name == own or name.startswith(f"{own}_") for own in OWN)
                if model._meta.proxy or of_own or model._meta.label_lower in copied:
                    continue
                missing.add(model._meta.label)
        assert missing == set()

    def test_keys_that_are_given_here_are_far_from_those_of_the_main_site(self) -> None:
        keep_keys_apart()
        keep_keys_apart()
        first, second = (ObservingProgram.objects.create(name=n, short_name=n) for n in "ab")
        assert first.pk > LOCAL_KEYS
        assert second.pk == first.pk + 1
        _forget_keys()


def _forget_keys() -> None:
    """Sequences do not go back with a transaction."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute("SELECT pg_get_serial_sequence(quote_ident(%s), %s)", [table.name, table.key])
            (sequence,) = cursor.fetchone()
            if sequence is not None:
                cursor.execute(f"SELECT setval(%s, 100000) FROM {sequence}", [sequence])  # noqa: S608


@pytest.mark.usefixtures("world")
class TestAddress:
    def client(self) -> Any:
        return client_with("mirror:reference")

    def test_the_document_and_its_tag(self) -> None:
        client = self.client()
        answer = client.get(ADDRESS)
        assert answer.status_code == 200
        body = answer.json()
        assert answer["ETag"] == f'"{body["tag"]}"' == f'"{snapshot_tag()}"'
        assert {table["table"] for table in body["tables"]} >= {"obs_unit", "api_token", "site"}

    def test_that_a_gateway_asks_is_its_sign_of_life(self) -> None:
        client = self.client()
        client.get(ADDRESS)
        beat = ServiceHeartbeat.objects.get(service_type="gateway")
        assert (beat.host, beat.is_silent) == ("127.0.0.1", False)
        ServiceHeartbeat.objects.update(last_seen=timezone.now() - timedelta(minutes=6), stopped_at=timezone.now())
        client.get(ADDRESS)
        assert ServiceHeartbeat.objects.alive().get() == beat

    def test_what_is_unchanged_is_not_sent_again(self) -> None:
        client = self.client()
        client.get(ADDRESS)  # the first use of the token
        tag = client.get(ADDRESS)["ETag"]
        same = client.http.get(ADDRESS, headers={"If-None-Match": tag})
        assert (same.status_code, same.content, same["ETag"]) == (304, b"", tag)
        InstrumentModule.objects.update(available=False)
        changed = client.http.get(ADDRESS, headers={"If-None-Match": tag})
        assert changed.status_code == 200
        assert changed["ETag"] != tag

    def test_it_is_packed_for_who_can_unpack_it(self) -> None:
        answer = self.client().http.get(ADDRESS, headers={"Accept-Encoding": "gzip"})
        assert answer["Content-Encoding"] == "gzip"
        assert json.loads(gzip.decompress(answer.content))["format"] == 1

    def test_it_needs_its_own_permission(self) -> None:
        client = client_with("read:observations", "write:observations", "configure:system")
        problem(client.get(ADDRESS), 403, "request.permission_denied")


def test_the_outbox_keeps_tokens_and_people_that_filed(db: None) -> None:
    before = text()
    token = ApiTokenFactory.create()
    execution = ExecutedObsUnitFactory.create()
    OutboxItem.objects.create(
        sequence=execution.pk, kind="start", method="POST", path="/", body="{}", body_bytes=2,
        token=token, user=token.user,
    )  # fmt: skip
    apply_snapshot(before)
    assert OutboxItem.objects.get().token == token
    token.user.refresh_from_db()
    assert not token.user.is_active
