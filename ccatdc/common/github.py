"""Who may come in by GitHub: what the environment says (ccatdc/settings/github.py) and log-in asks (accounts/github/membership.py)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GitHub:
    """Who may come in by GitHub. ``team_roles`` says which role a team ``organisation/team`` gives."""

    client_id: str
    client_secret: str
    organisations: tuple[str, ...]
    team_roles: Mapping[str, str]
    url: str

    @property
    def api_url(self) -> str:
        """Where its API is: GitHub's own stands beside it, that of a server of one's own below it."""
        own = self.url == "https://github.com"
        return "https://api.github.com" if own else f"{self.url}/api/v3"
