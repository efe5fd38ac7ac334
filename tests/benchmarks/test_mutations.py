"""The list of mutations fits the code: each text is there exactly once, and what replaces it is Python."""

from __future__ import annotations

import ast

import pytest

from benchmarks.mutations import ROOT, Mutation, mutations


@pytest.mark.parametrize("mutation", mutations(), ids=lambda each: each.rule)
def test_a_mutation_fits(mutation: Mutation) -> None:
    source = (ROOT / mutation.file).read_text(encoding="utf-8")
    ast.parse(mutation.applied(source))
    assert all((ROOT / tests).exists() for tests in mutation.tests.split())
