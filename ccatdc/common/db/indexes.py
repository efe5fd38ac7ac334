"""Indexes that several apps need."""

from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db.models import Index
from django.db.models.functions import Upper


def words_index(column: str, name: str) -> GinIndex:
    """For ``icontains``: three characters or more anywhere in a text, whatever their case.

    Trigrams (PostgreSQL's contrib module pg_trgm), of the form in which Django asks.
    """
    return GinIndex(OpClass(Upper(column), "gin_trgm_ops"), name=name)


def beginning_index(column: str, name: str) -> Index:
    """For ``istartswith`` and ``iexact``: how a text begins, whatever its case. Lighter than trigrams."""
    return Index(OpClass(Upper(column), "text_pattern_ops"), name=name)
