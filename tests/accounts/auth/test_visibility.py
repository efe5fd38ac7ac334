"""Whose data it is: members and leads at once, everybody after the proprietary period, nobody else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.utils import timezone

from accounts.auth.visibility import OF_PROGRAMS, concerns_programs
from accounts.models import User
from ccatdc.common import visibility
from ccatdc.common.errors import ConfigurationError
from ccatdc.common.visibility import visible
from datamgmt.models import RawDataFile, RawDataPackage
from planning.models import ExecutedObsUnit, ObservingProgram, ObsUnit, ProgramMembership
from tests.accounts.foreign import Foreign, scientist
from tests.factories.accounts import UserFactory
from tests.factories.datamgmt import RawDataFileFactory
from tests.factories.planning import ExecutedObsUnitFactory, ObservingProgramFactory, ObsUnitFactory
from tests.portal.conftest import one_of_each  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db


def observed(program: ObservingProgram, days_ago: float = 10) -> ExecutedObsUnit:
    begun = timezone.now() - timedelta(days=days_ago)
    unit = ObsUnitFactory.create(observing_program=program)
    return ExecutedObsUnitFactory.create(obs_unit=unit, start_time=begun)


def sees(user: User, execution: ExecutedObsUnit) -> bool:
    """Whether the execution is shown to them, and with it its plan: never the one without the other."""
    program = execution.obs_unit.observing_program
    found = {
        visible(ExecutedObsUnit.objects.filter(pk=execution.pk), user).exists(),
        visible(ObsUnit.objects.filter(pk=execution.obs_unit_id), user).exists(),
        visible(ObservingProgram.objects.filter(pk=program.pk), user).exists(),
    }
    assert len(found) == 1
    return found.pop()


class TestMembers:
    def test_a_member_sees_the_data_and_an_outsider_does_not(self) -> None:
        execution = observed(ObservingProgramFactory.create())
        member, outsider = scientist(), scientist()
        execution.obs_unit.observing_program.members.add(member)
        assert sees(member, execution)
        assert not sees(outsider, execution)

    def test_the_lead_is_a_member(self) -> None:
        lead = scientist()
        assert sees(lead, observed(ObservingProgramFactory.create(lead=lead)))

    def test_who_leaves_the_program_sees_it_no_more(self) -> None:
        execution, member = observed(ObservingProgramFactory.create()), scientist()
        execution.obs_unit.observing_program.members.add(member)
        ProgramMembership.objects.filter(user=member).delete()
        assert not sees(member, execution)

    def test_a_member_of_one_program_is_none_of_another(self) -> None:
        own, other = (ObservingProgramFactory.create(short_name=n) for n in ("DSS", "WFS"))
        member = scientist()
        own.members.add(member)
        assert sees(member, observed(own))
        assert not sees(member, observed(other))

    @pytest.mark.parametrize("permission", ["read:all_programs", "write:observations", "write:transfers"])
    def test_who_files_mends_or_oversees_sees_everything(self, permission: str) -> None:
        user = UserFactory.create(permissions=[permission], sees_all=False)
        assert sees(user, observed(ObservingProgramFactory.create()))

    def test_a_superuser_sees_everything_and_nobody_nothing(self) -> None:
        execution = observed(ObservingProgramFactory.create(proprietary_days=0))
        assert sees(UserFactory.create(is_superuser=True), execution)
        anybody: Any = AnonymousUser()
        assert not sees(anybody, execution)

    def test_an_account_that_is_off_sees_no_more_than_is_public(self) -> None:
        user = UserFactory.create(is_superuser=True, is_active=False)
        assert not sees(user, observed(ObservingProgramFactory.create()))


class TestPublicData:
    @pytest.mark.parametrize(
        ("days", "days_ago", "is_public"),
        [(None, 5000, False), (0, 0, True), (365, 364.99, False), (365, 365.01, True)],
    )
    def test_an_observation_is_public_after_the_period_of_its_program(
        self, days: int | None, days_ago: float, is_public: bool
    ) -> None:
        program = ObservingProgramFactory.create(proprietary_days=days)
        assert sees(scientist(), observed(program, days_ago)) is is_public

    def test_only_what_is_old_enough_is_shown_of_a_program(self) -> None:
        program = ObservingProgramFactory.create(proprietary_days=100)
        old, new = observed(program, 101), observed(program, 99)
        files = [RawDataFileFactory.create(executed_obs_unit=each) for each in (old, new)]
        user = scientist()
        assert list(visible(ExecutedObsUnit.objects.all(), user)) == [old]
        assert list(visible(ObsUnit.objects.all(), user)) == [old.obs_unit]
        assert list(visible(RawDataFile.objects.all(), user)) == files[:1]


class TestEveryTable:
    def test_an_outsider_sees_no_row_of_any_table_of_programs(self, one_of_each: None) -> None:  # noqa: F811
        Foreign.of_everything()
        user, filled = scientist(), set()
        for app in OF_PROGRAMS:
            for model in apps.get_app_config(app).get_models():
                if not concerns_programs(model):
                    continue
                rows: Any = model._default_manager.all()
                filled |= {model._meta.label_lower} if rows.exists() else set()
                assert not visible(rows, user).exists(), model
        assert len(filled) > 20

    def test_a_member_sees_what_hangs_on_the_data_too(self, one_of_each: None) -> None:  # noqa: F811
        Foreign.of_everything()
        user = scientist()
        for program in ObservingProgram.objects.all():
            program.members.add(user)
        for name in (
            "planning.subobservingprogram",
            "planning.observationconfiguration",
            "planning.chaiinparparameter",
            "planning.chaitiling",
            "planning.prescheduledslot",
            "datamgmt.rawdatapackage",
            "datamgmt.rawdatapackagemetadata",
            "datamgmt.physicalcopy",
            "transfer.rawdatapackagecreation",
        ):
            assert visible(apps.get_model(name)._default_manager.all(), user).exists(), name
        assert not visible(apps.get_model("transfer.datatransfer").objects.all(), user).exists()

    def test_without_a_rule_nothing_is_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(visibility, "_rules", [])
        with pytest.raises(ConfigurationError):
            visible(ExecutedObsUnit.objects.all(), scientist())


class TestQueries:
    def test_one_row_is_found_by_keys_and_not_by_reading_tables(self) -> None:
        file = RawDataFileFactory.create(executed_obs_unit=observed(ObservingProgramFactory.create()))
        rows = visible(RawDataFile.objects.filter(pk=file.pk), scientist())
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
        plan = rows.explain()
        for table in ("raw_data_file", "executed_obs_unit", "obs_unit"):
            assert f"Seq Scan on {table}" not in plan
            assert f"on {table} " in plan

    def test_the_rule_is_one_query(self, django_assert_num_queries: Any) -> None:
        observed(ObservingProgramFactory.create(proprietary_days=0))
        user = scientist()
        assert user.sees_all_programs is False  # which reads the permissions
        with django_assert_num_queries(1):
            assert len(visible(ExecutedObsUnit.objects.all(), user)) == 1
        with django_assert_num_queries(1):
            assert len(visible(RawDataPackage.objects.all(), user)) == 0
