"""What a scientist fills in: where the chosen packages shall go, and how long a job's data stays."""

from __future__ import annotations

from typing import Any

from django import forms

from ccatdc.common.texts import one_line
from ccatdc.common.units import size_text
from datamgmt.models import DataLocation, LocationType
from transfer.models.jobs import MAX_KEEP_DAYS


class _LocationChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    """Locations with their free room, so that nobody has to ask for what cannot fit."""

    def label_from_instance(self, obj: Any) -> str:
        if not obj.capacity_bytes or obj.used_bytes is None:
            return str(obj.full_name)
        limit = obj.capacity_bytes * obj.critical_pct / 100
        return f"{obj.full_name}, {size_text(max(0, limit - obj.used_bytes))} free"


class RequestForm(forms.Form):
    """The request itself. What is asked for is the selection, not a field."""

    location = _LocationChoice(queryset=DataLocation.objects.none(), label="Where to", empty_label=None)
    name = forms.CharField(
        label="Name of the job",
        max_length=128,
        required=False,
        validators=[one_line],
        help_text="For you to find it again. May be empty.",
        widget=forms.TextInput(attrs={"placeholder": "Orion-KL, first look"}),
    )

    whole_observations = forms.BooleanField(
        label="Whole observations",
        required=False,
        help_text="All packages of these observations, and the files that data streams wrote meanwhile.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["location"]
        places = DataLocation.objects.non_polymorphic().active().with_site().by_priority()
        field.queryset = places.of_type(LocationType.PROCESSING)


class BasketForm(RequestForm):
    """The request of a basket: whole observations, always."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["whole_observations"]


class ExtendForm(forms.Form):
    """How much longer the data of a job stays."""

    days = forms.TypedChoiceField(
        label="Keep it longer by",
        coerce=int,
        choices=[(7, "7 days"), (14, "14 days"), (30, "30 days")],
        help_text=f"At most {MAX_KEEP_DAYS} days after the request.",
    )
