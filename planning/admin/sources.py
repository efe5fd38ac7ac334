"""Portal pages of sources: one list of all, the kind is chosen when one is added."""

from __future__ import annotations

from django.contrib import admin
from polymorphic.admin import PolymorphicChildModelAdmin, PolymorphicParentModelAdmin

from ccatdc.common.admin import PortalAdmin
from planning.models import Source


@admin.register(Source)
class SourceAdmin(PortalAdmin, PolymorphicParentModelAdmin):
    """All sources."""

    add_type_template = "portal/choose_kind.html"

    list_display = ["name", "type", "source_class", "description"]
    list_filter = ["type"]
    search_fields = ["name", "aliases"]

    def get_child_models(self) -> list[type[Source]]:
        """Every kind there is: a new one needs no line here."""
        return Source.__subclasses__()


class SourceKindAdmin(PortalAdmin, PolymorphicChildModelAdmin):
    """One kind of source."""

    base_model = Source
    search_fields = ["name"]
    list_display = ["name", "source_class"]


for kind in Source.__subclasses__():
    admin.site.register(kind, SourceKindAdmin)
