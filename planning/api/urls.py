"""Addresses below ``/api/``: programs, obs units and how they are observed, sources."""

from __future__ import annotations

from django.urls import path

from ccatdc.common.api.views import rows_at
from planning.api import configuration_views, scheduler_views, timeline_views, views, visibility, weather_views

urlpatterns = [
    path("obs_units/available/", scheduler_views.AvailableObsUnitsView.as_view()),
    path("obs_units/availability", scheduler_views.SetObsUnitsView.as_view()),
    path("instruments/availability", scheduler_views.SetInstrumentsView.as_view()),
    path("instrument_modules/availability", scheduler_views.SetModulesView.as_view()),
    path("timeline", timeline_views.TimelineView.as_view()),
    path("weather", weather_views.WeatherView.as_view()),
    path("visibility/<int:pk>", visibility.VisibilityView.as_view()),
    path("visibility/<int:pk>.svg", visibility.VisibilityPictureView.as_view(), name="visibility_picture"),
    *rows_at(
        {
            "observing_programs": views.ProgramViewSet,
            "sub_observing_programs": views.SubProgramViewSet,
            "obs_units": views.ObsUnitViewSet,
            "obs_modes": configuration_views.ObsModeViewSet,
            "calibration_cadences": configuration_views.CadenceViewSet,
            "observation_configurations": configuration_views.ConfigurationViewSet,
            "chai_inpar_parameters": configuration_views.InparParameterViewSet,
            "chai_tilings": configuration_views.ChaiTilingViewSet,
            "pre_scheduled_slots": configuration_views.SlotViewSet,
            "sources": views.SourceViewSet,
            "weather_samples": weather_views.WeatherSampleViewSet,
            "constant_elevation_azimuth_ranges": views.AzimuthRangeViewSet,
        }
    ),
]
