"""Runs and data products over HTTP: filing them, reading them, and their lineage."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.auth.relaying import filing_token
from accounts.auth.tokens import user_of
from ccatdc.common.api.parsers import CompressedJsonParser
from ccatdc.common.api.schema import at_most
from ccatdc.common.api.views import ReadingView, RowsViewSet, StrictDetailView, StrictListView
from ccatdc.common.visibility import visible
from datamgmt.api import rows
from datamgmt.api.filing_views import status_of
from datamgmt.api.products import filters, serializers
from datamgmt.filing.product_rows import MAX_PRODUCTS, read_product_reports
from datamgmt.filing.products import register_products
from datamgmt.filing.releases import set_release
from datamgmt.filing.runs import finish_run, start_run
from datamgmt.lineage.graph import Lineage, bad_inputs, made_of_files, made_of_product, upstream
from datamgmt.lineage.prov import document
from datamgmt.models import DataProduct, ProcessingRun, Publication, RawDataFile

READ = {"GET": "read:observations"}
WRITE = "write:products"


class StartRunView(APIView):
    """A run begins."""

    needs = {"POST": WRITE}

    @extend_schema(
        operation_id="start_run",
        request=serializers.RunReportSerializer,
        responses={201: serializers.RunSerializer, 200: serializers.RunSerializer},
    )
    def post(self, request: Request) -> Response:
        """Start a run: 201; 200 when it was started so before."""
        body = serializers.RunReportSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        run, created = start_run(body.report(), user=user_of(request), token=filing_token(request))
        return Response(serializers.RunSerializer(run).data, status=status_of(created))


class RunsView(StartRunView, StrictListView[ProcessingRun]):
    """Runs: all that are filed, and one more."""

    needs = {**StartRunView.needs, **READ}
    queryset = rows.runs()
    serializer_class = serializers.RunSerializer
    filterset_class = filters.RunFilter
    orders = ("-created_at", "created_at")

    @extend_schema(operation_id="list_runs")
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        """A page of runs, the latest first."""
        return super().get(request, *args, **kwargs)


class RunView(StrictDetailView[ProcessingRun]):
    """One run with the ids of what it read and made."""

    needs = READ
    queryset = rows.runs_in_full()
    serializer_class = serializers.RunDetailSerializer


class FinishRunView(APIView):
    """A run is over."""

    needs = {"PUT": WRITE}

    @extend_schema(
        operation_id="finish_run", request=serializers.RunEndSerializer, responses={200: serializers.RunSerializer}
    )
    def put(self, request: Request, pk: UUID) -> Response:
        """Finish a run, however it ended. The same again changes nothing."""
        body = serializers.RunEndSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        run, _ = finish_run(pk, body.report(), user=user_of(request))
        return Response(serializers.RunSerializer(run).data)


class ProductListView(StrictListView[DataProduct]):
    """Data products, the latest first."""

    needs = READ
    queryset = rows.products()
    serializer_class = serializers.ProductSerializer
    filterset_class = filters.ProductFilter
    orders = ("-registered_at", "registered_at")


class RegisterProductsView(APIView):
    """Up to 1,000 products with 10,000 files."""

    needs = {"POST": WRITE}
    parser_classes = [CompressedJsonParser]

    @extend_schema(
        operation_id="register_products",
        request={"application/json": at_most(serializers.ProductReportSerializer(many=True), MAX_PRODUCTS)},
        responses={201: serializers.FiledProductsSerializer, 200: serializers.FiledProductsSerializer},
    )
    def post(self, request: Request) -> Response:
        """Register products with their files, all or nothing: 201; 200 when all were registered so before."""
        reports = read_product_reports(request.data)
        filed = register_products(reports, user=user_of(request), token=filing_token(request))
        body = serializers.FiledProductsSerializer(filed).data
        return Response(body, status=status_of(bool(filed.created or filed.files_created)))


class ProductView(StrictDetailView[DataProduct]):
    """One product with its files, and who may see it."""

    needs = {**READ, "PATCH": WRITE}
    queryset = rows.products()
    serializer_class = serializers.ProductDetailSerializer

    @extend_schema(
        operation_id="release_product",
        request=serializers.ReleaseSerializer,
        responses={200: serializers.ProductDetailSerializer},
    )
    def patch(self, request: Request, pk: UUID) -> Response:
        """Say who may see it. The same again changes nothing; every change is in the audit log."""
        body = serializers.ReleaseSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        product = set_release(pk, **body.validated_data, user=user_of(request))
        return Response(serializers.ProductDetailSerializer(product).data)


class LineageView(ReadingView[Any]):
    """What something was made of, or what was made of it."""

    needs = READ
    serializer_class = serializers.ProvSerializer

    def answer(self, lineage: Lineage) -> Response:
        """The lineage as a document."""
        return Response(document(lineage, bad_inputs(lineage.made_by), self.request.user))


class ProductLineageView(LineageView):
    """Lineage of a product, both ways."""

    queryset = DataProduct.objects.all()
    parameters = ("direction",)

    @extend_schema(
        operation_id="lineage_of_product",
        parameters=[OpenApiParameter("direction", enum=["inputs", "outputs"], description="Default: inputs.")],
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """What it was made of (``inputs``), or what was made of it (``outputs``), as PROV-JSON."""
        self.require_known()
        product = get_object_or_404(visible(DataProduct.objects.all(), request.user), pk=pk)
        asked = serializers.DirectionSerializer(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        is_inputs = asked.validated_data["direction"] == "inputs"
        return self.answer(upstream([product.pk]) if is_inputs else made_of_product(product.pk))


class FileLineageView(LineageView):
    """What was made of a file."""

    queryset = RawDataFile.objects.all()

    @extend_schema(operation_id="lineage_of_file")
    def get(self, request: Request, pk: UUID) -> Response:
        """All that was made of it, as PROV-JSON."""
        self.require_known()
        return self.answer(made_of_files([get_object_or_404(visible(RawDataFile.objects.all(), request.user), pk=pk)]))


class PublicationViewSet(RowsViewSet[Publication]):
    """Publications, and the data that they cite."""

    queryset = rows.publications()
    serializer_class = serializers.PublicationSerializer
    filterset_class = filters.PublicationFilter
