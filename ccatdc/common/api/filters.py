"""Filters of lists that refuse what they cannot read, where the library's would overlook it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import django_filters
from django import forms

from ccatdc.common.texts import require_time_of_day

_FLAGS = {"true": True, "false": False}


class FlagField(forms.CharField):
    """``true`` or ``false``."""

    def clean(self, value: Any) -> bool | None:
        """The truth; ValidationError for any other word."""
        text = super().clean(value)
        if not text:
            return None
        if text not in _FLAGS:
            raise forms.ValidationError("Give true or false.", code="invalid")
        return _FLAGS[text]


class FlagFilter(django_filters.BooleanFilter):  # type: ignore[misc]
    """``?active=true``; anything but true and false is refused."""

    field_class = FlagField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.extra.pop("widget", None)


class IdFilter(django_filters.NumberFilter):  # type: ignore[misc]
    """A key that is a whole number."""

    field_class = forms.IntegerField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, min_value=0, max_value=2**63 - 1, **kwargs)

    def get_max_validator(self) -> None:
        """The field has its own bounds."""


class OneOfField(django_filters.fields.ChoiceField):  # type: ignore[misc]
    """A word of the list; nothing between two commas is none."""

    def clean(self, value: Any) -> Any:
        if not value:
            raise forms.ValidationError("There is nothing beside a comma.", code="invalid")
        return super().clean(value)


class OneOfFilter(django_filters.BaseInFilter, django_filters.ChoiceFilter):  # type: ignore[misc]
    """One value, or several separated by commas."""

    field_class = OneOfField


class MomentField(django_filters.fields.IsoDateTimeField):  # type: ignore[misc]
    """A time that UTC can say: with its offset, the last day of 9999 may not be in it."""

    def clean(self, value: Any) -> datetime | None:
        """The time; ValidationError for one that is none."""
        try:
            require_time_of_day(value or None)
        except ValueError as error:
            raise forms.ValidationError(str(error), code="invalid") from error
        moment: datetime | None = super().clean(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError as error:
            message = "Give a time of the years 1 to 9999."
            raise forms.ValidationError(message, code="invalid") from error


class MomentFilter(django_filters.IsoDateTimeFilter):  # type: ignore[misc]
    """A time in ISO 8601, in UTC or with its offset."""

    field_class = MomentField


class RowFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Base of all filters of the API: what they filter by is declared, nothing follows from the model."""
