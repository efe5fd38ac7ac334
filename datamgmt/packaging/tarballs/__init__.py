"""Packages as tar files: written (10, 20), read (40) and unpacked (60) in one pass that checks every byte.

The format is PAX (POSIX.1-2001), which every ``tar`` reads: names of any length and script, files of any size. The same
members give the same bytes: owner, rights and order say nothing of the machine that packed them.

* :mod:`datamgmt.packaging.tarballs.headers`: the arithmetic, and how large a tar will be;
* :mod:`datamgmt.packaging.tarballs.writing`: :func:`write_tar`;
* :mod:`datamgmt.packaging.tarballs.reading`: :func:`read_tar`, which trusts nothing;
* :mod:`datamgmt.packaging.tarballs.extracting`: :func:`extract_verified`;
* :mod:`datamgmt.packaging.tarballs.places`: where a member is, by arithmetic.
"""

from __future__ import annotations

from datamgmt.packaging.tarballs.extracting import ExpectedMember, Extracted, extract_verified
from datamgmt.packaging.tarballs.headers import tar_size
from datamgmt.packaging.tarballs.reading import read_tar
from datamgmt.packaging.tarballs.writing import (
    Member,
    MemberChanged,
    MemberUnreadable,
    MemberWritten,
    TarWritten,
    write_tar,
)

__all__ = [
    "ExpectedMember",
    "Extracted",
    "Member",
    "MemberChanged",
    "MemberUnreadable",
    "MemberWritten",
    "TarWritten",
    "extract_verified",
    "read_tar",
    "tar_size",
    "write_tar",
]
