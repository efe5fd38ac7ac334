"""Waiting for what becomes of an execution: a long poll, for instruments that want to know."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ccatdc.common.api.parsers import StrictSerializer
from datamgmt.api.execution_serializers import ExecutionDetailSerializer
from datamgmt.api.views import ExecutionView
from datamgmt.filing.milestones import Milestone, failures_of, wait_until

#: Seconds. Proxies give up after 60.
LONGEST: Final = 50
USUAL: Final = 30


class Question(StrictSerializer):
    """What is waited for, and how long."""

    state = serializers.ChoiceField(Milestone.choices)
    timeout = serializers.IntegerField(min_value=0, max_value=LONGEST, default=USUAL)


class FailureSerializer(serializers.Serializer[Any]):
    """Why it does not get there as it is."""

    code = serializers.CharField()
    message = serializers.CharField()


class WaitedSerializer(serializers.Serializer[Any]):
    """What was waited for, whether it is so, and the execution as it is now."""

    state = serializers.ChoiceField(Milestone.choices, help_text="What was waited for.")
    reached = serializers.BooleanField(help_text="Whether it is so; false: time was up.")
    failures = FailureSerializer(
        many=True,
        help_text="What failed of it: waiting ends then. It may still be put right, by itself or by a person.",
    )
    execution = ExecutionDetailSerializer()


class WaitView(ExecutionView):
    """Has it come so far? Who may read the execution may wait for it."""

    parameters = ("state", "timeout")

    @extend_schema(
        operation_id="wait_for_execution",
        parameters=[
            OpenApiParameter(
                "state", OpenApiTypes.STR, enum=Milestone.values, required=True,
                description="; ".join(f"{m.value}: {m.label}" for m in Milestone),
            ),
            OpenApiParameter(
                "timeout", {"type": "integer", "minimum": 0, "maximum": LONGEST, "default": USUAL},
                description="Seconds to wait at most; 0: only look.",
            ),
        ],
        responses=WaitedSerializer,
    )  # fmt: skip
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # noqa: ARG002
        """Answer at once when it has, else when it does or when time is up."""
        question = Question(data=request.query_params.dict())
        question.is_valid(raise_exception=True)
        milestone = Milestone(question.validated_data["state"])
        execution = self.get_object().pk
        reached = wait_until(
            execution,
            milestone,
            question.validated_data["timeout"],
            caller=request.user.pk,
            may_wait=bool(request.META.get("wsgi.multithread")),
        )
        failures = [] if reached else failures_of(execution, milestone)
        found = {"state": milestone, "reached": reached, "failures": failures, "execution": self.get_object()}
        return Response(WaitedSerializer(found, context=self.get_serializer_context()).data)
