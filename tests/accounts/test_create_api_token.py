"""``manage.py create_api_token``: the secret alone on standard output, once."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import ApiToken, User
from tests.factories.accounts import UserFactory
from tests.factories.observatory import InstrumentFactory

pytestmark = pytest.mark.django_db

FILING = ["read:observations", "write:observations"]


@pytest.fixture
def user() -> User:
    return UserFactory.create(username="primecam", permissions=[*FILING, "stage:data"])


def run(*arguments: str, **options: Any) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("create_api_token", *arguments, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def test_the_secret_alone_is_printed_and_works(user: User) -> None:
    out, err = run("primecam", "spectrometer")

    secret = out.strip()
    assert out == f"{secret}\n"
    assert secret.startswith("ccatdc_")
    token = ApiToken.objects.usable().for_secret(secret).get()
    assert (token.user, token.name, token.scopes) == (user, "spectrometer", FILING)
    assert (token.instrument, token.expires_at) == (None, None)
    assert secret not in err
    assert secret not in str(ApiToken.objects.values().get()), "only its hash is stored"


def test_scopes_instrument_and_expiry_are_as_asked(user: User) -> None:
    chai = InstrumentFactory.create(short_name="chai")
    run(
        "primecam",
        "x",
        "--scope",
        "stage:data",
        "--scope",
        "stage:data",
        "--instrument",
        "chai",
        "--expires-days",
        "1.5",
    )
    token = ApiToken.objects.get()
    assert token.scopes == ["stage:data"]
    assert token.instrument == chai
    assert token.expires_at is not None
    left = token.expires_at - timezone.now()
    assert timedelta(days=1.49) < left < timedelta(days=1.51)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nobody", "x"], "no user 'nobody'"),
        (["asleep", "x"], "switched off"),
        (["primecam", "taken"], "has a token 'taken' already"),
        (["primecam", ""], "the name is empty"),
        (["primecam", "x", "--scope", "write:everything"], "no permission write:everything"),
        (["primecam", "x", "--scope", "manage:users"], "do not hold manage:users"),
        (["primecam", "x", "--instrument", "hal"], "no instrument 'hal'; known are primecam"),
        (["primecam", "x", "--expires-days", "0"], "more than 0"),
        (["primecam", "x", "--expires-days", "nan"], "more than 0"),
        (["primecam", "x", "--expires-days", "1e9"], "at most"),
    ],
)
def test_what_makes_no_sense_is_refused(user: User, arguments: list[str], said: str) -> None:
    UserFactory.create(username="asleep", is_active=False)
    InstrumentFactory.create()
    run("primecam", "taken")
    with pytest.raises(CommandError, match=said):
        run(*arguments)
    assert ApiToken.objects.count() == 1
