"""Copies and files that are set aside, by cause; unrecorded files; deletions to approve; evidence that grows old."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from django.db.models import Count, Max, Min, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from ccatdc.common.admin.badges import list_url
from ccatdc.common.units import duration_text, size_text
from ccatdc.portal.attention.lines import COUNTED, SHOWN, AttentionGroup, AttentionLine, Button, Seen, group, remedy_of
from datamgmt.models import DataLocation, LocationType, PhysicalCopy, UnrecordedFile
from datamgmt.states import PhysicalCopyStatus

#: What a line about a copy names.
OF_A_COPY: Final = ("raw_data_file", "raw_data_package", "data_transfer_package", "data_location__site")
#: Copies whose evidence is older than their location's period by this factor are not read as they should be.
TOO_OLD: Final = 1.1
#: Copies set aside that are looked at, the newest.
MOST_SET_ASIDE: Final = 20_000


def set_aside(_seen: Seen) -> AttentionGroup:
    """One line for each cause: a verdict and an error at a place."""
    rows = PhysicalCopy.objects.non_polymorphic().needing_attention()
    newest = rows.order_by("-id").values("pk")[:MOST_SET_ASIDE]
    counted = PhysicalCopy.objects.non_polymorphic().filter(pk__in=newest).order_by()
    causes = list(
        counted.values("data_location", "integrity", "error_code")
        .annotate(count=Count("pk"), since=Min(Coalesce("verified_at", "created_at")), last=Max("pk"))
        .order_by("-last")
    )
    shown = causes[:SHOWN]
    last = [each["last"] for each in shown]
    examples = rows.filter(pk__in=last).select_related(*OF_A_COPY).in_bulk() if last else {}
    lines = [_cause(examples[each["last"]], each["count"], each["since"]) for each in shown if each["last"] in examples]
    url = list_url("datamgmt", "physicalcopy", attention="needs_attention")
    return AttentionGroup("Files and packages set aside", lines, len(causes), url, len(causes) - len(shown))


def _cause(copy: Any, count: int, since: Any) -> AttentionLine:
    page = list_url("datamgmt", "physicalcopy")
    place = copy.data_location
    said = copy.error_message or "no reason was given."
    one = count == 1
    return AttentionLine(
        what=str(copy.subject) if one else f"{count} copies at {place.full_name}",
        why=f"{copy.get_integrity_display()} at {place.full_name}: {said}"
        if one
        else f"{copy.get_integrity_display()}, last {copy.subject}: {said}",
        since=since,
        url=list_url("datamgmt", "physicalcopy", id__exact=copy.pk)
        if one
        else list_url("datamgmt", "physicalcopy", attention=copy.integrity, location=place.pk),
        code=copy.error_code,
        buttons=(
            Button("Check again", "check_again_selected", page, copy.pk)
            if one
            else Button("Check all again", "check_cause_again_selected", page, copy.pk),
        ),
        then=remedy_of(copy.error_code),
        cause=f"{place.pk} {copy.integrity} {copy.error_code}",
    )


def unrecorded(_seen: Seen) -> AttentionGroup:
    """One line for each location: what people did not decide about yet."""
    page = list_url("datamgmt", "unrecordedfile")
    rows = UnrecordedFile.objects.undecided().order_by("location__site__short_name", "location__name")
    counted = rows.values_list("location", "location__site__short_name", "location__name", "location__location_type")
    lines = [
        AttentionLine(
            what=f"{site}_{name}: {count} {'file' if count == 1 else 'files'}, {size_text(size)}",
            why="At a SOURCE, and nobody filed them: the instrument files them, or removes them."
            if location_type == LocationType.SOURCE
            else "In the store, and no row of the catalogue names them. Look at them: record, remove or keep.",
            since=since,
            then="What is nobody's concern is told by a pattern in the location's ignored paths.",
            url=list_url("datamgmt", "unrecordedfile", location=pk, decision__exact=""),
        )
        for pk, site, name, location_type, count, since, size in counted.annotate(
            n=Count("pk"), since=Min("found_at"), size=Sum("size")
        )
    ]
    return group("Unrecorded files", lines, page)


def approvals(seen: Seen) -> AttentionGroup:
    """One line: they are approved in their list. By location, which is what their index begins with."""
    waiting = PhysicalCopy.objects.non_polymorphic().at_any(each.pk for each in seen.locations)
    rows = waiting.filter(status=PhysicalCopyStatus.DELETION_PENDING)
    count = rows.order_by()[:COUNTED].count()
    url = list_url("datamgmt", "physicalcopy", attention="approval")
    line = AttentionLine(
        what=f"{count} copies" if count != 1 else "1 copy",
        why="May be deleted; their location wants an operator's approval first.",
        since=None,
        url=url,
    )
    return AttentionGroup("Deletions to approve", [line], count, url)


def old_evidence(seen: Seen) -> AttentionGroup:
    """Locations whose copies are not read as often as they should be: evidence that is too old proves nothing."""
    scrubbed = [
        each
        for each in seen.in_use
        if each.scrub_days and each.location_type in (LocationType.BUFFER, LocationType.LONG_TERM_ARCHIVE)
    ]
    lines = list(_not_read(scrubbed))
    return group("Evidence that grows old", lines, list_url("datamgmt", "datalocation"))


def _not_read(locations: list[DataLocation]) -> Iterable[AttentionLine]:
    if not locations:
        return
    now = timezone.now()
    copies = PhysicalCopy.objects.non_polymorphic()
    oldest = [
        copies.at(each)
        .due_for_scrub(now - timedelta(days=TOO_OLD * each.scrub_days))
        .values_list("data_location", "verified_at")[:1]
        for each in locations
    ]
    found = dict(oldest[0].union(*oldest[1:], all=True))
    for location in locations:
        if location.pk in found:
            age = duration_text(now - found[location.pk])
            yield AttentionLine(
                what=location.full_name,
                why=f"The copy that was read longest ago was read {age} ago; each should be read once in"
                f" {location.scrub_days:g} days.",
                since=found[location.pk] + timedelta(days=location.scrub_days),
                url=list_url("datamgmt", "datalocation", id__exact=location.pk),
                then="Its worker reads them when it has time: give it more, or more bandwidth for this on its page.",
            )
