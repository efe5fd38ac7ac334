"""Hosts, accounts and paths of locations stand on command lines: none of them may look like an option."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from datamgmt.models import DiskDataLocation
from tests.factories.datamgmt import DiskDataLocationFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"host": "-oProxyCommand=touch /tmp/pwned"}, "host"),
        ({"host": "host name"}, "host"),
        ({"host": "host;reboot"}, "host"),
        ({"host": "user@host"}, "host"),
        ({"user": "-l"}, "user"),
        ({"user": "a b"}, "user"),
        ({"path": "/data\nrm"}, "path"),
        ({"path": "data"}, "path"),
    ],
)
def test_what_could_be_an_option_or_a_command_is_refused(fields: dict[str, Any], field: str) -> None:
    location = DiskDataLocationFactory.build(site=DiskDataLocationFactory.create().site, name="other", **fields)
    with pytest.raises(ValidationError) as refused:
        location.full_clean()
    assert field in refused.value.message_dict


@pytest.mark.parametrize("fields", [{"host": "-oProxyCommand=x"}, {"user": "-x"}])
def test_the_database_refuses_it_too(fields: dict[str, str]) -> None:
    location = DiskDataLocationFactory.create()
    with pytest.raises(IntegrityError, match="disk_"):
        DiskDataLocation.objects.filter(pk=location.pk).update(**fields)


@pytest.mark.parametrize("host", ["", "localhost", "chai-01.fyst.example", "10.0.0.1"])
def test_hosts_are_taken(host: str) -> None:
    location = DiskDataLocationFactory.create(host=host, user="ccat_transfer")
    location.full_clean()
