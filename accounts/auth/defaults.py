"""The permissions and roles that every installation has. Run after each ``migrate``, idempotent.

A signal and no data migration: rows of a migration are gone once a table was emptied (tests do), and a permission that
a later version adds must reach the roles of an installation that exists. What an operator changed stays: a role gets a
permission only when one of the two is new.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.db import transaction

from accounts.models import Permission, Role

PERMISSIONS: Final[Mapping[str, str]] = {
    "read:observations": "See observations, files, packages and where they are: of one's own programs, and public ones.",
    "read:all_programs": "See those of every program. Who may file or mend sees them anyway.",
    "write:observations": "File observations and their files.",
    "write:products": "File runs that reduce data, and their products, for one's own programs.",
    "write:schedule": "Send timelines and plans; say which obs units, instruments and modules are available.",
    "stage:data": "Ask for archived data at a processing location.",
    "write:transfers": "Retry and cancel work, approve deletions, change packages on their way, switch places off and on.",
    "configure:system": "Change sites, locations, routes and instruments.",
    "manage:users": "Manage people, roles and tokens.",
    "relay:observations": "File on behalf of others: site gateways.",
    "mirror:reference": "Read all reference data, people and hashes of tokens included: site gateways.",
}

ROLES: Final[Mapping[str, tuple[str, frozenset[str]]]] = {
    "admin": ("Everything.", frozenset(PERMISSIONS)),
    "observer": (
        "Operators at the observatory: file observations, see everything, stage data, mend transfers.",
        frozenset(
            {
                "read:observations",
                "read:all_programs",
                "write:observations",
                "write:products",
                "write:schedule",
                "stage:data",
                "write:transfers",
            }
        ),
    ),
    "viewer": (
        "Scientists: see and stage the data of their programs, and what is public; file what they made of it.",
        frozenset({"read:observations", "stage:data", "write:products"}),
    ),
    "service": (
        "Instrument software: files observations and reads them back.",
        frozenset({"read:observations", "read:all_programs", "write:observations"}),
    ),
    "scheduler": (
        "Scheduling software: sees what can be observed, and says what is available.",
        frozenset({"read:observations", "read:all_programs", "write:schedule"}),
    ),
    "gateway": (
        "A site gateway: files what was filed there, and has a copy of the reference data.",
        frozenset({"write:observations", "relay:observations", "mirror:reference"}),
    ),
}


@transaction.atomic
def ensure_default_roles() -> None:
    """Make the permissions and roles that are missing."""
    new_permissions = set()
    permissions = {}
    for codename, description in PERMISSIONS.items():
        permission, created = Permission.objects.get_or_create(codename=codename, defaults={"description": description})
        permissions[codename] = permission
        if created:
            new_permissions.add(codename)
    for name, (description, codenames) in ROLES.items():
        role, created = Role.objects.get_or_create(name=name, defaults={"description": description})
        missing = codenames if created else codenames & new_permissions
        role.permissions.add(*(permissions[codename] for codename in missing))
