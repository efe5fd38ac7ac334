"""Calls as clients make them: real requests through all middleware, bodies as JSON text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from accounts.models import ApiToken
from tests.factories.accounts import ApiTokenFactory, UserFactory


class ApiClient:
    """A program with a token, or without."""

    def __init__(self, token: ApiToken | None = None, *, secret: str = "", raises: bool = True):
        secret = secret or getattr(token, "secret", "")
        headers = {"authorization": f"Bearer {secret}"} if secret else {}
        self.token = token
        self.http = Client(headers=headers, raise_request_exception=raises)

    def get(self, path: str, **query: Any) -> Any:
        return self.http.get(path, query or None)

    def post(self, path: str, body: Any = None) -> Any:
        return self.send("POST", path, body)

    def put(self, path: str, body: Any = None) -> Any:
        return self.send("PUT", path, body)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """``body`` as JSON; bytes go as they are, None is no body."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body)
        return self.http.generic(method, path, data, content_type="application/json")


def client_with(*permissions: str, **fields: Any) -> ApiClient:
    """A client whose token and whose owner have exactly these permissions."""
    user = UserFactory.create(permissions=permissions)
    return ApiClient(ApiTokenFactory.create(user=user, scopes=list(permissions), **fields))


@pytest.fixture
def instrument_api(db: None) -> ApiClient:
    """Instrument software: files and reads."""
    return client_with("read:observations", "write:observations")


@pytest.fixture
def viewer_api(db: None) -> ApiClient:
    """Reads only."""
    return client_with("read:observations")


@pytest.fixture
def scientist_api(db: None) -> ApiClient:
    """Reads and stages."""
    return client_with("read:observations", "stage:data")


@pytest.fixture
def operator_api(db: None) -> ApiClient:
    """Looks after the flow."""
    return client_with("read:observations", "stage:data", "write:transfers")


def problem(response: Any, status: int, code: str) -> dict[str, Any]:
    """The problem document, after checking that it is one."""
    assert response.status_code == status, response.content[:2000]
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    assert body["code"] == code, body
    assert body["title"]
    assert body["detail"]
    return body
