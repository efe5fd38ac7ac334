"""Publications, and the data that they cite."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from ccatdc.common.models import TimeStamped
from datamgmt.models.products import DataProduct
from planning.models import ExecutedObsUnit

doi: Final = RegexValidator(
    r"^10\.\d{4,9}/[^\s<>\"]+$", "A DOI begins with 10. and has a slash: 10.3847/1538-4365/ac9838."
)
bibcode: Final = RegexValidator(
    r"^\d{4}[A-Za-z0-9.&]{14}[A-Z.]$", "A bibcode has 19 characters and begins with the year: 2023ApJS..264....7C."
)


class Publication(TimeStamped):
    """A paper. It is known by its DOI or its bibcode (ADS)."""

    title = models.CharField(max_length=500)
    doi = models.CharField("DOI", max_length=255, blank=True, validators=[doi])
    bibcode = models.CharField(max_length=19, blank=True, validators=[bibcode])
    year = models.PositiveSmallIntegerField(null=True, blank=True)
    data_products = models.ManyToManyField(
        DataProduct, db_table="publication_data_product", related_name="publications", blank=True
    )
    executed_obs_units = models.ManyToManyField(
        ExecutedObsUnit, db_table="publication_executed_obs_unit", related_name="publications", blank=True
    )
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", editable=False
    )

    class Meta:
        db_table = "publication"
        ordering = ["-year", "title"]
        constraints = [
            models.UniqueConstraint(fields=["doi"], condition=~Q(doi=""), name="publication_doi_unique"),
            models.UniqueConstraint(fields=["bibcode"], condition=~Q(bibcode=""), name="publication_bibcode_unique"),
            models.CheckConstraint(condition=~Q(doi="") | ~Q(bibcode=""), name="publication_has_doi_or_bibcode"),
        ]

    def __str__(self) -> str:
        return self.title
