"""Addresses of the scientists' pages."""

from __future__ import annotations

from django.urls import path

from transfer.staging import basket_views, views

app_name = "staging"
urlpatterns = [
    path("", views.packages, name="packages"),
    path("request/", views.request_page, name="request"),
    path("basket/", basket_views.basket, name="basket"),
    path("basket/change/", basket_views.change, name="change_basket"),
    path("jobs/", views.jobs, name="jobs"),
    path("jobs/<int:pk>/", views.job, name="job"),
    path("jobs/<int:pk>/progress/", views.job_progress, name="job_progress"),
    path("jobs/<int:pk>/cancel/", views.cancel, name="cancel"),
    path("jobs/<int:pk>/extend/", views.extend, name="extend"),
    path("jobs/<int:pk>/again/", views.again, name="again"),
    path("jobs/<int:pk>/retry/", views.retry, name="retry"),
]
