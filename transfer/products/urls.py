"""Addresses of the pages of data products and runs."""

from __future__ import annotations

from django.urls import path

from transfer.products import views

app_name = "products"
urlpatterns = [
    path("", views.search, name="search"),
    path("<uuid:pk>/", views.product, name="product"),
    path("<uuid:pk>/stage/", views.stage, name="stage"),
    path("runs/<uuid:pk>/", views.run, name="run"),
]
