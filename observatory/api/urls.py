"""Addresses below ``/api/``: observatories, telescopes, instruments, modules, module configurations, lines."""

from __future__ import annotations

from ccatdc.common.api.views import rows_at
from observatory.api import views

urlpatterns = [
    *rows_at(
        {
            "observatories": views.ObservatoryViewSet,
            "telescopes": views.TelescopeViewSet,
            "instruments": views.InstrumentViewSet,
            "instrument_modules": views.InstrumentModuleViewSet,
            "instrument_module_configurations": views.ModuleConfigurationViewSet,
            "data_streams": views.DataStreamViewSet,
            "lines": views.LineViewSet,
        }
    )
]
