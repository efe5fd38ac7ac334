"""Log-in by GitHub, for members of organisations: only where it is set up. Part of ccatdc/settings/base.py.

Without the variables nothing of it exists: no address, no table, no connection to anywhere.
"""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured

from ccatdc.common.github import GitHub

NAMES: Final = ("CLIENT_ID", "CLIENT_SECRET", "ORGANISATIONS")


def github_from(env: Any) -> GitHub | None:
    """What the environment says; None where it says nothing. Raises ImproperlyConfigured where it says half."""
    client_id, secret = (env.str(f"CCATDC_GITHUB_{name}", default="").strip() for name in NAMES[:2])
    organisations = tuple(env.list("CCATDC_GITHUB_ORGANISATIONS", default=[]))
    given = (client_id, secret, organisations)
    if not any(given):
        return None
    if not all(given):
        names = ", ".join(f"CCATDC_GITHUB_{name}" for name in NAMES)
        raise ImproperlyConfigured(f"Log-in by GitHub needs all of {names}, or none.")
    return GitHub(
        client_id=client_id,
        client_secret=secret,
        organisations=organisations,
        team_roles=env.dict("CCATDC_GITHUB_TEAM_ROLES", default={}),
        url=env.str("CCATDC_GITHUB_URL", default="https://github.com").rstrip("/"),
    )


def github_settings(github: GitHub, apps: list[str], middleware: list[str]) -> dict[str, Any]:
    """The settings by name; puts the library among the apps and the middleware."""
    provider = "allauth.socialaccount.providers.github"
    apps += ["allauth", "allauth.account", "allauth.socialaccount", provider]
    middleware += ["allauth.account.middleware.AccountMiddleware"]
    own_server = {} if github.url == "https://github.com" else {"GITHUB_URL": github.url}
    return {
        "SOCIALACCOUNT_ADAPTER": "accounts.github.adapter.MembersOnly",
        "SOCIALACCOUNT_PROVIDERS": {
            "github": {
                "APPS": [{"client_id": github.client_id, "secret": github.client_secret}],
                # Nothing but who it is, and in which organisations and teams.
                "SCOPE": ["read:org"],
                "OAUTH_PKCE_ENABLED": True,
                **own_server,
            }
        },
        "SOCIALACCOUNT_REQUESTS_TIMEOUT": 10,
        "SOCIALACCOUNT_STORE_TOKENS": False,
        "SOCIALACCOUNT_AUTO_SIGNUP": True,
        # An equal e-mail address is no proof of anything: accounts are never joined by it.
        "SOCIALACCOUNT_EMAIL_AUTHENTICATION": False,
        "SOCIALACCOUNT_QUERY_EMAIL": False,
        "ACCOUNT_UNIQUE_EMAIL": False,
        "ACCOUNT_EMAIL_VERIFICATION": "none",
        "ACCOUNT_SIGNUP_FIELDS": ["username*", "email"],
    }
