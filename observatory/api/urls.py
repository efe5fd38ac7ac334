"""Addresses below ``/api/``: observatories, telescopes, instruments, modules, set-ups, lines."""

from __future__ import annotations

from django.urls import path

from observatory.api import views

urlpatterns = [
    path("observatories/", views.ObservatoryListView.as_view()),
    path("observatories/<slug:short_name>/", views.ObservatoryView.as_view()),
    path("telescopes/", views.TelescopeListView.as_view()),
    path("telescopes/<slug:short_name>/", views.TelescopeView.as_view()),
    path("instruments/", views.InstrumentListView.as_view()),
    path("instruments/<slug:short_name>/", views.InstrumentView.as_view()),
    path("instrument_modules/", views.InstrumentModuleListView.as_view()),
    path("instrument_modules/<int:pk>/", views.InstrumentModuleView.as_view()),
    path("instrument_module_configurations/", views.ModuleConfigurationListView.as_view()),
    path("instrument_module_configurations/<int:pk>/", views.ModuleConfigurationView.as_view()),
    path("lines/", views.LineListView.as_view()),
    path("lines/<int:pk>/", views.LineView.as_view()),
]
