"""Failed log-ins that count at present: the rows of django-axes, under a name of ours in the portal."""

from __future__ import annotations

from axes.models import AccessAttempt


class FailedLogIn(AccessAttempt):  # type: ignore[misc]
    """Failures of one account from one address and browser. ``username`` is a keyed hash (accounts/auth/guessing.py)."""

    class Meta:
        proxy = True
        verbose_name = "failed log-in"
