"""``python -m checker``: read every byte everywhere, and say what is lost, bad, double, left over or in a wrong state."""

from __future__ import annotations

import argparse
import os
import sys

import psycopg

from checker.check import check


def main() -> int:
    """0 when all is right, 1 with a line for each finding."""
    parser = argparse.ArgumentParser(
        prog="python -m checker",
        description="Read every copy of every file and package in full, and compare with the database. Changes nothing. Needs to"
        " reach every location as this host does; credentials as for a worker. With work under way, what is moved meanwhile is"
        " told as wrong: run it when the flow is at rest.",
    )
    parser.add_argument(
        "--database", default=os.environ.get("DATABASE_URL", ""), help="postgres://… (default: DATABASE_URL)"
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="SITE_LOCATION",
        help="locations that this host reaches (default: all active)",
    )
    options = parser.parse_args()
    if not options.database:
        parser.error("name the database with --database or DATABASE_URL")
    with psycopg.connect(options.database, autocommit=True) as database:
        report = check(database, only=options.only)
    for finding in report.findings:
        sys.stdout.write(f"{finding}\n")
    sys.stdout.write(f"{report.copies} copies, {report.bytes:,} bytes read; {len(report.findings)} findings.\n")
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
