"""Log-in by GitHub: what allauth asks us. Loaded only where it is set up (ccatdc/settings/github.py).

Somebody is let in while they are a member of an organisation. New people become viewers; roles that teams give follow
the teams at every log-in. Who left keeps the account and loses all rights, also those of their tokens.
"""

from __future__ import annotations

import logging
from typing import Any, Final, NoReturn

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import redirect

from accounts.github.membership import GitHubError, Membership, membership
from accounts.models import LogLevel, Role, User, record
from ccatdc.common.errors import ConfigurationError
from ccatdc.common.github import GitHub

logger = logging.getLogger(__name__)

#: What somebody is who has no role.
FIRST_ROLE: Final = "viewer"
WITH_PASSWORD: Final = "You can log in with a password."  # noqa: S105


class MembersOnly(DefaultSocialAccountAdapter):  # type: ignore[misc]
    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """GitHub knows who it is; go back to the log-in page unless they may come in."""
        login = str(sociallogin.account.extra_data.get("login", ""))
        try:
            with self.get_requests_session() as session:
                found = membership(_github(), sociallogin.token.token, session)
        except GitHubError as error:
            logger.warning("Log-in of %s by GitHub: %s", login, error)
            _back(request, f"{error} {WITH_PASSWORD}")
        user: User | None = sociallogin.user if sociallogin.is_existing else None
        if not found.is_member:
            if user is not None:
                end_rights(user)
            logger.warning("%s of GitHub is in none of the organisations", login)
            _back(request, f"{login} is no member of {', '.join(_github().organisations)}.")
        if user is not None:
            if not user.is_active:
                _back(request, "Your account is switched off. Ask whoever manages users.")
            give_roles(user, found)
        sociallogin.state["membership_roles"] = sorted(found.roles)

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: Any) -> Any:
        """A new account has the name that its owner has there."""
        user = super().populate_user(request, sociallogin, data)
        user.full_name = (data.get("name") or "")[:255]
        return user

    @transaction.atomic
    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> User:
        """A new account, with its first roles. A user name that is taken gets a number."""
        user: User = super().save_user(request, sociallogin, form)
        record("log-in", f"New account {user}, by GitHub.", about=user)
        give_roles(user, Membership(True, frozenset(sociallogin.state["membership_roles"])))
        return user

    def on_authentication_error(self, request: HttpRequest, provider: Any, **how: Any) -> NoReturn:
        """Cancelled there, out of date, forged, or GitHub is away."""
        logger.warning("Log-in by %s failed: %s %s", provider, how.get("error"), how.get("exception"))
        _back(request, f"The log-in by GitHub did not succeed. Try it again. {WITH_PASSWORD}")


@transaction.atomic
def give_roles(user: User, found: Membership) -> None:
    """Roles that teams give are those of their teams now; others stay; nobody is without one."""
    names = set(user.roles.values_list("name", flat=True))
    follow = set(_github().team_roles.values())
    wanted = (names - follow) | found.roles
    roles = list(Role.objects.filter(name__in=wanted or {FIRST_ROLE}))
    if {role.name for role in roles} != names:
        user.roles.set(roles)
        shown = ", ".join(sorted(role.name for role in roles))
        record("log-in", f"Roles of {user} by GitHub: {shown}.", about=user)


@transaction.atomic
def end_rights(user: User) -> None:
    """They left: no rights any more, by session, token or password."""
    user.roles.clear()
    User.objects.filter(pk=user.pk).update(is_staff=False, is_superuser=False)
    message = f"{user} is in none of the organisations any more: all rights are taken away."
    record("log-in", message, about=user, level=LogLevel.WARNING)


def _github() -> GitHub:
    """How it is set up. This module is loaded only where it is."""
    if settings.GITHUB is None:
        raise ConfigurationError("Log-in by GitHub is not set up.")
    return settings.GITHUB


def _back(request: HttpRequest, message: str) -> NoReturn:
    messages.error(request, message)
    raise ImmediateHttpResponse(redirect("login"))
