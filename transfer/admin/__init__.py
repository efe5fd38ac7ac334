"""Portal pages of work and its records, and of the data that the work is about.

Sites, locations, executions, packages, bundles and copies have their pages here and not in the apps below: they show and
start work.
"""

from transfer.admin import (
    copies,
    downloads,
    executions,
    health,
    jobs,
    kinds,
    locations,
    logs,
    operations,
    packages,
    queries,
    routes,
    runs,
    sites,
    totals,
)

__all__ = [
    "copies",
    "downloads",
    "executions",
    "health",
    "jobs",
    "kinds",
    "locations",
    "logs",
    "operations",
    "packages",
    "queries",
    "routes",
    "runs",
    "sites",
    "totals",
]
