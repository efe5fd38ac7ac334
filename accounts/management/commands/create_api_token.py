"""``manage.py create_api_token USER NAME``: a token for a program; its secret is printed once.

Only the secret goes to standard output, so that a script can put it where it belongs.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.models import ApiToken, Permission, User, record
from observatory.models import Instrument

#: What a token may do when nothing is said: file, and read back.
DEFAULT_SCOPES: Final = ("read:observations", "write:observations")


class Command(BaseCommand):
    help = "Make an API token and print its secret, which is stored nowhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="User name of the owner.")
        parser.add_argument("name", help="What the token is for; unique for its owner.")
        parser.add_argument(
            "--scope",
            action="append",
            dest="scopes",
            metavar="SCOPE",
            help=f"A permission; may be repeated. Default: {' '.join(DEFAULT_SCOPES)}.",
        )
        parser.add_argument("--instrument", metavar="SHORT", help="Bind the token to the data of one instrument.")
        parser.add_argument("--expires-days", type=float, metavar="N", help="Default: it does not expire.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Make the token, print its secret."""
        user = _user(options["user"])
        name = options["name"]
        if not name or ApiToken.objects.filter(user=user, name=name).exists():
            raise CommandError(f"{user} has a token {name!r} already, or the name is empty.")
        token, secret = ApiToken.issue(
            user=user,
            name=name,
            scopes=_scopes(user, options["scopes"] or DEFAULT_SCOPES),
            instrument=_instrument(options["instrument"]),
            expires_at=_expiry(options["expires_days"]),
        )
        record("tokens", f"Token {name} of {user} was made on the command line.", about=token)
        self.stderr.write(f"{token} may {', '.join(token.scopes)}. Shown once:")
        self.stdout.write(secret)


def _user(username: str) -> User:
    user = User.objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"There is no user {username!r}.")
    if not user.is_active:
        raise CommandError(f"{username} is switched off; the token would not be usable.")
    return user


def _scopes(user: User, scopes: Sequence[str]) -> list[str]:
    known = set(Permission.objects.values_list("codename", flat=True))
    unknown = [scope for scope in scopes if scope not in known]
    if unknown:
        raise CommandError(f"There is no permission {', '.join(unknown)}; known are {', '.join(sorted(known))}.")
    missing = [scope for scope in scopes if not user.may(scope)]
    if missing:
        held = ", ".join(sorted(user.permission_codenames())) or "nothing"
        raise CommandError(f"The roles of {user} do not hold {', '.join(missing)}; they hold {held}.")
    return sorted(set(scopes))


def _instrument(short_name: str | None) -> Instrument | None:
    if short_name is None:
        return None
    instrument = Instrument.objects.filter(short_name=short_name).first()
    if instrument is None:
        known = ", ".join(Instrument.objects.values_list("short_name", flat=True)) or "none"
        raise CommandError(f"There is no instrument {short_name!r}; known are {known}.")
    return instrument


def _expiry(days: float | None) -> datetime | None:
    if days is None:
        return None
    if not 0 < days <= 36_500:
        raise CommandError("A token expires after more than 0 and at most 36,500 days.")
    return timezone.now() + timedelta(days=days)
