"""*My notifications*: what a person is told of by mail. Kept as a rule of their own."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.models import User, record
from accounts.people import person_of
from notifications.models import NotificationRule, Severity
from notifications.models.messages import personal_channel
from notifications.telling import may_be_told

_DIGESTS = ((0, "at once"), (15, "every 15 minutes"), (60, "every hour"), (1440, "once a day"))


class PreferencesForm(forms.Form):
    """From which severity on, and how often."""

    least_severity = forms.TypedChoiceField(
        label="Mail me alerts",
        coerce=int,
        empty_value=None,
        required=False,
        choices=[
            ("", "none"),
            (Severity.CRITICAL, "critical ones"),
            (Severity.WARNING, "critical ones and warnings"),
            (Severity.INFORMATION, "all"),
        ],
    )
    digest_minutes = forms.TypedChoiceField(label="How often", coerce=int, choices=_DIGESTS)

    def keep(self, user: User) -> None:
        """As the person's rule; without a severity there is none."""
        severity = self.cleaned_data["least_severity"]
        NotificationRule.objects.update_or_create(
            user=user,
            defaults={
                "active": severity is not None,
                "digest_minutes": self.cleaned_data["digest_minutes"],
                "last_told_at": timezone.now(),
                **({} if severity is None else {"least_severity": severity}),
            },
        )
        personal_channel()
        said = f"{Severity(severity).label} on" if severity else "none"
        record("notifications", f"{user} chose which alerts are mailed: {said}.", about=user, user=user)


@login_required
@require_http_methods(["GET", "POST"])
def my_notifications(request: HttpRequest) -> HttpResponse:
    """The form; what is chosen holds from the next alert on, and for those that are open now."""
    user = person_of(request)
    form = PreferencesForm(request.POST) if request.method == "POST" else PreferencesForm(initial=_chosen(user))
    if form.is_bound and form.is_valid():
        form.keep(user)
        messages.success(request, "Kept.")
        return redirect("my_notifications")
    context = {"form": form, "may_be_told": may_be_told(user)}
    return render(request, "notifications/my_notifications.html", context, status=400 if form.errors else 200)


def _chosen(user: User) -> dict[str, Any]:
    rule = NotificationRule.objects.filter(user=user).first()
    if rule is None:
        return {}
    return {"least_severity": rule.least_severity if rule.active else "", "digest_minutes": rule.digest_minutes}
