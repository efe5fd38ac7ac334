"""The operators' portal: Django admin in unfold's clothes, its first page the state of the pipeline."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig
from unfold.sites import UnfoldAdminSite


class OperationsPortal(UnfoldAdminSite):
    """The one admin site."""

    site_header = "CCAT Data Center"
    site_title = "CCAT Data Center"
    index_title = "Operations"


class PortalAdminConfig(AdminConfig):
    """Makes :class:`OperationsPortal` the site on which ``admin.site.register`` works."""

    default_site = "ccatdc.portal.OperationsPortal"
