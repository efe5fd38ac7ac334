"""The first page for everybody, and a person's programs and usage."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from tests.factories.datamgmt import ProcessingLocationFactory
from tests.factories.planning import ExecutedObsUnitFactory, ObservingProgramFactory
from tests.factories.transfer import DownloadFactory, StagingJobFactory, StagingQuotaFactory
from tests.staging.conftest import archived
from transfer.models import Download


@pytest.mark.django_db
class TestLanding:
    def test_it_names_public_programs_and_no_others(self, settings: Any) -> None:
        settings.CONTACT = "data@example.org"
        for name, days in (("OPEN", 0), ("LATER", 10**5), ("CLOSED", None)):
            program = ObservingProgramFactory.create(short_name=name, proprietary_days=days)
            ExecutedObsUnitFactory.create(obs_unit__observing_program=program, obs_unit__name=name)

        answer = Client().get("/")
        page = answer.content.decode()
        assert answer.status_code == 200
        assert "OPEN" in page and "LATER" not in page and "CLOSED" not in page
        assert 'href="mailto:data@example.org"' in page
        assert "/accounts/login/" in page

    def test_the_database_is_asked_once(self, django_assert_num_queries: Any) -> None:
        with django_assert_num_queries(1):
            assert "Nothing is public yet" in Client().get("/").content.decode()
            Client().get("/")

    def test_who_is_logged_in_begins_elsewhere(self, client: Client) -> None:
        assert "Welcome" in client.get("/").content.decode()


class TestUsage:
    def test_programs_quotas_and_downloads(self, client: Client, scientist: User) -> None:
        program = ObservingProgramFactory.create(short_name="MINE", proprietary_days=30)
        program.members.add(scientist)
        ObservingProgramFactory.create(short_name="OTHERS")
        StagingQuotaFactory.create(max_gb=10)
        StagingQuotaFactory.create(program=program, max_gb=5)
        execution = ExecutedObsUnitFactory.create(obs_unit__observing_program=program, finished=True)
        package = archived("mine", 2 * 10**9, executed_obs_unit=execution)
        place = ProcessingLocationFactory.create()
        StagingJobFactory.create(packages=[package], destination_location=place, requested_by=scientist)
        DownloadFactory.create(user=scientist, sent_bytes=3 * 10**6)
        old = DownloadFactory.create(user=scientist, sent_bytes=10**6, name="old.g3")
        Download.objects.filter(pk=old.pk).update(started_at=timezone.now() - timedelta(days=3))
        DownloadFactory.create(name="theirs.g3")

        page = client.get("/accounts/me/usage/").content.decode()
        assert "MINE" in page and "OTHERS" not in page
        assert "2 GB of 10 GB taken, 8 GB free" in page
        assert "2 GB of 5 GB taken, 3 GB free" in page
        assert "3 MB in the last 24 hours" in page and "4 MB in the last 30 days" in page
        assert "old.g3" in page and "theirs.g3" not in page
        assert "My programs, quotas and downloads" in client.get("/accounts/me/").content.decode()

    def test_it_asks_for_a_log_in(self, db: None) -> None:
        assert Client().get("/accounts/me/usage/").status_code == 302
