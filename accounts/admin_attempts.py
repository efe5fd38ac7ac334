"""Portal page of failed log-ins and tokens: who is locked out for a while, and the button that lets them in."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from accounts.attempts import FailedAttempt
from ccatdc.common.admin import ReadOnlyAdmin
from ccatdc.common.admin_actions import portal_action


@admin.register(FailedAttempt)
class FailedAttemptAdmin(ReadOnlyAdmin):
    """Failures of the last day. Names are kept as hashes: the page of a person has the button for their account."""

    list_display = ["at", "address", "what"]
    search_fields = ["address__exact"]
    search_help_text = "An address."
    fields = ["at", "address", "what"]
    readonly_fields = ["at", "address", "what"]
    ordering = ["-at"]
    actions = ["forget_selected"]

    @admin.display(description="What was refused")
    def what(self, failure: FailedAttempt) -> str:
        """A password or a token; of an account, the beginning of its hash."""
        if not failure.account:
            return "A token"
        how = "a browser that logged in before" if failure.browser else "an unknown browser"
        return f"A password of account {failure.account[:8]}, from {how}"

    @portal_action(
        "Let this address in again",
        needs="manage_users",
        confirm="All failures from these addresses are forgotten. Let them in again?",
        shown_for=lambda _failure: True,
    )
    def forget_selected(self, request: HttpRequest, failure: FailedAttempt) -> None:
        """Forget every failure from the address."""
        self.diary(request, f"Forgot the failed log-ins from {failure.address}.", failure)
        FailedAttempt.objects.filter(address=failure.address).delete()
