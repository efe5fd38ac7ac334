"""Calls that nobody thought of, made up from the API's own description, for as long as you like.

What ``tests/fuzz`` does in a minute with one seed, round after round with other seeds, as an administrator: no 5xx,
only statuses and bodies that the description has. Prints how many calls were made and answered how, every finding with
a call that shows it, and the operations of which no call was ever accepted (what lies behind those was not tried).

Needs ``DATABASE_URL``, ``CCATDC_DEBUG=1`` and ``requirements-dev.txt``; works in a test database beside it, which is
removed afterwards. Run: ``.venv/bin/python -m benchmarks.fuzz [--minutes N] [--examples N] [--seed N]``. Exits 1 when
something was found.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time


def main() -> int:
    """Rounds until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--examples", type=int, default=100, help="of each operation and round")
    parser.add_argument("--seed", type=int, default=1, help="of the first round; then the next")
    arguments = parser.parse_args()

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ccatdc.settings.test")
    django.setup()
    from django.conf import settings
    from django.db import connection
    from django.test.utils import setup_databases, setup_test_environment, teardown_databases, teardown_test_environment

    settings.TOKEN_REQUESTS_PER_MINUTE = 1_000_000  # all of them come from one token
    # Each refused call is a warning, each fault is shown in the end.
    logging.disable(logging.CRITICAL)
    setup_test_environment()
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        return rounds(60 * arguments.minutes, arguments.examples, arguments.seed)
    finally:
        connection.close()
        teardown_databases(databases, verbosity=0)
        teardown_test_environment()


def rounds(seconds: float, examples: int, seed: int) -> int:
    """All phases again and again; rows of one round are found by the next."""
    from tests.api.test_access import ALL_PERMISSIONS
    from tests.factories.accounts import ApiTokenFactory, UserFactory
    from tests.fuzz.campaign import Outcome, campaign
    from tests.fuzz.furniture import furnish

    rights = list(ALL_PERMISSIONS)
    user = UserFactory.create(permissions=rights, is_superuser=True)
    secret = vars(ApiTokenFactory.create(user=user, scopes=rights))["secret"]
    furniture, all_of_it = furnish(), Outcome()
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        outcome = campaign(
            furniture, {"Authorization": f"Bearer {secret}"}, examples=examples, seed=seed, until=began + seconds
        )
        minutes = (time.monotonic() - began) / 60
        print(
            f"seed {seed}: {outcome.calls:,} calls, {minutes:.1f} min since the start, "
            f"{len(outcome.findings)} findings",
            flush=True,
        )
        for label, counter in outcome.statuses.items():
            all_of_it.statuses[label].update(counter)
        for name, text in outcome.findings.items():
            all_of_it.findings.setdefault(name, f"seed {seed}: {text}")
        seed += 1
    answers = ", ".join(f"{count:,} x {status}" for status, count in sorted(all_of_it.total().items()))
    print(f"{all_of_it.calls:,} calls to {len(all_of_it.statuses)} operations: {answers}")
    for label in sorted(all_of_it.never_succeeded()):
        print(f"never accepted: {label}")
    print(all_of_it.report() or "nothing was found")
    return 1 if all_of_it.findings else 0


if __name__ == "__main__":
    sys.exit(main())
