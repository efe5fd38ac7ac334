"""What a PROCESSING location tells its backend: the names, limits and units of ``run_backend.parameters``, by backend.

Stands beside RunBackend, which refuses wrong ones when it is saved; the stages of processing runs read them once more
from the row. Some stand on command lines of Slurm and Apptainer: every value is a number within limits or one of few forms.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from ccatdc.common.errors import ConfigurationError

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_PROGRAM: Final = re.compile(r"/?[A-Za-z0-9][A-Za-z0-9_./-]{0,254}")


class RunParameterError(ConfigurationError):
    """The parameters of a backend are wrong; the message says which one and what it may be."""

    default_code = "run.parameters"

    def __init__(self, message: str) -> None:
        super().__init__(message, remedy="Correct the parameters of the run backend.")


@dataclass(frozen=True, slots=True)
class RunParameters:
    """The parameters of one location."""

    at_once: int = 4
    """Runs that are submitted and not over at the location; others wait."""
    cpus: int = 1
    """Cores of one run."""
    memory_mb: int = 4096
    """Memory of one run; Slurm ends what takes more."""
    minutes: int = 720
    """The longest that a run may take; it is ended then."""
    python: str = "python3"
    """Python 3.8 or newer on the compute nodes."""
    apptainer: str = "apptainer"
    """The program that runs images."""
    partition: str = ""
    account: str = ""
    qos: str = ""

    @classmethod
    def of(cls, backend: str, parameters: Any) -> Self:
        """Those of a location with this backend, checked. Raises :class:`RunParameterError`."""
        if not isinstance(parameters, Mapping):
            raise RunParameterError("Parameters are an object of names and values.")
        known = BACKENDS.get(backend, frozenset(_CHECKS))
        for name, value in parameters.items():
            if name not in known:
                raise RunParameterError(
                    f"There is no parameter {str(name)[:64]!r}; {backend or 'a backend'} has: {', '.join(sorted(known))}."
                )
            _CHECKS[name](name, value)
        return cls(**parameters)


def _whole_number(least: int, most: int) -> Callable[[str, Any], None]:
    def check(name: str, value: Any) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise RunParameterError(f"{name} is a whole number from {least} to {most}.")

    return check


def _text(form: re.Pattern[str]) -> Callable[[str, Any], None]:
    def check(name: str, value: Any) -> None:
        if not isinstance(value, str) or form.fullmatch(value) is None or ".." in value:
            raise RunParameterError(f"{name} is a text like {form.pattern}, without '..'.")

    return check


_CHECKS: Final[Mapping[str, Callable[[str, Any], None]]] = {
    "at_once": _whole_number(1, 1000),
    "cpus": _whole_number(1, 1024),
    "memory_mb": _whole_number(16, 4_000_000),
    "minutes": _whole_number(1, 60 * 24 * 30),
    "python": _text(_PROGRAM),
    "apptainer": _text(_PROGRAM),
    "partition": _text(_NAME),
    "account": _text(_NAME),
    "qos": _text(_NAME),
}
_SLURM_ONLY: Final = frozenset({"partition", "account", "qos"})
#: The backends (transfer/backends/) by name, and what each takes.
BACKENDS: Final[Mapping[str, frozenset[str]]] = {"local": frozenset(_CHECKS) - _SLURM_ONLY, "slurm": frozenset(_CHECKS)}
