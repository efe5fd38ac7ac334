"""``manage.py create_database_roles``: the roles of the database and their rights."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from ccatdc.database_roles.granting import OWNER, ROLES, create_database_roles, role_name


class Command(BaseCommand):
    help = "Makes the roles of the database and gives each exactly its rights. Run it once as a superuser; each migrate renews the rights."
    requires_system_checks: list[str] = []

    def handle(self, *_: Any, **__: Any) -> None:
        create_database_roles()
        names = ", ".join(role_name(role) for role in (OWNER, *ROLES))
        self.stdout.write(f"The roles have their rights: {names}. None has a password before you give it one.")
