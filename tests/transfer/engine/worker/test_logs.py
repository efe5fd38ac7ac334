"""Logs of operations: on disk while they are written, in another storage when they are complete, and gone with their rows."""

from __future__ import annotations

import logging
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from ccatdc.dev.s3server import S3Server
from tests.factories.transfer import DeletionFactory, LocationCheckFactory
from transfer.engine.worker.logs import captured, end_of_log, log_name_of, remove_logs
from transfer.managers.s80_monitor import MonitorManager
from transfer.models import LocationCheck, Operation

NAME = log_name_of(12_345, 2)


@pytest.fixture
def on_disk(settings: Any, tmp_path: Path) -> Path:
    options = {"OPTIONS": {"location": tmp_path}}
    settings.STORAGES = {**settings.STORAGES, "logs": {**settings.STORAGES["logs"], **options}}
    return tmp_path


@pytest.fixture
def in_bucket(settings: Any, s3_server: S3Server, s3_bucket: str) -> None:
    options = {
        "bucket_name": s3_bucket,
        "endpoint_url": s3_server.endpoint_url,
        "access_key": s3_server.access_key,
        "secret_key": s3_server.secret_key,
        "file_overwrite": True,
    }
    settings.STORAGES = {**settings.STORAGES, "logs": {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}}


def test_a_log_on_disk_is_there_while_it_is_written(on_disk: Path) -> None:
    with captured(NAME):
        logging.getLogger("transfer.test").warning("half-way")
        assert "half-way" in (on_disk / "operations" / "12" / "12345-2.log").read_text()
    assert "half-way" in (end_of_log(NAME) or "")


def test_a_log_in_a_bucket_is_read_from_anywhere(in_bucket: None) -> None:
    assert end_of_log(NAME) is None
    with captured(NAME):
        logging.getLogger("datamgmt.test").warning("done elsewhere")
    assert "done elsewhere" in (end_of_log(NAME) or "")
    remove_logs([(12_345, 2)])
    assert end_of_log(NAME) is None


def test_a_storage_that_does_not_answer_does_not_stop_the_work(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    options = {"bucket_name": "b", "endpoint_url": "http://127.0.0.1:9", "access_key": "a", "secret_key": "s"}
    settings.STORAGES = {**settings.STORAGES, "logs": {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}}
    with captured(NAME):
        pass
    assert "could not be kept" in caplog.text


def test_only_the_end_of_a_long_log_is_shown(on_disk: Path) -> None:
    with captured(NAME):
        logging.getLogger("transfer.test").warning("first %s last", "x" * 300_000)
    shown = end_of_log(NAME) or ""
    assert len(shown) == 200_000
    assert shown.endswith("last\n")


@pytest.mark.django_db
def test_checks_are_forgotten_with_their_logs(on_disk: Path) -> None:
    old = LocationCheckFactory.create(
        completed=True, claims=2, finished_at=timezone.now() - timedelta(days=2), location__registered_at=timezone.now()
    )
    for claim in (1, 2):
        with captured(log_name_of(old.pk, claim)):
            pass
    MonitorManager().plan(old.location)
    assert not LocationCheck.objects.filter(pk=old.pk).exists()
    assert list(on_disk.rglob("*.log")) == []


@pytest.mark.django_db
def test_the_command_removes_logs_of_old_work_only(on_disk: Path) -> None:
    for number, days in enumerate((400, 10)):
        operation = DeletionFactory.create(
            subject=f"batch:{number}", completed=True, claims=1, finished_at=timezone.now() - timedelta(days=days)
        )
        name = log_name_of(operation.pk, 1)
        Operation.objects.filter(pk=operation.pk).update(log_path=name)
        with captured(name):
            pass
    out = StringIO()
    call_command("remove_old_logs", "--days=365", stdout=out)
    assert "logs of 1 operations" in out.getvalue()
    assert Operation.objects.exclude(log_path="").count() == 1
    assert [path.name for path in on_disk.rglob("*.log")] == [f"{operation.pk}-1.log"]


def test_the_command_wants_a_day_at_least() -> None:
    with pytest.raises(CommandError, match="at least 1"):
        call_command("remove_old_logs", "--days=0")
