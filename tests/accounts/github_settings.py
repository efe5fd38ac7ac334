"""Settings of tests/accounts/github_cases.py: as for all tests, with log-in by GitHub and a database of its own."""

import os

os.environ.update(
    CCATDC_GITHUB_CLIENT_ID="the-client",
    CCATDC_GITHUB_CLIENT_SECRET="the-secret",
    CCATDC_GITHUB_ORGANISATIONS="ccatobs",
    CCATDC_GITHUB_TEAM_ROLES="ccatobs/operators=observer,CCATobs/admins=admin",
    CCATDC_GITHUB_URL=os.environ["FAKE_GITHUB"],
)

from ccatdc.settings import test

test.DATABASES["default"]["TEST"] = {
    "NAME": f"test_{test.DATABASES['default']['NAME']}_github",
    "TEMPLATE": os.environ["MIGRATED"],
}
vars().update({name: value for name, value in vars(test).items() if name.isupper()})
