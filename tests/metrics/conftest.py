"""Figures of a gateway are asked for where a gateway is."""

from __future__ import annotations

from tests.gateway.conftest import at_gateway

__all__ = ["at_gateway"]
