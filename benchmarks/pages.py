"""Which pages benchmarks/lists.py looks at: found by looking, so that a new list is measured too.

Every list of the portal, and of what grows its search, each choice of each filter, each column that
it sorts by, its second and its last page; the page and the history of one row of each kind; the portal's first
page; the scientists' pages; every list of the API with each filter, its first page and one deep
inside, and the rows behind it. Addresses are found anew in each database; their labels agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from django.contrib import admin
from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR, SEARCH_VAR
from django.db import models
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from rest_framework.generics import ListAPIView, RetrieveAPIView

from benchmarks.history_load import GROWING
from ccatdc.common.api.pagination import KeysetPagination, _columns

#: A word that stands nowhere: a search that finds nothing has looked everywhere.
NOWHERE = "zzqx"


class Page(NamedTuple):
    """What it is, the same in every database, and where."""

    label: str
    address: str


def all_pages(client: Client, only: str = "") -> Iterator[Page]:
    """Everything that is measured, or of the portal only the kind whose name begins so."""
    for model, its_admin in admin.site._registry.items():
        if model._meta.label_lower.startswith(only) or only.startswith(model._meta.label_lower):
            yield from _lists(client, model, its_admin)
            yield from _rows(model)
    yield Page("portal", reverse("admin:index"))
    yield Page("portal, its changing part", reverse("admin:overview"))
    for title, word in (("in vain", NOWHERE), ("many", "or")):
        yield Page(f"portal, find {title}", f"{reverse('admin:search')}?q={word}")
    yield from _scientists(client)
    yield from _api()


def grows(model: type[models.Model]) -> bool:
    """Whether there are more rows of it the more was observed; reference data stays as it is, and of
    its lists only the first page is measured.
    """
    parents = {parent._meta.db_table for parent in model._meta.get_parent_list()}
    return bool({model._meta.db_table, *parents} & GROWING)


def middle_of(model: type[models.Model]) -> Any:
    """A row from the middle of the table, as the table's key counts."""
    rows = model._base_manager.order_by("pk")
    if hasattr(rows, "non_polymorphic"):
        rows = rows.non_polymorphic()
    return rows[min(rows.count() // 2, 20_000)] if rows.exists() else None


def _lists(client: Client, model: Any, its_admin: Any) -> Iterator[Page]:
    name = f"{model._meta.app_label}.{model._meta.model_name}"
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    yield Page(name, address)
    context = client.get(address).context_data
    if context is None or "cl" not in context or not grows(model):
        return
    its_list = context["cl"]
    for spec in its_list.filter_specs:
        for number, choice in enumerate(spec.choices(its_list)):
            query = choice.get("query_string", "?")
            if query != "?":
                title = f"{name}, {spec.title}: {choice.get('display', number)}"
                yield Page(title, address + query)
    for column in sorted(_sortable(its_list)):
        for direction in ("", "-"):
            title = f"{name}, by {direction}{its_list.list_display[column]}"
            yield Page(title, f"{address}?{ORDER_VAR}={direction}{column}")
    if its_list.paginator.num_pages > 1:
        yield Page(f"{name}, second page", f"{address}?{PAGE_VAR}=2")
        last = its_list.paginator.num_pages
        yield Page(f"{name}, last page", f"{address}?{PAGE_VAR}={last}")
    if its_admin.search_fields:
        yield Page(f"{name}, search in vain", f"{address}?{SEARCH_VAR}={NOWHERE}")
        for word in _words(model):
            title = f"{name}, search {word[0]}"
            yield Page(title, f"{address}?{SEARCH_VAR}={quote(word[1])}")


def _sortable(its_list: Any) -> set[int]:
    """Columns whose head can be clicked."""
    return {
        number
        for number, name in enumerate(its_list.list_display)
        if (its_list.sortable_by is None or name in its_list.sortable_by) and its_list.get_ordering_field(name)
    }


def _words(model: type[models.Model]) -> Iterator[tuple[str, str]]:
    """What a person may look for: a key, the name of a row, its beginning, a word that many have."""
    row = middle_of(model)
    if row is None:
        return
    yield "a key", str(row.pk)
    for field in ("name", "relative_path", "message", "short_name", "username"):
        text = str(getattr(row, field, ""))
        if text:
            yield f"a {field}", text
            yield f"part of a {field}", text[: max(3, len(text) // 2)]


def _rows(model: Any) -> Iterator[Page]:
    row = middle_of(model)
    if row is not None:
        app, name = model._meta.app_label, model._meta.model_name
        yield Page(f"{app}.{name}, a row", reverse(f"admin:{app}_{name}_change", args=[row.pk]))
        history = reverse(f"admin:{app}_{name}_history", args=[row.pk])
        yield Page(f"{app}.{name}, its history", history)


def _scientists(client: Client) -> Iterator[Page]:
    from transfer.models import StagingJob

    yield Page("home", reverse("home"))
    address = reverse("staging:packages")
    yield Page("staging", address)
    shown: Any = client.get(address).context["filter"]
    for label, query in _filters(type(shown), shown.form.fields):
        yield Page(f"staging, {label}", f"{address}?{query}")
    for order in ("name", "-name", "archived_at", "-archived_at", "size", "-size", "-file_count"):
        yield Page(f"staging, by {order}", f"{address}?sort={order}")
    for page in (2, 400):
        yield Page(f"staging, page {page}", f"{address}?page={page}")
    yield Page("staging, jobs", reverse("staging:jobs"))
    job = StagingJob.objects.order_by("pk").first()
    if job is not None:
        yield Page("staging, a job", reverse("staging:job", args=[job.pk]))
    yield Page("staging, request", reverse("staging:request"))


#: What to put into a filter of this name; others get each of their choices, or a word.
_VALUES = {
    "start": ["2020-01-01"], "end": ["2020-01-01"], "date": ["2020-01-01"],
    "date_from": ["2020-01-01"], "date_to": ["2020-01-01"], "late": ["true", "false"],
    "cone": ["83.8,-5.4,1.0"], "source": [NOWHERE, "Field 1"], "name": [NOWHERE, "Field 1 part 10"],
    "text": [NOWHERE, "Field", "first light", "prime-cam"], "program": ["former", "GPS"],
    "instrument": ["prime-cam", "chai"], "obs_unit": ["1", "25"],
    "starts_before": ["2020-01-01T00:00Z"], "ends_after": ["2020-01-01T00:00Z"],
}  # fmt: skip


def _filters(filterset: Any, fields: Any = None) -> Iterator[tuple[str, str]]:
    """Label and query of every filter with every value that tells it apart."""
    for name, each in filterset.base_filters.items():
        choices = each.extra.get("choices", ())
        rows = getattr((fields or {}).get(name), "queryset", None)
        if callable(choices):
            choices = choices()
        if rows is not None:
            values = [str(pk) for pk in rows.order_by("pk").values_list("pk", flat=True)[:8]]
        else:
            values = [str(value) for value, _ in choices] or _VALUES.get(name, [])
        for value in values:
            yield f"{name}={value}", urlencode({name: value})


def _api() -> Iterator[Page]:
    """Lists, and what lies behind them."""
    for prefix, pattern in _patterns(get_resolver("ccatdc.api").url_patterns, "/api/"):
        view: Any = getattr(pattern.callback, "view_class", None)
        rows = getattr(view, "queryset", None)
        if view is None or rows is None or not issubclass(view, ListAPIView | RetrieveAPIView):
            continue
        if prefix.endswith("/wait"):  # which takes its time on purpose
            continue
        model = rows.model
        row = middle_of(model)
        if "<" in prefix:
            if row is not None:
                yield Page(f"API {prefix}", _filled(prefix, row))
            continue
        yield Page(f"API {prefix}", prefix)
        narrowed = view.filterset_class is not None and grows(model)
        for label, query in _filters(view.filterset_class) if narrowed else ():
            if _is_valid(view, query):
                yield Page(f"API {prefix}, {label}", f"{prefix}?{query}")
        if row is not None:
            yield Page(f"API {prefix}, deep", prefix + _cursor(view, row))


def _is_valid(view: Any, query: str) -> bool:
    """Whether the filter takes what stands for its value here: for a number a word does not."""
    given = view.filterset_class(dict(parse_qsl(query)), queryset=view.queryset)
    return bool(given.form.is_valid())


def _patterns(patterns: Any, prefix: str) -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _patterns(pattern.url_patterns, prefix + str(pattern.pattern))
        elif isinstance(pattern, URLPattern):
            yield prefix + str(pattern.pattern), pattern


def _filled(prefix: str, row: Any) -> str:
    before, _, rest = prefix.partition("<")
    argument, _, after = rest.partition(">")
    key = row.short_name if argument.endswith("short_name") else row.pk
    if "raw_data_packages" in before and hasattr(row, "raw_data_package_id"):
        key = row.raw_data_package_id  # its files
    return f"{before}{key}{after}"


def _cursor(view: Any, row: Any) -> str:
    """The address of what follows a row in the list's order, as the list itself would write it."""
    pages = KeysetPagination()
    pages.address, pages.order = "", getattr(view, "orders", ("id",))[0]
    pages.columns = _columns(pages.order)
    return pages._link(row, backward=False)
