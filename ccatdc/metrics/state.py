"""The state of the data center as gauges: what the first page of the portal shows (ccatdc/portal/overview.py), and places."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric

from ccatdc.portal.overview import Overview
from transfer.models import CircuitBreaker


class State:
    """Gauges of one look at the data center."""

    def __init__(self, seen: Overview) -> None:
        self._seen = seen

    def families(self) -> Iterator[Metric]:
        yield from self._work()
        yield from self._places()
        yield from self._services()

    def _work(self) -> Iterator[Metric]:
        operations = GaugeMetricFamily("ccatdc_operations", "Open and failed operations.", labels=["stage", "status"])
        oldest = GaugeMetricFamily("ccatdc_oldest_wait_seconds", "Age of the oldest open operation.", labels=["stage"])
        for line in self._seen.stages:
            for status, count in line.counts.items():
                operations.add_metric([line.label, status], count)
            oldest.add_metric([line.label], self._age(line.oldest))
        packages = GaugeMetricFamily("ccatdc_packages", "Packages that are not archived.", labels=["state"])
        for state, count in self._seen.packages.items():
            packages.add_metric([state], count)
        attention = GaugeMetricFamily(
            "ccatdc_attention", "Lines on the first page that need a person.", labels=["kind"]
        )
        for group in self._seen.attention:
            attention.add_metric([group.title], group.count)
        well = GaugeMetricFamily("ccatdc_all_well", "1 when nothing needs a person.", value=self._seen.all_well)
        day = GaugeMetricFamily(
            "ccatdc_archived_bytes_day", "Bytes archived in the last 24 hours.", value=self._seen.archived_bytes
        )
        yield from (operations, oldest, packages, attention, well, day)

    def _places(self) -> Iterator[Metric]:
        used = GaugeMetricFamily("ccatdc_location_used_bytes", "Bytes in use.", labels=["location"])
        capacity = GaugeMetricFamily("ccatdc_location_capacity_bytes", "Bytes in all.", labels=["location"])
        active = GaugeMetricFamily("ccatdc_location_active", "1 when it is switched on.", labels=["location"])
        checked = GaugeMetricFamily("ccatdc_location_check_age_seconds", "Since its last check.", labels=["location"])
        for location, _ in self._seen.locations:
            name = [location.full_name]
            active.add_metric(name, location.active)
            if location.used_bytes is not None:
                used.add_metric(name, location.used_bytes)
            if location.capacity_bytes is not None:
                capacity.add_metric(name, location.capacity_bytes)
            if location.checked_at is not None:
                checked.add_metric(name, self._age(location.checked_at))
        breakers = GaugeMetricFamily(
            "ccatdc_circuit_breaker_open", "1 for each circuit breaker that is open.", labels=["breaker", "code"]
        )
        for breaker in CircuitBreaker.objects.open():
            breakers.add_metric([str(breaker), breaker.error_code], 1)
        yield from (used, capacity, active, checked, breakers, *self._stores())

    def _stores(self) -> Iterator[Metric]:
        """Forecast, files, findings and certificates of locations."""
        speed = GaugeMetricFamily("ccatdc_location_fill_bytes_per_second", "It fills by this.", labels=["location"])
        full = GaugeMetricFamily("ccatdc_location_full_seconds", "Until it is full.", labels=["location"])
        files = GaugeMetricFamily("ccatdc_location_used_files", "Files (inodes) in use.", labels=["location"])
        most = GaugeMetricFamily("ccatdc_location_capacity_files", "Files (inodes) in all.", labels=["location"])
        failed = GaugeMetricFamily("ccatdc_location_check_failed", "1 when the check found fault.", labels=["location"])
        ends = GaugeMetricFamily(
            "ccatdc_endpoint_certificate_seconds", "Until its certificate ends.", labels=["location"]
        )
        listed = GaugeMetricFamily(
            "ccatdc_location_inventory_age_seconds", "Since its last inventory.", labels=["location"]
        )
        for location, _ in self._seen.locations:
            name = [location.full_name]
            failed.add_metric(name, bool(location.check_error))
            for family, value in (
                (speed, location.fill_bytes_per_s),
                (files, location.used_files),
                (most, location.capacity_files),
            ):
                if value is not None:
                    family.add_metric(name, value)
            for family, moment in ((full, location.full_at), (ends, location.certificate_expires_at)):
                if moment is not None:
                    family.add_metric(name, (moment - timezone.now()).total_seconds())
            if location.inventory_at is not None:
                listed.add_metric(name, self._age(location.inventory_at))
        yield from (speed, full, files, most, failed, ends, listed)

    def _services(self) -> Iterator[Metric]:
        age = GaugeMetricFamily(
            "ccatdc_heartbeat_age_seconds", "Since the last sign of life.", labels=["service", "name"]
        )
        clock = GaugeMetricFamily(
            "ccatdc_clock_offset_seconds", "Its clock minus that of the database.", labels=["service", "name"]
        )
        for service in self._seen.services:
            if service.stopped_at is None:
                labels = [service.service_type, service.name]
                age.add_metric(labels, self._age(service.last_seen))
                if service.clock_offset is not None:
                    clock.add_metric(labels, service.clock_offset.total_seconds())
        yield from (age, clock)

    def _age(self, moment: datetime | None) -> float:
        return 0.0 if moment is None else max(0.0, (timezone.now() - moment).total_seconds())
