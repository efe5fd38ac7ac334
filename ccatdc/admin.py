"""What libraries bring into the portal and does not belong there.

Rights follow from roles (accounts) and not from Django's groups. The messages of the queue belong to
transfer/engine/dispatch.py: when one is deleted in the portal its operation waits until it gets another one, and nobody
should have to know that.
"""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.models import Group
from django_q.models import Failure, OrmQ, Schedule, Success

for model in (Group, Failure, OrmQ, Schedule, Success):
    if admin.site.is_registered(model):
        admin.site.unregister(model)
