"""What a token costs: one query by an index, and no slow hash."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import hashers
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from accounts.auth.tokens import ApiTokenAuthentication, may
from accounts.auth.uses import of_tokens
from accounts.models import ApiToken
from tests.factories.accounts import ApiTokenFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def request_with_token() -> Request:
    """Of a token that was used a moment ago, among others."""
    ApiTokenFactory.create_batch(3)
    owner = UserFactory.create(permissions=("write:observations",))
    token: Any = ApiTokenFactory.create(user=owner, scopes=["write:observations"])
    of_tokens.note(str(token.pk))
    headers = {"authorization": f"Bearer {token.secret}"}
    return Request(APIRequestFactory().post("/", headers=headers), authenticators=[ApiTokenAuthentication()])


def test_a_token_and_the_rights_of_its_owner_are_one_query(request_with_token: Request) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert isinstance(request_with_token.auth, ApiToken)
        assert may(request_with_token, "write:observations")
        assert not may(request_with_token, "configure:system")

    assert len(queries) == 1, [query["sql"] for query in queries]


def test_a_token_is_found_by_an_index_on_its_hash(request_with_token: Request) -> None:
    owner = UserFactory.create()
    others = (ApiToken(user=owner, name=f"other{n}", token_hash=f"{n:064}", token_prefix="other") for n in range(2000))
    ApiToken.objects.bulk_create(others)
    with CaptureQueriesContext(connection) as queries:
        assert request_with_token.auth is not None
    (query,) = queries.captured_queries

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE api_token")
        cursor.execute("EXPLAIN " + query["sql"])
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "Index Cond: ((token_hash)::text = " in plan, plan
    assert "Seq Scan on api_token" not in plan, plan


def test_no_password_is_hashed_for_a_token(request_with_token: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise AssertionError("a password hasher was called")

    for hasher in hashers.get_hashers():
        monkeypatch.setattr(type(hasher), "encode", refuse)
        monkeypatch.setattr(type(hasher), "verify", refuse)
    for name in ("check_password", "make_password", "verify_password"):
        monkeypatch.setattr(hashers, name, refuse)

    assert request_with_token.auth is not None
