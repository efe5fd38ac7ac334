"""Portal pages of processes and circuit breakers: who is there, and where work is held back."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from accounts.people import person_of
from ccatdc.common.admin.actions import portal_action
from ccatdc.common.admin.badges import NO_VALUE, badge
from ccatdc.common.admin.base import ReadOnlyAdmin
from transfer.engine import circuit_breaker
from transfer.models import CircuitBreaker, ServiceHeartbeat
from transfer.operators.actions import take_out_of_use


@admin.register(ServiceHeartbeat)
class ServiceHeartbeatAdmin(ReadOnlyAdmin):
    list_display = ["name", "service_type", "pulse", "host", "pid", "last_seen", "waits_for"]
    list_filter = ["service_type"]
    search_fields = ["name", "host"]
    actions = ["take_out_of_use_selected"]
    shown = (
        "service_type",
        "name",
        "pulse",
        "host",
        "pid",
        "started_at",
        "last_seen",
        "stopped_at",
        "ttl_seconds",
        "clock_offset",
        "waits_for",
    )
    fields = shown
    readonly_fields = shown

    @portal_action(
        "Taken out of use",
        needs="operate",
        confirm="It is not reported as silent any more until it beats again. Taken out of use?",
        shown_for=lambda service: service.is_silent,
    )
    def take_out_of_use_selected(self, request: HttpRequest, service: ServiceHeartbeat) -> None:
        take_out_of_use(service, person_of(request))

    @admin.display(description="Pulse")
    def pulse(self, service: ServiceHeartbeat) -> SafeString:
        if service.stopped_at:
            return badge("Stopped", "default")
        return badge("Silent", "danger") if service.is_silent else badge("Alive", "success")

    @admin.display(description="Waits for")
    def waits_for(self, service: ServiceHeartbeat) -> SafeString:
        """What its last pass could not do, and why."""
        lines = ((entry.get("what", ""), entry.get("why", "")) for entry in service.waiting)
        return format_html_join("", "<div>{}: {}</div>", lines) or NO_VALUE


@admin.register(CircuitBreaker)
class CircuitBreakerAdmin(ReadOnlyAdmin):
    """Where work is held back because it failed several times in a row."""

    list_display = [
        "scope",
        "location",
        "destination",
        "breaker_state",
        "failures",
        "next_trial_at",
        "error_code",
        "error_message",
    ]
    list_select_related = ["location__site", "destination__site"]
    list_filter = [("opened_at", admin.EmptyFieldListFilter), "scope"]
    actions = ["reset_selected"]

    @admin.display(description="State")
    def breaker_state(self, breaker: CircuitBreaker) -> SafeString:
        if breaker.opened_at:
            return badge("Held back", "danger")
        return badge("Closed: work runs", "success")

    def get_queryset(self, request: HttpRequest) -> Any:
        """With what its name is made of."""
        return super().get_queryset(request).with_places()

    @portal_action("Reset", needs="operate", shown_for=lambda breaker: breaker.opened_at is not None)
    def reset_selected(self, request: HttpRequest, breaker: CircuitBreaker) -> None:
        """Close the breaker: the reason has been removed."""
        circuit_breaker.reset(breaker, user=person_of(request))
