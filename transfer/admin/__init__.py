"""Portal pages of work and its records, and of the data that the work is about.

Sites, locations, packages, bundles and copies have their pages here and not in datamgmt: they show and start work.
"""

from transfer.admin import (
    copies,
    downloads,
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
