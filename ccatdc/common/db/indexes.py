"""Indexes that several apps need."""

from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db.models.functions import Upper


def words_index(column: str, name: str) -> GinIndex:
    """For ``icontains``: three characters or more anywhere in a text, whatever their case.

    Trigrams (PostgreSQL's contrib module pg_trgm), of the form in which Django asks.
    """
    return GinIndex(OpClass(Upper(column), "gin_trgm_ops"), name=name)
