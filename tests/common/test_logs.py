"""Lines of logs: text or JSON, with the ids of the request or the operation that they are about."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.test import Client, RequestFactory

from ccatdc.api import server_error
from ccatdc.common.logs import RequestIds, about_operation, request_id
from ccatdc.settings.logs import logging_settings


@pytest.fixture
def said() -> Iterator[Callable[[str], list[str]]]:
    """A logger with the settings of a format; what was said so far, line by line."""
    logger = logging.getLogger("tests.said")
    handlers: list[logging.Handler] = []

    def lines(form: str) -> list[str]:
        if not handlers:
            settings = logging_settings(form, "INFO")
            made = logging.config.DictConfigurator(settings)
            made.config["formatters"] = {"line": made.configure_formatter(settings["formatters"]["line"])}
            made.config["filters"] = {"ids": made.configure_filter(settings["filters"]["ids"])}
            stream = io.StringIO()
            handler: Any = made.configure_handler({**settings["handlers"]["stderr"], "stream": stream})
            handlers.append(handler)
            logger.addHandler(handler)
            logger.setLevel(logging.INFO)
        return list(handlers[0].stream.getvalue().splitlines())  # type: ignore[attr-defined]

    yield lines
    for handler in handlers:
        logger.removeHandler(handler)


LOGGER = logging.getLogger("tests.said")


def test_a_line_of_json_has_the_ids_of_the_operation_and_the_traceback(said: Callable[[str], list[str]]) -> None:
    said("json")
    with about_operation(operation=4711, location="ccat_buffer", package="orion_1"):
        try:
            int("no such\nfile")
        except ValueError:
            LOGGER.exception("It %s.", "failed", extra={"request": object()})
        other = threading.Thread(target=LOGGER.info, args=("from another thread",))
        other.start()
        other.join()
    LOGGER.info("after it")

    first, second, third = map(json.loads, said("json"))

    assert first["message"] == "It failed."
    assert (first["level"], first["logger"]) == ("ERROR", "tests.said")
    assert first["time"].endswith("+00:00")
    assert (first["operation"], first["location"], first["package"]) == (4711, "ccat_buffer", "orion_1")
    assert "ValueError: invalid literal" in first["traceback"]
    assert not {"request", "ids"} & set(first)
    assert second["operation"] == 4711
    assert "operation" not in third


def test_a_line_of_text_ends_with_the_ids(said: Callable[[str], list[str]]) -> None:
    said("text")
    with about_operation(operation=4711):
        LOGGER.info("Half-way.")
    LOGGER.info("Idle.")

    busy, idle = said("text")
    assert busy.endswith("Half-way. operation=4711")
    assert idle.endswith("Idle.")


def test_a_format_that_there_is_not_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="CCATDC_LOG_FORMAT"):
        logging_settings("xml", "INFO")


def test_each_answer_bears_the_id_that_its_lines_have(said: Callable[[str], list[str]]) -> None:
    said("json")

    def answer(_request: Any) -> HttpResponse:
        LOGGER.info("answered")
        return HttpResponse(request_id())

    served = RequestIds(answer)
    ours = served(RequestFactory().get("/"))
    theirs = served(RequestFactory().get("/", headers={"X-Request-ID": "abcdef0123456789"}))
    forged = served(RequestFactory().get("/", headers={"X-Request-ID": 'x"\n{"level": "INFO"}'}))

    ids = [json.loads(line)["request_id"] for line in said("json")]
    assert ids == [ours["X-Request-ID"], "abcdef0123456789", forged["X-Request-ID"]]
    assert len({*ids}) == 3
    assert theirs.content == b"abcdef0123456789"
    assert "level" not in forged["X-Request-ID"]
    assert request_id() == ""


@pytest.mark.parametrize(("address", "kind"), [("/portal/x/", "text/html"), ("/api/x/", "application/problem+json")])
def test_the_page_of_our_mistake_shows_the_id(address: str, kind: str) -> None:
    request = RequestFactory().get(address)

    answer = RequestIds(lambda _request: server_error(request))(request)

    assert answer.status_code == 500
    assert answer["Content-Type"].startswith(kind)
    assert answer["X-Request-ID"] in answer.content.decode()


@pytest.mark.django_db
def test_the_site_gives_ids() -> None:
    assert len(Client().get("/accounts/login/")["X-Request-ID"]) == 32
