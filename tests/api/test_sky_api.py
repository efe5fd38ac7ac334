"""The sky over the API: cones, and what is up tonight."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest
from django.test import Client

from tests.api.conftest import ApiClient, problem
from tests.api.reading import names_in
from tests.factories.observatory import TelescopeFactory
from tests.factories.planning import FixedSourceFactory, ObsUnitFactory

pytestmark = pytest.mark.django_db


def test_the_api_searches_a_cone(viewer_api: ApiClient) -> None:
    FixedSourceFactory.create()
    FixedSourceFactory.create(name="elsewhere", ra_deg=200)

    assert names_in(viewer_api.get("/api/sources/", cone="83.8,-5.4,1")) == ["Orion-KL"]


@pytest.mark.parametrize("cone", ["83.8,-5.4", "a,b,c", "360,0,1", "0,91,1", "-5.4,83.8,1", "0,0,0", "0,0,nan"])
def test_a_cone_that_is_none_is_refused(viewer_api: ApiClient, cone: str) -> None:
    assert viewer_api.get("/api/sources/", cone=cone).status_code == 400


class TestVisibility:
    def ask(self, api: ApiClient, source: Any, **query: Any) -> Any:
        return api.get(f"/api/visibility/{source.pk}", evening="2026-11-21", **query)

    def test_it_answers_with_the_day(self, viewer_api: ApiClient) -> None:
        TelescopeFactory.create()
        source = FixedSourceFactory.create()

        answer = self.ask(viewer_api, source).json()

        assert (answer["source_name"], answer["telescope"]) == ("Orion-KL", "fyst")
        assert len(answer["times"]) == len(answer["elevation_deg"]) == 289
        assert len(answer["observable"]) == 1

    def test_a_units_limits_hold(self, viewer_api: ApiClient) -> None:
        unit = ObsUnitFactory.create(min_elevation_deg=60, min_sun_distance_deg=30)

        answer = self.ask(viewer_api, unit.source, obs_unit=unit.pk).json()

        assert (answer["min_elevation_deg"], answer["min_sun_distance_deg"]) == (60, 30)

    def test_a_unit_of_another_source_is_404(self, viewer_api: ApiClient) -> None:
        unit = ObsUnitFactory.create()
        other = FixedSourceFactory.create(name="other")

        problem(self.ask(viewer_api, other, obs_unit=unit.pk), 404, "request.not_found")

    def test_with_two_telescopes_one_is_named(self, viewer_api: ApiClient) -> None:
        TelescopeFactory.create()
        TelescopeFactory.create(short_name="nanten", name="NANTEN2")
        source = FixedSourceFactory.create()

        problem(self.ask(viewer_api, source), 400, "visibility.which_telescope")
        assert self.ask(viewer_api, source, telescope="nanten").status_code == 200
        problem(self.ask(viewer_api, source, telescope="alma"), 400, "visibility.which_telescope")

    @pytest.mark.parametrize("query", [{"evening": "soon"}, {"night": "2026-11-21"}])
    def test_nonsense_is_refused(self, viewer_api: ApiClient, query: dict[str, str]) -> None:
        source = FixedSourceFactory.create()

        assert viewer_api.get(f"/api/visibility/{source.pk}", **query).status_code == 400

    def test_the_picture_is_an_svg(self, viewer_api: ApiClient) -> None:
        TelescopeFactory.create()
        source = FixedSourceFactory.create()

        answer = viewer_api.get(f"/api/visibility/{source.pk}.svg")

        assert answer.status_code == 200
        assert answer["Content-Type"] == "image/svg+xml"
        ET.fromstring(answer.content)  # noqa: S314 (our own)

    def test_the_picture_is_as_wide_as_wanted(self, viewer_api: ApiClient) -> None:
        TelescopeFactory.create()
        address = f"/api/visibility/{FixedSourceFactory.create().pk}.svg"

        narrow = ET.fromstring(viewer_api.get(address, width=340).content)  # noqa: S314 (our own)

        assert narrow.get("width") == "340"
        for width in ("319", "1601", "wide"):
            assert viewer_api.get(address, width=width).status_code == 400

    def test_who_may_not_read_gets_no_picture(self) -> None:
        source = FixedSourceFactory.create()

        assert Client().get(f"/api/visibility/{source.pk}.svg").status_code == 401
