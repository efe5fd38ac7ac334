"""Lineage as a document: W3C PROV-JSON with the terms of the IVOA Provenance Data Model 1.0.

Entities are products, packages and observations; activities are runs; agents are who submitted them and the software.
What the person may not see stands with its id only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet

from ccatdc.common.visibility import visible
from datamgmt.lineage.graph import BadInputs, Lineage
from datamgmt.models import DataProduct, ProcessingRun, RawDataPackage
from planning.models import ExecutedObsUnit

PREFIXES: Final = {
    "prov": "http://www.w3.org/ns/prov#",
    "voprov": "http://www.ivoa.net/documents/ProvenanceDM/index.html",
    "ccat": "urn:ccat:",
}
RowT = TypeVar("RowT", bound=Model)


@dataclass(frozen=True)
class Shown:
    """The rows of a lineage that a person may see, and the ids of all of it."""

    lineage: Lineage
    products: Mapping[UUID, DataProduct]
    packages: Mapping[UUID, RawDataPackage]
    observations: Mapping[UUID, ExecutedObsUnit]
    runs: Mapping[UUID, ProcessingRun]

    @classmethod
    def to(cls, user: Any, lineage: Lineage) -> Shown:
        """In four queries."""
        runs = ProcessingRun.objects.for_listing().select_related("submitted_by")
        return cls(
            lineage,
            _seen(DataProduct.objects.for_listing(), lineage.products(), user),
            _seen(RawDataPackage.objects.for_listing(), lineage.packages(), user),
            _seen(ExecutedObsUnit.objects.for_listing(), lineage.observations(), user),
            _seen(runs, lineage.read, user),
        )


def document(lineage: Lineage, bad: BadInputs, user: Any) -> dict[str, Any]:
    """The lineage as ``user`` may see it."""
    shown = Shown.to(user, lineage)
    entities = {
        **_described(shown.products, lineage.products(), "product", lambda row: _product(row, bad)),
        **_described(shown.packages, lineage.packages(), "package", lambda row: _package(row, bad)),
        **_described(shown.observations, lineage.observations(), "observation", lambda row: _observation(row, bad)),
    }
    agents = {}
    for run in shown.runs.values():
        software = run.software_version
        agents[f"ccat:software/{software.pk}"] = {"prov:type": "prov:SoftwareAgent", "prov:label": str(software)}
        if run.submitted_by is not None:
            person = {"prov:type": "prov:Person", "prov:label": run.submitted_by.username}
            agents[f"ccat:person/{run.submitted_by.pk}"] = person
    return {
        "prefix": PREFIXES,
        "entity": entities,
        "activity": _described(shown.runs, lineage.read, "run", _run),
        "agent": agents,
        **_relations(lineage, shown.runs),
        "ccat:is_cut": lineage.is_cut,
    }


def _seen(rows: QuerySet[RowT], wanted: Iterable[UUID], user: Any) -> dict[UUID, RowT]:
    return {row.pk: row for row in visible(rows.filter(pk__in=list(wanted)), user)}


def _described(
    rows: Mapping[UUID, Any], wanted: Iterable[UUID], kind: str, describe: Callable[[Any], dict[str, Any]]
) -> dict[str, Any]:
    """By name in the document; what may not be seen has its kind only."""
    return {
        f"ccat:{kind}/{pk}": {
            "prov:type": f"ccat:{kind}",
            **(describe(rows[pk]) if pk in rows else {"ccat:hidden": True}),
        }
        for pk in sorted(wanted)
    }


def _product(row: DataProduct, bad: BadInputs) -> dict[str, Any]:
    return {
        "prov:label": row.name,
        "ccat:kind": row.kind,
        "ccat:level": row.level,
        "ccat:version": row.version,
        "ccat:release": row.release,
        "ccat:superseded_by": str(row.superseded_by_id) if row.superseded_by_id else None,
        "voprov:generatedAtTime": row.registered_at.isoformat(),
        "ccat:has_bad_inputs": row.pk in bad.products,
    }


def _package(row: RawDataPackage, bad: BadInputs) -> dict[str, Any]:
    return {
        "prov:label": row.name,
        "ccat:instrument": row.instrument_module.instrument.short_name,
        "ccat:module": row.instrument_module.short_name,
        "voprov:generatedAtTime": row.observed_from.isoformat(),
        "ccat:has_bad_files": row.pk in bad.bad.packages,
    }


def _observation(row: ExecutedObsUnit, bad: BadInputs) -> dict[str, Any]:
    return {
        "prov:label": str(row),
        "ccat:program": row.obs_unit.observing_program.short_name,
        "ccat:target": row.obs_unit.target_name,
        "voprov:generatedAtTime": row.start_time.isoformat(),
        "ccat:is_bad": row.pk in bad.bad.observations,
    }


def _run(row: ProcessingRun) -> dict[str, Any]:
    return {
        "prov:label": row.name,
        "prov:startTime": row.start_time.isoformat() if row.start_time else None,
        "prov:endTime": row.end_time.isoformat() if row.end_time else None,
        "ccat:status": row.status,
        "ccat:configuration": row.configuration,
    }


def _relations(lineage: Lineage, runs: Mapping[UUID, ProcessingRun]) -> dict[str, Any]:
    """Who used, made and answers for what; each relation has a name of its own, as PROV-JSON wants it."""
    used = [
        (run, f"ccat:{kind}/{pk}")
        for run, inputs in sorted(lineage.read.items())
        for kind, keys in (
            ("package", inputs.packages),
            ("observation", inputs.observations),
            ("product", inputs.products),
        )
        for pk in sorted(keys)
    ]
    agents = [(run.pk, f"ccat:software/{run.software_version_id}") for run in runs.values()]
    agents += [(run.pk, f"ccat:person/{run.submitted_by_id}") for run in runs.values() if run.submitted_by_id]
    return {
        "used": {
            f"_:u{number}": {"prov:activity": f"ccat:run/{run}", "prov:entity": entity}
            for number, (run, entity) in enumerate(used)
        },
        "wasGeneratedBy": {
            f"_:g{number}": {"prov:entity": f"ccat:product/{product}", "prov:activity": f"ccat:run/{run}"}
            for number, (product, run) in enumerate(sorted(lineage.made_by.items()))
        },
        "wasAssociatedWith": {
            f"_:a{number}": {"prov:activity": f"ccat:run/{run}", "prov:agent": agent}
            for number, (run, agent) in enumerate(agents)
        },
    }
