"""The transfer app: how data moves."""

from __future__ import annotations

from django.apps import AppConfig


class TransferConfig(AppConfig):
    name = "transfer"
    verbose_name = "Work"

    def ready(self) -> None:
        """A changed status of an operation reaches what the operation is about."""
        from transfer.engine.status_propagation import propagate_status
        from transfer.models.operations import after_transition

        after_transition(propagate_status)
