"""Any list of the portal as CSV: what it shows now, with its filters, its search and its order.

Streamed, up to a limit of rows. django-import-export and tablib hold a whole table in memory and want a class for each
model; a list here knows its columns already.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any, Final

from django.contrib.admin.utils import label_for_field, lookup_field
from django.db import models
from django.utils.html import strip_tags
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from ccatdc.common.csv_lines import csv_line
from ccatdc.common.units import NOTHING

#: Rows of one file. Who needs more narrows the list or asks the API.
MAX_ROWS: Final = 10_000
#: Rows that are read and named at a time.
_CHUNK: Final = 500


def csv_of_list(page: Any, changelist: Any) -> Iterator[str]:
    """A line of names, then one for each row of the list. ``page`` is the admin of the list."""
    columns = [name for name in changelist.list_display if name != "action_checkbox"]
    yield csv_line(["id", *(_head(page, name) for name in columns)])
    rows = changelist.queryset[:MAX_ROWS].iterator(chunk_size=_CHUNK)
    while chunk := list(islice(rows, _CHUNK)):
        page.prepare_rows(chunk)
        for row in chunk:
            yield csv_line([str(row.pk), *(_cell(page, name, row) for name in columns)])


def is_cut_off(changelist: Any) -> bool:
    """Whether the list has more rows than the file will have."""
    return bool(changelist.queryset[MAX_ROWS : MAX_ROWS + 1].exists())


def _head(page: Any, name: str) -> str:
    label = capfirst(str(label_for_field(name, page.model, page)))
    return f"{label} (bytes)" if _exact(page, name) else label


def _exact(page: Any, name: str) -> str:
    """The field of a column that shows a rounded number."""
    return str(getattr(getattr(page, name, None), "exact_field", ""))


def _cell(page: Any, name: str, row: Any) -> Any:
    exact = _exact(page, name)
    if exact:
        return getattr(row, exact)
    field, _, value = lookup_field(name, row, page)
    if field is not None and getattr(field, "choices", None):
        value = getattr(row, f"get_{field.name}_display")()
    return _plain(value)


def _plain(value: Any) -> Any:
    """As a program reads it: times in ISO 8601, texts without markup, nothing for nothing."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, models.Manager):
        return ", ".join(str(each) for each in value.all())
    text = str(value)
    if isinstance(value, SafeString):
        text = html.unescape(strip_tags(text))
    text = " ".join(text.split())
    return "" if text == NOTHING else text
