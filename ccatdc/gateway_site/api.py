"""The root of a gateway's API: the main site's, with filing through the outbox and without the flow."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

import datamgmt.api.urls
from ccatdc.api import nothing_here
from ccatdc.me import MeView
from gateway.api import filing_urls
from gateway.site.not_here import at_main_site

_through_the_outbox = {str(each.pattern): each for each in filing_urls.urlpatterns}

urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^(obs_units|instruments|instrument_modules)/availability$", at_main_site),
    re_path(r"^(timeline|plans|weather)$", at_main_site),
    re_path(r"^(processing_runs|data_products|publications)/", at_main_site),
    path("me", MeView.as_view()),
    path("", include("observatory.api.urls")),
    path("", include("planning.api.urls")),
    *(_through_the_outbox.get(str(each.pattern), each) for each in datamgmt.api.urls.urlpatterns),
    re_path(r"^(staging|transfer|reference)/", at_main_site),
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("docs/", SpectacularSwaggerView.as_view(url_name="api-schema"), name="api-docs"),
    re_path(r"", nothing_here),
]
