"""Ctrl-K and searches of lists: a thing is found by what people have of it, with the rights of who looks."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from datamgmt.models import RawDataFile
from datamgmt.states import Integrity, PhysicalCopyStatus
from tests.factories.accounts import UserFactory
from tests.factories.datamgmt import (
    RawDataFileFactory,
    RawDataFilePhysicalCopyFactory,
    RawDataPackageFactory,
    archive_package,
)
from tests.factories.planning import END
from tests.portal.conftest import logged_in, person

#: Of one search of all kinds; the same whatever is found.
QUERIES = 60


def found(client: Client, text: str) -> str:
    """What the dialog shows."""
    response = client.get(reverse("admin:search"), {"q": text}, headers={"X-Requested-With": "fetch"})
    assert response.status_code == 200
    return response.content.decode()


def page_of(file: RawDataFile) -> str:
    return reverse("admin:datamgmt_rawdatafile_change", args=[file.pk])


@pytest.fixture
def file(db: None) -> RawDataFile:
    """A file in a package, beside another one."""
    RawDataFileFactory.create(relative_path="17500/other.g3", id="11111111-0000-4000-8000-000000000001")
    return RawDataFileFactory.create(
        relative_path="17500/rfsoc01/R01D1_100%_1750012345.g3",
        id="6b1d0f5e-7a3c-4b0e-9f2f-0c7d8a1b2c3d",
        raw_data_package=RawDataPackageFactory.create(name="orion_f280_7777", archived=True),
    )


@pytest.mark.parametrize(
    "text",
    [
        "R01D1_100%_1750012345.g3",
        "r01d1_100%_",
        "17500/rfsoc01/R01D1_100%_1750012345.g3",
        "/data/somewhere/else/R01D1_100%_1750012345.g3",
        "6b1d0f5e-7a3c-4b0e-9f2f-0c7d8a1b2c3d",
        "6B1D0F5E",
        "6b1d0f5e-7a3c",
        "orion_f280_77",
    ],
)
def test_a_file_is_found_by_what_people_have_of_it(operator: Client, file: RawDataFile, text: str) -> None:
    answer = found(operator, text)
    in_list = operator.get(reverse("admin:datamgmt_rawdatafile_changelist"), {"q": text}).content.decode()

    assert page_of(file) in answer
    assert "other.g3" not in answer
    assert page_of(file) in in_list


@pytest.mark.parametrize(
    "text", ["", "r", "6b1d0f5", "R01D1_1000_", "nothing is called so", "\0\0\0", "x" * 5000, "%%%"]
)
def test_what_nothing_is_called_finds_nothing(operator: Client, file: RawDataFile, text: str) -> None:
    assert 'class="found"' not in found(operator, text)


def test_a_whole_name_is_found_before_longer_ones(operator: Client, file: RawDataFile) -> None:
    RawDataFileFactory.create(relative_path=f"{file.relative_path}.old")

    assert f"{file.relative_path}.old" not in found(operator, file.name)
    assert f"{file.relative_path}.old" in found(operator, file.name[:-1])


def test_everything_is_searched_at_once_in_a_bounded_number_of_queries(operator: Client, one_of_each: None) -> None:
    with CaptureQueriesContext(connection) as queries:
        answer = found(operator, "or")

    assert len(queries) <= QUERIES, [query["sql"][:150] for query in queries]
    for kind in ("Packages", "Sources", "Executions", "Operations"):
        assert f'aria-label="{kind}"' in answer, kind
    for text in ("cologne_long_term_archive", "ccat_to_cologne", "prime"):
        assert 'class="found"' in found(operator, text), text


def test_a_person_finds_what_they_may_see(operator: Client, file: RawDataFile) -> None:
    member = person("viewer")

    assert page_of(file) not in found(logged_in(member), file.name)
    assert file.executed_obs_unit is not None
    file.executed_obs_unit.obs_unit.observing_program.members.add(member)
    assert page_of(file) in found(logged_in(member), file.name)
    assert logged_in(UserFactory.create(username="none", is_staff=True)).get(reverse("admin:search")).status_code == 403
    assert Client().get(reverse("admin:search")).status_code == 302


def test_the_page_does_the_same_without_javascript(operator: Client, file: RawDataFile) -> None:
    content = operator.get(reverse("admin:search"), {"q": '"><script>'}).content.decode()

    assert "<script>&quot;" not in content
    assert "&quot;&gt;&lt;script&gt;" in content
    assert page_of(file) in operator.get(reverse("admin:search"), {"q": file.name}).content.decode()


def test_a_file_whose_copy_at_source_is_deleted_does_not_read_as_lost(operator: Client, file: RawDataFile) -> None:
    assert file.raw_data_package is not None
    archive_package(file.raw_data_package)
    RawDataFilePhysicalCopyFactory.create(
        raw_data_file=file, status=PhysicalCopyStatus.DELETED, deleted_at=END + timedelta(days=8)
    )

    page = operator.get(page_of(file)).content.decode()
    in_list = operator.get(reverse("admin:datamgmt_rawdatafile_changelist"), {"q": file.name}).content.decode()

    assert "In its package orion_f280_7777, archived at cologne_long_term_archive (verified" in page
    assert f'<code class="breakable">{file.relative_path}</code>' in page
    assert "Deleted" not in page
    assert "Deleted" not in in_list


def test_a_file_without_a_good_copy_says_so(operator: Client, file: RawDataFile) -> None:
    RawDataFilePhysicalCopyFactory.create(raw_data_file=file, integrity=Integrity.MISSING, error_message="It is gone.")

    assert "note-danger" in operator.get(page_of(file)).content.decode()


def test_a_file_that_is_not_packaged_is_where_it_was_written(operator: Client, db: None) -> None:
    file = RawDataFileFactory.create()
    RawDataFilePhysicalCopyFactory.create(raw_data_file=file)

    page = operator.get(page_of(file)).content.decode()
    assert f"At {file.source_location.full_name}, where it was written. It is in no package yet." in page
