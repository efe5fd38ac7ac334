"""Who sees what: scientists see the data of their programs and what is public, everybody else who works here sees all.

Every page and every endpoint asks :func:`ccatdc.common.visibility.visible`, which comes here. The rule of a model is
the method ``visible_to`` of its QuerySet. A model of a program's data without one is shown to nobody who does not see
everything, so that a new one is not forgotten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rest_framework.filters import BaseFilterBackend

from accounts.models import User
from ccatdc.common.visibility import visible

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.views import APIView

#: Apps whose rows are data of programs, or tell something about them.
OF_PROGRAMS: Final = frozenset({"notifications", "planning", "datamgmt", "transfer", "gateway"})
#: What in these belongs to no program: the catalogue of the sky, observing modes, places. Bases; their kinds too.
OF_ALL: Final = frozenset(
    {
        "planning.source",
        "planning.constantelevationazimuthrange",
        "planning.obsmode",
        "datamgmt.site",
        "datamgmt.datalocation",
        "datamgmt.dataarchive",
        "datamgmt.reductionsoftware",
        "datamgmt.reductionsoftwareversion",
        "datamgmt.publication",
        "transfer.serviceheartbeat",
        "transfer.datatransferroute",
    }
)
#: What tells of all programs although its app does not: who did what to which thing.
TELLS_OF_ALL: Final = frozenset({"accounts.systemlog", "accounts.change"})


def narrowed(rows: Any, user: Any) -> Any:
    """Those of the rows that a person may see. Who may file or mend handles everybody's data and sees it."""
    if not isinstance(user, User):
        return rows.none()
    if user.sees_all_programs or not concerns_programs(rows.model):
        return rows
    rule = getattr(rows, "visible_to", None)
    return rows.none() if rule is None else rule(user)


def concerns_programs(model: Any) -> bool:
    """Whether rows of this model are the business of some program and of nobody else."""
    kinds = {kind._meta.label_lower for kind in (model, *model._meta.get_parent_list())}
    if model._meta.app_label in OF_PROGRAMS:
        return not kinds & OF_ALL
    return bool(kinds & TELLS_OF_ALL)


class VisibleRows(BaseFilterBackend):
    """Narrows what every list and every single row of the API is taken from (settings: DEFAULT_FILTER_BACKENDS). What
    is left out is 404, as what does not exist.
    """

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> Any:  # noqa: ARG002
        """The rows that whoever asks may see; a token sees what its owner sees."""
        return visible(queryset, request.user)
