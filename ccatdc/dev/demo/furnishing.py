"""What must be there before the first observation: tables, rows, places, people.

Everything may run again: a second start finds it done, and what an operator changed stays.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import yaml
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from accounts.auth.defaults import ensure_default_roles
from accounts.models import ApiToken, Role, User
from ccatdc.common.errors import ConfigurationError
from ccatdc.dev.demo.home import Home, token_name
from ccatdc.dev.demo.instrument import INSTRUMENTS
from ccatdc.dev.demo.options import REPOSITORY
from ccatdc.dev.demo.reducing import RESULTS, ensure_pipeline
from datamgmt.models import DataLocation, DiskDataLocation, LocationType, RawDataPackage, S3DataLocation
from datamgmt.rebuilding.catalogue import rebuild
from datamgmt.storage import storage_for
from datamgmt.storage.registration import register
from observatory.models import Instrument
from planning.models import ObservingProgram

#: Site and name of every location that has a place here.
_DISKS: Final = (
    ("ccat", "primecam_raw_data"),
    ("ccat", "chai_raw_data"),
    ("ccat", "output_buffer"),
    ("ccat", "output_buffer_b"),
    ("cologne", "input_buffer"),
    ("cologne", "input_buffer_b"),
    ("cologne", "ramses_processing"),
    RESULTS,
)
_BUCKETS: Final = (("cologne", "long_term_archive"), ("us", "lta"))
#: A night passes in seconds: nothing settles, waits for company or is kept for later. A laptop's disk may be nearly full.
_AT_ONCE: Final[dict[str, Any]] = {
    "settle_seconds": 0,
    "bundle_max_age_seconds": 0,
    "retention_days": 0,
    "warning_pct": 97,
    "critical_pct": 99,
    "emergency_pct": 100,
}
_HEAD: Final = "# Made by scripts/demo at every start: where its locations are. Not meant to be edited.\n"
_STATIC_PACKAGES: Final = ("django", "django-unfold", "drf-spectacular-sidecar", "whitenoise")


@dataclass(frozen=True)
class Person:
    """An account of the demo."""

    username: str
    full_name: str
    role: str
    is_staff: bool


PEOPLE: Final = (
    Person("admin", "Administrator", "admin", is_staff=True),
    Person("operator", "Operator at the telescope", "observer", is_staff=True),
    Person("scientist", "Scientist", "viewer", is_staff=False),
)


def furnish(home: Home, endpoint_url: str, say: Callable[[str], None]) -> None:
    """Make or complete everything. Raises ConfigurationError for a database that is not ours, LocationIdentityError for
    a place that vanished.
    """
    _refuse_foreign_database(home)
    say("Tables")
    call_command("migrate", verbosity=0, interactive=False)
    say("Reference data and locations")
    # The S3 server is on another port when its old one was taken; the buckets are the same, as their markers prove.
    # Reference data could not say so: a location with copies does not move.
    S3DataLocation.objects.filter(endpoint_url__startswith="http://127.0.0.1:").update(endpoint_url=endpoint_url)
    _write_overlay(home, endpoint_url)
    call_command("load_reference", REPOSITORY / "reference_data", home.reference, verbosity=0)
    for location in DataLocation.objects.with_site():
        if (location.site.short_name, location.name) in (*_DISKS, *_BUCKETS):
            if location.registered_at is None:
                register(location, create=True, as_marked=True)
            else:
                storage_for(location).check_identity()
    ensure_pipeline()
    _rebuild_catalogue(say)
    say("Accounts")
    ensure_default_roles()
    for person in PEOPLE:
        _ensure_person(home, person)
    _ensure_tokens(home)


def _rebuild_catalogue(say: Callable[[str], None]) -> None:
    """When the database is new and the archives are not: it was lost, and comes back from them."""
    if RawDataPackage.objects.exists():
        return
    for archive in S3DataLocation.objects.of_type(LocationType.LONG_TERM_ARCHIVE).with_site():
        if archive.registered_at is not None:
            rebuilt = rebuild(archive)
            if rebuilt.packages or rebuilt.copies:
                found = f"{rebuilt.packages} packages with {rebuilt.files} files, {rebuilt.copies} copies"
                say(f"The catalogue comes back from {archive.full_name}: {found}")


def collect_static(home: Home) -> None:
    """The portal's style sheets and scripts, again when a package with such files, or a file of ours, has changed."""
    folders = [Path(folder) for folder in settings.STATICFILES_DIRS]
    files = sorted(file for folder in folders for file in folder.rglob("*") if file.is_file())
    done = " ".join(
        [f"{name} {version(name)}" for name in _STATIC_PACKAGES]
        + [f"{file} {file.stat().st_mtime_ns}" for file in files]
    )
    if home.remembered("static") != done or not home.static.is_dir():
        call_command("collectstatic", verbosity=0, interactive=False, stdout=io.StringIO())
        home.remember("static", done)


def password_of(home: Home, person: Person) -> str:
    """The password with which a person was made."""
    return home.secret(f"PASSWORD_{person.username.upper()}", length=9)


def _refuse_foreign_database(home: Home) -> None:
    """A database given by DATABASE_URL may be somebody's. Ours has disks in our folder, whatever was added in the portal."""
    if DataLocation._meta.db_table not in connection.introspection.table_names():
        return
    disks = DiskDataLocation.objects.all()
    foreign = disks.first()
    if foreign is not None and not disks.filter(path__startswith=f"{home.root}/").exists():
        raise ConfigurationError(
            f"The database of DATABASE_URL has a location at {foreign.path} and none in {home.root}: "
            "it belongs to another data center.",
            code="demo.foreign_database",
            remedy="Give an empty database, the --root it was made with, or unset DATABASE_URL.",
        )


def _write_overlay(home: Home, endpoint_url: str) -> None:
    """How the demo's locations differ from ``reference_data``, as a second folder of reference files."""
    disks = [
        {"site": site, "name": name, "path": str(home.disk(site, name)), "host": "", **_AT_ONCE}
        for site, name in _DISKS
    ]
    next(disk for disk in disks if (disk["site"], disk["name"]) == RESULTS)["location_type"] = LocationType.SOURCE.value
    buckets = [{"site": site, "name": name, "endpoint_url": endpoint_url} for site, name in _BUCKETS]
    home.reference.mkdir(exist_ok=True)
    sections = {"disk_data_location": disks, "s3_data_location": buckets}
    text = yaml.safe_dump(sections, sort_keys=False, allow_unicode=True, width=1000)
    (home.reference / "demo.yaml").write_text(_HEAD + text, encoding="utf-8")


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


def _ensure_tokens(home: Home) -> None:
    """Of each instrument and of the scientist, who is in every program and so sees what the demo observes."""
    account, created = User.objects.get_or_create(username="instruments", defaults={"full_name": "Instrument software"})
    if created:
        account.set_unusable_password()
        account.save()
        account.roles.add(Role.objects.get(name="service"))
    for simulated in INSTRUMENTS:
        instrument = Instrument.objects.get(short_name=simulated.name)
        _ensure_token(home, account, simulated.name, ["read:observations", "write:observations"], instrument)
    scientist = User.objects.get(username="scientist")
    scientist.observing_programs.add(*ObservingProgram.objects.all())
    _ensure_token(home, scientist, "scientist", ["read:observations", "stage:data", "write:products"], None)


def _ensure_token(home: Home, user: User, name: str, scopes: list[str], instrument: Instrument | None) -> None:
    kept = home.known_secret(token_name(name))
    token = ApiToken.objects.usable().for_secret(kept).first() if kept is not None else None
    if token is not None and set(scopes) <= set(token.scopes):
        return
    # The database keeps no secret of a token: without ours, a new one takes its place.
    ApiToken.objects.filter(user=user, name=name).delete()
    _, secret = ApiToken.issue(user=user, name=name, scopes=scopes, instrument=instrument)
    home.keep_secret(token_name(name), secret)
