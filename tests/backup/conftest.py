"""Somebody who looks at the portal."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.factories.accounts import UserFactory


@pytest.fixture
def operator(transactional_db: None) -> Client:
    """A superuser's browser."""
    client = Client()
    client.force_login(UserFactory.create(is_staff=True, is_superuser=True))
    return client
