"""Data products: what a run made of data. Their files are rows of raw_data_file, and move as raw data does."""

from __future__ import annotations

from typing import Any, Final

from django.db import models
from django.db.models import F, OuterRef, Q, Subquery
from django.utils import timezone

from ccatdc.common.models import UuidPrimaryKey
from ccatdc.common.states import known_values
from datamgmt.models.runs import ProcessingRun, runs_for
from planning.models import ObservingProgram


class ProductKind(models.TextChoices):
    """What a product is for."""

    SCIENCE = "science", "Science"
    QA_METRIC = "qa_metric", "Quality metric"
    PLOT = "plot", "Plot"
    STATISTICS = "statistics", "Statistics"
    LOG = "log", "Log"


class ProductLevel(models.TextChoices):
    """How far it is reduced: raw counts in a standard format, calibrated, combined (maps and cubes)."""

    L0 = "l0", "L0"
    L1 = "l1", "L1"
    L2 = "l2", "L2"


class Release(models.TextChoices):
    """Who may see it: the program that made it, all who may read data here, or everybody."""

    INTERNAL = "internal", "Internal"
    COLLABORATION = "collaboration", "Collaboration"
    PUBLIC = "public", "Public"


#: ObsCore's calib_level (IVOA ObsCore 1.1, section 4.3): standard format, calibrated, enhanced.
CALIB_LEVELS: Final = {ProductLevel.L0: 1, ProductLevel.L1: 2, ProductLevel.L2: 3}


class DataProductQuerySet(models.QuerySet["DataProduct"]):
    def visible_to(self, user: Any) -> DataProductQuerySet:
        """Released ones, and those of one's own runs and programs."""
        return self.filter(products_for(user))

    def current(self) -> DataProductQuerySet:
        """Without a newer version."""
        return self.filter(superseded_by__isnull=True)

    def link_versions(self) -> int:
        """Each names the next version of it. Its program must be locked while versions are added."""
        newer = DataProduct.objects.filter(
            observing_program=OuterRef("observing_program"), name=OuterRef("name"), version__gt=OuterRef("version")
        )
        following = newer.order_by("version").values("pk")[:1]
        behind = self.annotate(following=Subquery(following))
        behind = behind.filter(following__isnull=False).exclude(superseded_by=F("following"))
        # The ids first: an UPDATE that annotates itself is a sub-query of the same table.
        changed = dict(behind.values_list("pk", "following"))
        for pk, next_version in changed.items():
            DataProduct.objects.filter(pk=pk).update(superseded_by=next_version)
        return len(changed)

    def for_listing(self) -> DataProductQuerySet:
        """With what a page about products shows."""
        return self.select_related(
            "observing_program",
            "processing_run__software_version__reduction_software",
            "processing_run__instrument_module__instrument",
            "superseded_by",
        )


def products_for(user: Any, product: str = "") -> Q:
    """Products that a person may see; ``product`` is the way to them, as ``data_product__``."""
    programs = ObservingProgram.objects.order_by().of(user).values("pk")
    released = {f"{product}release__in": [Release.COLLABORATION, Release.PUBLIC]}
    own = Q(**{f"{product}observing_program__in": programs})
    return Q(**released) | own | runs_for(user, f"{product}processing_run__")


class DataProduct(UuidPrimaryKey):
    """What one run made: a map, a plot, numbers, a log. One or several files.

    ``version`` counts what was made under one name in one program; ``superseded_by`` is the next version.
    ``quality_metrics`` are numbers of the pipeline by name, as it wrote them.
    """

    processing_run = models.ForeignKey(ProcessingRun, models.PROTECT, related_name="data_products")
    observing_program = models.ForeignKey(
        ObservingProgram, models.PROTECT, related_name="data_products", db_index=False
    )
    name = models.CharField(max_length=255)
    kind = models.CharField(max_length=16, choices=ProductKind.choices)
    level = models.CharField(max_length=8, choices=ProductLevel.choices, blank=True)
    version = models.PositiveIntegerField()
    superseded_by = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="supersedes")
    release = models.CharField(max_length=16, choices=Release.choices, default=Release.INTERNAL)
    quality_metrics = models.JSONField(default=dict, blank=True)
    description = models.CharField(max_length=1000, blank=True)
    registered_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = DataProductQuerySet.as_manager()

    class Meta:
        verbose_name = "data product"
        db_table = "data_product"
        ordering = ["-registered_at"]
        indexes = [
            models.Index(fields=["-registered_at"], name="product_by_registration"),
            models.Index(fields=["kind", "-registered_at"], name="product_by_kind"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["observing_program", "name", "version"], name="product_version_unique"),
            models.CheckConstraint(condition=Q(version__gte=1), name="product_version_from_1"),
            models.CheckConstraint(condition=~Q(name=""), name="product_has_name"),
            models.CheckConstraint(
                condition=Q(superseded_by__isnull=True) | ~Q(superseded_by=F("id")),
                name="product_not_its_own_successor",
            ),
            known_values("kind", ProductKind, "product_kind_known"),
            models.CheckConstraint(condition=Q(level__in=["", *ProductLevel.values]), name="product_level_known"),
            known_values("release", Release, "product_release_known"),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    @property
    def calib_level(self) -> int | None:
        """Of ObsCore; None where it has no level, as a log."""
        return CALIB_LEVELS.get(ProductLevel(self.level)) if self.level else None
