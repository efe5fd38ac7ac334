"""Who changed something, and how: in the portal, through the API, by a command, or straight in the database."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import path, reverse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import ApiToken, Change
from observatory.models import Instrument
from tests.factories.accounts import UserFactory
from tests.factories.observatory import InstrumentFactory
from tests.factories.planning import ObsUnitFactory
from tests.portal.conftest import logged_in, person

pytestmark = pytest.mark.django_db


def as_program(name: str) -> None:
    """Call this connection something else, until the test ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('application_name', %s, true)", [name])


def last_about(obj: Any) -> Change:
    return Change.objects.about(obj).latest("id")


def test_a_change_in_the_portal_bears_the_person_and_the_page() -> None:
    observatory = InstrumentFactory.create().telescope.observatory
    user = person("admin")
    url = reverse("admin:observatory_observatory_change", args=[observatory.pk])
    form = {
        "name": "Renamed",
        "short_name": observatory.short_name,
        "telescopes-TOTAL_FORMS": 0,
        "telescopes-INITIAL_FORMS": 0,
    }

    assert logged_in(user).post(url, form).status_code == 302

    change = last_about(observatory)
    assert change.user == user
    assert (change.context["how"], change.context["url"]) == ("portal", url)
    assert change.changes == {"name": ["CCAT Observatory", "Renamed"]}


class SwitchEverythingOff(APIView):
    """A call of the API that changes something."""

    needs = {"POST": "configure:system"}

    def post(self, request: Request) -> Response:
        Instrument.objects.update(available=False)
        return Response(status=204)


urlpatterns = [path("api/off/", SwitchEverythingOff.as_view())]


@pytest.mark.urls(__name__)
def test_a_change_through_the_api_bears_the_owner_of_the_token_and_its_name() -> None:
    instrument = InstrumentFactory.create()
    user = UserFactory.create(permissions=["configure:system"])
    _, secret = ApiToken.issue(user=user, name="scheduler", scopes=["configure:system"])

    answer = Client().post("/api/off/", headers={"Authorization": f"Bearer {secret}"})

    assert answer.status_code == 204
    change = last_about(instrument)
    assert change.user == user
    assert change.context == {"user": user.pk, "url": "/api/off/", "how": "api", "token": "scheduler"}


def test_a_command_is_named() -> None:
    as_program("ccatdc load_reference")
    instrument = InstrumentFactory.create()

    change = last_about(instrument)

    assert change.user is None
    assert change.context == {"how": "command", "program": "ccatdc load_reference"}


def test_what_is_done_past_the_software_is_called_so() -> None:
    instrument = InstrumentFactory.create()
    as_program("psql")
    Instrument.objects.update(description="by hand")

    assert last_about(instrument).context == {"how": "database", "program": "psql"}


@pytest.mark.django_db(transaction=True)
def test_one_request_does_not_lend_its_name_to_the_next_change() -> None:
    unit = ObsUnitFactory.create()
    user = person("admin")
    url = reverse("admin:planning_observingprogram_change", args=[unit.observing_program_id])
    client = logged_in(user)
    client.post(url, {})

    type(unit).objects.update(priority=1)

    change = last_about(unit)
    assert (change.user, change.context["how"]) == (None, "command")
