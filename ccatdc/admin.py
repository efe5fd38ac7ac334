"""What the libraries bring into the portal and does not belong there.

Rights follow from roles (accounts), not from Django's groups; and the broker's messages belong to
transfer/dispatch.py: one that is deleted by hand only makes its operation wait until it is rung for
again, but nobody should have to know that.
"""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.models import Group
from django_q.models import Failure, OrmQ, Schedule, Success

for model in (Group, Failure, OrmQ, Schedule, Success):
    if admin.site.is_registered(model):
        admin.site.unregister(model)
