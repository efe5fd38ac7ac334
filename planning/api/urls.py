"""Addresses below ``/api/``: programs, obs units and how they are observed, sources."""

from __future__ import annotations

from django.urls import path

from planning.api import configuration_views, scheduler_views, views, visibility

urlpatterns = [
    path("observing_programs/", views.ProgramListView.as_view()),
    path("observing_programs/<int:pk>/", views.ProgramView.as_view()),
    path("sub_observing_programs/", views.SubProgramListView.as_view()),
    path("sub_observing_programs/<int:pk>/", views.SubProgramView.as_view()),
    path("obs_units/available/", scheduler_views.AvailableObsUnitsView.as_view()),
    path("obs_units/availability", scheduler_views.SetObsUnitsView.as_view()),
    path("instruments/availability", scheduler_views.SetInstrumentsView.as_view()),
    path("instrument_modules/availability", scheduler_views.SetModulesView.as_view()),
    path("obs_units/", views.ObsUnitListView.as_view()),
    path("obs_units/<int:pk>/", views.ObsUnitView.as_view()),
    path("obs_modes/", configuration_views.ObsModeListView.as_view()),
    path("obs_modes/<int:pk>/", configuration_views.ObsModeView.as_view()),
    path("observation_configurations/", configuration_views.ConfigurationListView.as_view()),
    path("observation_configurations/<int:pk>/", configuration_views.ConfigurationView.as_view()),
    path("chai_inpar_parameters/", configuration_views.InparParameterListView.as_view()),
    path("chai_inpar_parameters/<int:pk>/", configuration_views.InparParameterView.as_view()),
    path("chai_tilings/", configuration_views.ChaiTilingListView.as_view()),
    path("chai_tilings/<int:pk>/", configuration_views.ChaiTilingView.as_view()),
    path("pre_scheduled_slots/", configuration_views.SlotListView.as_view()),
    path("pre_scheduled_slots/<int:pk>/", configuration_views.SlotView.as_view()),
    path("sources/", views.SourceListView.as_view()),
    path("sources/<int:pk>/", views.SourceView.as_view()),
    path("constant_elevation_azimuth_ranges/", views.AzimuthRangeListView.as_view()),
    path("constant_elevation_azimuth_ranges/<int:pk>/", views.AzimuthRangeView.as_view()),
    path("visibility/<int:pk>", visibility.VisibilityView.as_view()),
    path(
        "visibility/<int:pk>.svg",
        visibility.VisibilityPictureView.as_view(),
        name="visibility_picture",
    ),
]
