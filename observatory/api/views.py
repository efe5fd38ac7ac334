"""Reading the hierarchy that produces data."""

from __future__ import annotations

from rest_framework.generics import RetrieveAPIView

from ccatdc.common.api import ByIdPagination
from ccatdc.common.lists import StrictListView
from observatory.api.serializers import InstrumentSerializer
from observatory.models import Instrument

_INSTRUMENTS = Instrument.objects.select_related("telescope").prefetch_related("modules")


class InstrumentListView(StrictListView[Instrument]):
    """All instruments with their modules."""

    needs = {"GET": "read:observations"}
    queryset = _INSTRUMENTS
    serializer_class = InstrumentSerializer
    pagination_class = ByIdPagination


class InstrumentView(RetrieveAPIView[Instrument]):
    """One instrument, by its short name."""

    needs = {"GET": "read:observations"}
    queryset = _INSTRUMENTS
    serializer_class = InstrumentSerializer
    lookup_field = "short_name"
