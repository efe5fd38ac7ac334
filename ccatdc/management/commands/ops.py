"""``manage.py ops``: for a person at a terminal, what the first page of the portal says (``status``; 1 when one is needed), and
what a package waits for (``package NAME``).
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from ccatdc.common.states import OPEN_STATUSES, Status
from ccatdc.common.units import duration_text
from ccatdc.portal.overview import Overview, overview
from datamgmt.models import RawDataPackage
from transfer.models import CircuitBreaker, Operation, ServiceHeartbeat
from transfer.operators.overview import StageCounts, silent_services, stage_counts
from transfer.operators.package_reasons import state_of_package

_COLUMNS = (*OPEN_STATUSES, Status.FAILED)


class Command(BaseCommand):
    """Say whether all is well and what is not, what waits, and who is silent."""

    help = (
        "Shows the state of the data center: `ops status`, or `ops status --json` for programs. "
        "Exit status: 0 all is well, 1 a person is needed. `ops package NAME` says where a package is and what it waits for."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["status", "package"])
        parser.add_argument("name", nargs="?", default="", help="of the package, or its id")
        parser.add_argument("--json", action="store_true", help="as one JSON document")

    def handle(self, *_: Any, **options: Any) -> None:
        if options["what"] == "package":
            self._say_package(options["name"])
        else:
            self._status(as_json=options["json"])

    def _say_package(self, name: str) -> None:
        package = RawDataPackage.objects.named(name)
        if package is None:
            raise CommandError(f"There is no package {name!r}.")
        self.stdout.write(f"{package}: {state_of_package(package)}")

    def _status(self, *, as_json: bool) -> None:
        """Ask the questions that the portal's first page answers."""
        seen = overview(None)
        stages = stage_counts()
        services = list(ServiceHeartbeat.objects.all())
        silent = {service.pk for service in silent_services()}
        breakers = list(CircuitBreaker.objects.open().with_places())
        paused = list(Operation.objects.paused().select_related("location__site"))
        if as_json:
            verdict = {"all_well": seen.all_well, "attention": _attention(seen)}
            self.stdout.write(json.dumps(verdict | _document(stages, services, silent, breakers, paused)))
        else:
            self._say_verdict(seen)
            self._table(stages)
            self._say_rest(services, silent, breakers, paused)
        if not seen.all_well:
            raise CommandError(f"A person is needed for {seen.attention_count}.")

    def _say_verdict(self, seen: Overview) -> None:
        self.stdout.write("All is well." if seen.all_well else f"A person is needed for {seen.attention_count}:")
        for group in seen.attention:
            self.stdout.write(f"{group.title} ({group.count})")
            for line in group.lines:
                code = f" [{line.code}]" if line.code else ""
                since = f", since {_ago(line.since)}" if line.since else ""
                self.stdout.write(f"    {line.what}: {line.why}{code}{since}")
                if line.then:
                    self.stdout.write(f"        {line.then}")
        self.stdout.write("")

    def _say_rest(
        self,
        services: list[ServiceHeartbeat],
        silent: set[int],
        breakers: list[CircuitBreaker],
        paused: list[Operation],
    ) -> None:
        for service in services:
            self.stdout.write(f"{service}: {_state(service, silent)}")
            for reason in service.waiting:
                self.stdout.write(f"    waits: {reason.get('what', '')}: {reason.get('why', '')}")
        if not services:
            self.stdout.write("No service has ever run here.")
        for breaker in breakers:
            self.stdout.write(
                f"Held back: {breaker}, next trial {_ago(breaker.next_trial_at)}: {breaker.error_message}"
            )
        for operation in paused:
            self.stdout.write(f"Paused: {operation} at {operation.location}: {operation.error_message}")

    def _table(self, stages: list[StageCounts]) -> None:
        heads = ["stage", *(status.label.lower() for status in _COLUMNS), "oldest waiting"]
        lines = [
            [each.stage, *(str(each.counts[status]) for status in _COLUMNS), _ago(each.oldest_waiting)]
            for each in stages
        ]
        widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]
        for line in (heads, *lines):
            cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
            self.stdout.write("  ".join(cells).rstrip())
        self.stdout.write("")


def _state(service: ServiceHeartbeat, silent: set[int]) -> str:
    where = f"process {service.pid} on {service.host}"
    if service.stopped_at is not None:
        return f"stopped {_ago(service.stopped_at)}"
    if service.pk in silent:
        return f"SILENT, last heard {_ago(service.last_seen)}, {where}"
    return f"alive, {where}"


def _ago(moment: datetime | None) -> str:
    if moment is None:
        return "-"
    past = timezone.now() - moment
    return f"{duration_text(past)} ago" if past.total_seconds() >= 0 else f"in {duration_text(-past)}"


def _attention(seen: Overview) -> list[dict[str, Any]]:
    return [
        {
            "kind": group.title,
            "count": group.count,
            "lines": [
                {"what": line.what, "why": line.why, "code": line.code, "then": line.then, "since": _iso(line.since)}
                for line in group.lines
            ],
        }
        for group in seen.attention
    ]


def _document(
    stages: list[StageCounts],
    services: list[ServiceHeartbeat],
    silent: set[int],
    breakers: list[CircuitBreaker],
    paused: list[Operation],
) -> dict[str, Any]:
    return {
        "stages": [
            {
                "stage": each.stage,
                "operation_type": str(each.operation_type),
                **each.counts,
                "oldest_waiting": _iso(each.oldest_waiting),
            }
            for each in stages
        ],
        "services": [
            {
                "type": each.service_type,
                "name": each.name,
                "silent": each.pk in silent,
                "last_seen": _iso(each.last_seen),
                "stopped_at": _iso(each.stopped_at),
                "waiting": each.waiting,
            }
            for each in services
        ],
        "open_breakers": [
            {
                "location": each.location.full_name,
                "scope": each.scope,
                "destination": each.destination.full_name if each.destination else None,
                "failures": each.failures,
                "next_trial_at": _iso(each.next_trial_at),
                "error_code": each.error_code,
            }
            for each in breakers
        ],
        "paused_operations": [
            {"id": each.pk, "location": each.location.full_name, "error_message": each.error_message} for each in paused
        ],
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
