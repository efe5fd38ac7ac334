"""A token may make so many requests a minute; those that are served cost no query for it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import rates
from accounts.auth import tokens
from accounts.rates import Allowances, TooManyRequestsError
from tests.api.conftest import ApiClient, client_with, problem


class Clock:
    """Time that passes when it is told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_minutes_requests_may_come_at_once_and_no_more(clock: Clock) -> None:
    allowances = Allowances(clock)
    for _ in range(120):
        allowances.take(1, per_minute=120)
    with pytest.raises(TooManyRequestsError) as refused:
        allowances.take(1, per_minute=120)
    assert refused.value.retry_after == 1
    allowances.take(2, per_minute=120)  # another token has its own


def test_it_is_refilled_evenly_and_not_beyond_a_minute(clock: Clock) -> None:
    allowances = Allowances(clock)
    for _ in range(120):
        allowances.take(1, per_minute=120)
    clock.now += 0.5
    allowances.take(1, per_minute=120)
    with pytest.raises(TooManyRequestsError):
        allowances.take(1, per_minute=120)
    clock.now += 3600
    for _ in range(120):
        allowances.take(1, per_minute=120)
    with pytest.raises(TooManyRequestsError):
        allowances.take(1, per_minute=120)


def test_asking_on_while_refused_costs_nothing(clock: Clock) -> None:
    allowances = Allowances(clock)
    allowances.take(1, per_minute=1)
    for _ in range(60):
        clock.now += 0.99
        with pytest.raises(TooManyRequestsError):
            allowances.take(1, per_minute=1)
    clock.now += 0.7
    allowances.take(1, per_minute=1)


def test_tokens_that_rest_are_forgotten_and_busy_ones_are_not(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "REMEMBERED", 3)
    allowances = Allowances(clock)
    for token in (1, 2, 3):
        allowances.take(token, per_minute=1)
    clock.now += 60
    allowances.take(4, per_minute=1)
    assert set(allowances._left) == {4}
    with pytest.raises(TooManyRequestsError):
        allowances.take(4, per_minute=1)


def test_threads_share_one_allowance(clock: Clock) -> None:
    allowances = Allowances(clock)

    def one(_: int) -> bool:
        try:
            allowances.take(1, per_minute=100)
        except TooManyRequestsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(400))) == 100


@pytest.mark.django_db
class TestApi:
    @pytest.fixture
    def client(self, monkeypatch: pytest.MonkeyPatch, settings: Any) -> ApiClient:
        monkeypatch.setattr(rates, "_allowances", Allowances())
        settings.TOKEN_REQUESTS_PER_MINUTE, settings.WEB_WORKERS = 6, 2
        return client_with("read:observations")

    def test_a_process_gives_out_its_part_and_then_429(self, client: ApiClient) -> None:
        for _ in range(3):
            assert client.get("/api/instruments/").status_code == 200
        answer = client.get("/api/instruments/")
        body = problem(answer, 429, "token.too_many_requests")
        assert body["retryable"] is True
        assert 19 <= int(answer["Retry-After"]) <= 20

    def test_what_is_served_costs_no_query_more(self, client: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
        def queries() -> int:
            with CaptureQueriesContext(connection) as found:
                assert client.get("/api/instruments/").status_code == 200
            return len(found)

        queries()  # which notes the last use
        counted = queries()
        monkeypatch.setattr(tokens, "count_request", lambda _token: None)
        assert queries() == counted
