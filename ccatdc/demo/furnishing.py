"""What must be there before the first observation: tables, rows, places, people.

Everything may run again: a second start finds it done, and what an operator changed stays.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.core.management import call_command
from django.db import connection

from accounts.defaults import ensure_default_roles
from accounts.models import ApiToken, Role, User
from ccatdc.common.errors import ConfigurationError
from ccatdc.demo.home import Home
from ccatdc.demo.instrument import INSTRUMENTS
from ccatdc.demo.overlay import BUCKETS, DISKS, write_overlay
from datamgmt.models import DataLocation, DiskDataLocation, S3DataLocation
from datamgmt.registration import register
from datamgmt.storage import storage_for
from observatory.models import Instrument
from planning.models import ObservingProgram

Say = Callable[[str], None]


@dataclass(frozen=True)
class Person:
    """An account of the demo."""

    username: str
    full_name: str
    role: str
    is_staff: bool


PEOPLE = (
    Person("admin", "Administrator", "admin", is_staff=True),
    Person("operator", "Operator at the telescope", "observer", is_staff=True),
    Person("scientist", "Scientist", "viewer", is_staff=False),
)
_INSTRUMENTS_ACCOUNT = "instruments"
_SERVICE_SCOPES = ["read:observations", "write:observations"]
_SCIENTIST_SCOPES = ["read:observations", "stage:data"]


def furnish(home: Home, endpoint_url: str, say: Say) -> None:
    """Make or complete everything. Raises ConfigurationError for a database that is not ours,
    LocationIdentityError for a place that vanished.
    """
    _refuse_foreign_database(home)
    say("Tables")
    call_command("migrate", verbosity=0, interactive=False)
    say("Reference data and locations")
    _correct_endpoints(endpoint_url)
    call_command("load_reference", *write_overlay(home, endpoint_url), verbosity=0)
    for location in _own_locations():
        if location.registered_at is None:
            register(location, create=True)
        else:
            storage_for(location).check_identity()
    say("Accounts")
    ensure_default_roles()
    for person in PEOPLE:
        _ensure_person(home, person)
    _ensure_memberships()
    _ensure_tokens(home)


def collect_static(home: Home) -> None:
    """The portal's style sheets and scripts, for a server that is no debugging server."""
    done = _static_version()
    if home.remembered("static") != done or not home.static.is_dir():
        call_command("collectstatic", verbosity=0, interactive=False, stdout=io.StringIO())
        home.remember("static", done)


def password_of(home: Home, person: Person) -> str:
    """The password with which a person was made."""
    return home.secret(f"PASSWORD_{person.username.upper()}", length=9)


def instrument_token(home: Home, instrument: str) -> str:
    """The secret of an instrument's token."""
    return home.secret(_token_secret(instrument))


def scientist_token(home: Home) -> str:
    """The secret of the scientist's token."""
    return home.secret(_token_secret("scientist"))


def _refuse_foreign_database(home: Home) -> None:
    """A database given by DATABASE_URL may be somebody's. Ours has no disks outside our folder."""
    if DataLocation._meta.db_table not in connection.introspection.table_names():
        return
    foreign = DiskDataLocation.objects.exclude(path__startswith=f"{home.root}/").first()
    if foreign is not None:
        raise ConfigurationError(
            f"The database of DATABASE_URL has a location at {foreign.path}, outside {home.root}: "
            "it belongs to another data center.",
            code="demo.foreign_database",
            remedy="Give an empty database, the --root it was made with, or unset DATABASE_URL.",
        )


def _correct_endpoints(endpoint_url: str) -> None:
    """The S3 server is on another port when its old one was taken; the buckets are the same, as
    their markers prove. Reference data could not say so: a location with copies does not move.
    """
    S3DataLocation.objects.filter(endpoint_url__startswith="http://127.0.0.1:").update(
        endpoint_url=endpoint_url
    )


def _own_locations() -> list[DataLocation]:
    names = [f"{site}_{name}" for site, name in (*DISKS, *BUCKETS)]
    rows = DataLocation.objects.with_site()
    return [row for row in rows if row.full_name in names]


def _ensure_person(home: Home, person: Person) -> None:
    if User.objects.filter(username=person.username).exists():
        return
    user = User(
        username=person.username,
        full_name=person.full_name,
        email=f"{person.username}@example.org",
        is_staff=person.is_staff,
        is_superuser=person.role == "admin",
    )
    user.set_password(password_of(home, person))
    user.save()
    user.roles.add(Role.objects.get(name=person.role))


def _ensure_memberships() -> None:
    """The scientist is in every program, and so sees what the demo observes."""
    scientist = User.objects.get(username="scientist")
    scientist.observing_programs.add(*ObservingProgram.objects.all())


def _ensure_tokens(home: Home) -> None:
    account, created = User.objects.get_or_create(
        username=_INSTRUMENTS_ACCOUNT, defaults={"full_name": "Instrument software"}
    )
    if created:
        account.set_unusable_password()
        account.save()
        account.roles.add(Role.objects.get(name="service"))
    for simulated in INSTRUMENTS:
        instrument = Instrument.objects.get(short_name=simulated.name)
        _ensure_token(home, account, simulated.name, _SERVICE_SCOPES, instrument)
    scientist = User.objects.get(username="scientist")
    _ensure_token(home, scientist, "scientist", _SCIENTIST_SCOPES, None)


def _ensure_token(
    home: Home, user: User, name: str, scopes: list[str], instrument: Instrument | None
) -> None:
    kept = home.known_secret(_token_secret(name))
    if kept is not None and ApiToken.objects.usable().for_secret(kept).exists():
        return
    # The database keeps no secret of a token: without ours, a new one takes its place.
    ApiToken.objects.filter(user=user, name=name).delete()
    _, secret = ApiToken.issue(user=user, name=name, scopes=scopes, instrument=instrument)
    home.keep_secret(_token_secret(name), secret)


def _token_secret(name: str) -> str:
    return f"TOKEN_{name.upper().replace('-', '_')}"


def _static_version() -> str:
    """Changes when a package with static files, or a file of ours, does."""
    from importlib.metadata import version

    from django.conf import settings

    packages = ("django", "django-unfold", "drf-spectacular-sidecar", "whitenoise")
    versions = [f"{package} {version(package)}" for package in packages]
    ours = [
        f"{file} {file.stat().st_mtime_ns}"
        for folder in settings.STATICFILES_DIRS
        for file in sorted(Path(folder).rglob("*"))
        if file.is_file()
    ]
    return " ".join([*versions, *ours])
