"""What GitHub says of somebody who logs in: in which organisations and teams they are.

Asked once, at log-in, with the token that GitHub gave for it, which is then forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from ccatdc.common.errors import ExternalError
from ccatdc.common.github import GitHub

PER_PAGE: Final = 100
#: Pages of teams that are read: nobody is in more than a thousand.
MAX_PAGES: Final = 10


class GitHubError(ExternalError):
    """GitHub did not say whether somebody may come in. Passwords work without it."""

    default_code = "github.unavailable"


@dataclass(frozen=True, slots=True)
class Membership:
    """Whether somebody may come in, and which roles their teams give them."""

    is_member: bool
    roles: frozenset[str] = frozenset()


def membership(github: GitHub, token: str, session: Any) -> Membership:
    """Ask. Raises GitHubError when there is no answer that says yes or no."""
    ask = _Api(github, token, session)
    if not any(ask.is_member(organisation) for organisation in github.organisations):
        return Membership(is_member=False)
    if not github.team_roles:
        return Membership(is_member=True)
    roles = {team.casefold(): role for team, role in github.team_roles.items()}
    return Membership(is_member=True, roles=frozenset(roles[team] for team in ask.teams() if team in roles))


class _Api:
    def __init__(self, github: GitHub, token: str, session: Any) -> None:
        self._github = github
        self._session = session
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }

    def is_member(self, organisation: str) -> bool:
        """Of one organisation; who is invited is none yet."""
        status, document = self._get(f"/user/memberships/orgs/{organisation}")
        if status == HTTPStatus.NOT_FOUND:
            return False
        if status != HTTPStatus.OK or not isinstance(document, dict):
            raise _no_answer(f"whether somebody is in {organisation}", status)
        return document.get("state") == "active"

    def teams(self) -> Iterator[str]:
        """``organisation/team``, in lower case."""
        for page in range(1, MAX_PAGES + 1):
            status, document = self._get(f"/user/teams?per_page={PER_PAGE}&page={page}")
            if status != HTTPStatus.OK or not isinstance(document, list):
                raise _no_answer("in which teams somebody is", status)
            for team in document:
                yield f"{team['organization']['login']}/{team['slug']}".casefold()
            if len(document) < PER_PAGE:
                return

    def _get(self, path: str) -> tuple[int, Any]:
        import requests

        try:
            answer = self._session.get(f"{self._github.api_url}{path}", headers=self._headers)
            # Not every error has a JSON document.
            return answer.status_code, answer.json() if answer.ok else None
        except requests.RequestException as error:
            raise GitHubError(f"GitHub does not answer ({type(error).__name__}).") from error


def _no_answer(question: str, status: int) -> GitHubError:
    hint = (
        "The organisation's owners have to allow this application to read its members."
        if status == HTTPStatus.FORBIDDEN
        else "Try again later."
    )
    return GitHubError(f"GitHub does not say {question} (HTTP {status}).", remedy=hint)
