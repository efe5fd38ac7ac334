"""*My usage*: the programs that a person is in, what of the quotas is taken, and what they downloaded."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.models import User
from accounts.people import person_of
from planning.models import ObservingProgram
from transfer.models import Download, StagingJob
from transfer.staging.quotas import allowances_of

LAST_DOWNLOADS: Final = 20
GB: Final = 10**9


@login_required
@require_GET
def my_usage(request: HttpRequest) -> HttpResponse:
    """All of it."""
    return render(request, "staging/my_usage.html", usage_of(person_of(request)))


def usage_of(user: User) -> dict[str, Any]:
    """What the page shows; bytes."""
    now, downloads = timezone.now(), Download.objects.of(user)
    programs = ObservingProgram.objects.of(user).order_by("short_name")
    return {
        "programs": [(program, program.lead_id == user.pk) for program in programs],
        "sees_all": user.sees_all_programs,
        "quotas": allowances_of(user),
        "active_jobs": StagingJob.objects.active().of(user).count(),
        "today": downloads.since(now - timedelta(days=1)).sent(),
        "most_today": int(settings.DOWNLOAD_MAX_GB_PER_DAY * GB),
        "month": downloads.since(now - timedelta(days=30)).sent(),
        "downloads": downloads[:LAST_DOWNLOADS],
    }
