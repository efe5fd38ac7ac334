"""Addresses below ``/api/`` of a gateway: those of the main site's filing (datamgmt/api/urls.py).

What is said of an observation or a file is amended at the main site only.
"""

from __future__ import annotations

from django.urls import path

from datamgmt.api.views import ExecutionView, FileView
from gateway.outbox import accepting

urlpatterns = [
    path("executed_obs_units/start", accepting.StartExecutionView.as_view()),
    path("executed_obs_units/<uuid:pk>", ExecutionView.as_view()),
    path("executed_obs_units/<uuid:pk>/finish", accepting.FinishExecutionView.as_view()),
    path("raw_data_files/", accepting.RegisterFileView.as_view()),
    path("raw_data_files/bulk", accepting.RegisterFilesView.as_view()),
    path("raw_data_files/<uuid:pk>", FileView.as_view()),
]
