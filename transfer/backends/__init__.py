"""Where processing runs are computed: on the worker's host, or by Slurm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from transfer.backends.base import Backend
from transfer.backends.local import LocalBackend
from transfer.backends.slurm import SlurmBackend
from transfer.models.run_parameters import RunParameters

_BACKENDS: Final[Mapping[str, type[Backend]]] = {"local": LocalBackend, "slurm": SlurmBackend}


def backend_of(name: str, parameters: RunParameters) -> Backend:
    """The backend of this name (RunBackend.backend)."""
    return _BACKENDS[name](parameters)
