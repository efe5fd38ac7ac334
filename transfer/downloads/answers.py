"""Downloads as HTTP answers: a whole with its digest, a part by ``Range`` (RFC 9110), a link to an S3 server.

An answer has its length. Bytes that turn out not to be what was packaged end it too early, so that no client takes it for
whole. RFC 9530 knows no BLAKE3: our digest is in ``CCAT-Digest``, and a filed SHA-256 in ``Repr-Digest`` too.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

from accounts.models import User
from ccatdc.common.errors import ConflictError, RequestError
from datamgmt.models import RawDataFile, RawDataPackage
from datamgmt.states import PackageState
from transfer.downloads import reading
from transfer.downloads.limits import Delivery, admit, dismiss
from transfer.downloads.selection import Selection
from transfer.models.downloads import DownloadKind
from transfer.staging.requests import require_all_files_visible

DIGEST_HEADER: Final = "CCAT-Digest"
#: Seconds for which a link to an S3 server is good.
LINK_SECONDS: Final = 600
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
_TAR: Final = "application/x-tar"


@dataclass(frozen=True, slots=True)
class Content:
    """What is asked for. ``whole`` and ``part`` find a copy at once and read it later."""

    kind: DownloadKind
    name: str
    size: int
    media_type: str
    whole: Callable[[], Iterator[bytes]]
    part: Callable[[int, int], Iterator[bytes]] | None = None
    digest: str = ""
    filed: str = ""

    @property
    def tag(self) -> str:
        """The same bytes have the same one (ETag)."""
        return f'"{self.digest.replace(":", "-")}"' if self.digest else ""


class RangeError(RequestError):
    """There are no such bytes."""

    default_code = "download.range"
    http_status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE


def of_file(file: RawDataFile) -> Content:
    """One file. ConflictError while it is in no archived package."""
    if file.raw_data_package is None or file.raw_data_package.state != PackageState.ARCHIVED:
        raise _not_archived(file)
    return Content(
        DownloadKind.FILE,
        file.relative_path.rpartition("/")[2],
        file.size,
        "application/octet-stream",
        partial(reading.whole_file, file),
        partial(reading.part_of_file, file),
        file.digest,
        f"{file.checksum_algorithm}:{file.checksum}",
    )


def of_package(package: RawDataPackage, user: User) -> Content:
    """The tar of a package. ConflictError while it is not archived, RequestError where it holds files that the person
    may not see.
    """
    if package.state != PackageState.ARCHIVED or package.size is None:
        raise _not_archived(package)
    require_all_files_visible([package], user)
    return Content(
        DownloadKind.PACKAGE,
        f"{package.name}.tar",
        package.size,
        _TAR,
        partial(reading.whole_package, package),
        partial(reading.part_of_package, package),
        package.digest,
    )


def of_selection(selection: Selection, name: str) -> Content:
    """Several files as one tar."""
    return Content(DownloadKind.SELECTION, f"{name}.tar", selection.size, _TAR, selection.blocks)


def answer(request: HttpRequest, user: User, content: Content) -> HttpResponseBase:
    """The content, or the part of it that the request asks for. Raises what :func:`admit` does, and UnreachableError."""
    asked = _range_of(request, content)
    first, length = asked or (0, content.size)
    headers = _headers(content, first, length, is_part=asked is not None)
    status = HTTPStatus.OK if asked is None else HTTPStatus.PARTIAL_CONTENT
    if request.method == "HEAD":
        return HttpResponse(status=status, headers=headers)
    row = admit(user, kind=content.kind, name=content.name, size=length)
    try:
        blocks = content.whole() if content.part is None or asked is None else content.part(first, length)
    except BaseException as error:
        dismiss(row, error)
        raise
    _leave_who_takes_nothing(request)
    return StreamingHttpResponse(Delivery(row, blocks), status=status, headers=headers)


def link(content: RawDataFile | RawDataPackage, user: User) -> dict[str, Any]:
    """An address at the S3 server of an archive that allows it, and which of its bytes are meant. ConflictError where
    none does; RequestError where the object holds files that the person may not see.
    """
    told = of_file(content) if isinstance(content, RawDataFile) else of_package(content, user)
    package = content.raw_data_package if isinstance(content, RawDataFile) else content
    assert package is not None, "it is archived"  # noqa: S101
    require_all_files_visible([package], user)  # who has the address can read the whole object
    with_links = [copy for copy in reading.copies_to_read(package) if _gives_links(copy)]
    if not with_links:
        raise ConflictError(
            "No archive that has it gives links.", code="download.no_links", remedy="Download it from here."
        )
    if isinstance(content, RawDataFile):
        origin, (member,) = reading.located(package, [content], with_links)
        first = member.place.data
    else:
        origin, first = reading.first_readable(package, lambda origin: (origin, 0), with_links)
    return {
        "url": origin.storage.presigned_address(origin.copy.key, LINK_SECONDS),
        "first_byte": first,
        "last_byte": first + told.size - 1,
        "size": told.size,
        "digest": told.digest,
        "name": told.name,
        "expires_in": LINK_SECONDS,
    }


def _gives_links(copy: Any) -> bool:
    return bool(getattr(copy.data_location, "presigned_links", False))


def _not_archived(what: RawDataFile | RawDataPackage) -> ConflictError:
    return ConflictError(
        f"{what} is not in an archive yet.", code="download.not_archived", remedy="Ask again when it is."
    )


def _headers(content: Content, first: int, length: int, *, is_part: bool) -> dict[str, str]:
    disposition = content_disposition_header(as_attachment=True, filename=content.name)
    told = {
        "Content-Length": str(length),
        "Content-Type": content.media_type,
        "Content-Disposition": disposition or "attachment",
        "Accept-Ranges": "none" if content.part is None else "bytes",
        # No proxy keeps or changes it.
        "Cache-Control": "private, no-store, no-transform",
        "X-Content-Type-Options": "nosniff",
    }
    if content.digest:
        told |= {"ETag": content.tag, DIGEST_HEADER: content.digest}
    algorithm, _, digits = content.filed.partition(":")
    if algorithm == "sha256" and digits:
        told["Repr-Digest"] = f"sha-256=:{b64encode(bytes.fromhex(digits)).decode()}:"
    if is_part:
        told["Content-Range"] = f"bytes {first}-{first + length - 1}/{content.size}"
    return told


def _range_of(request: HttpRequest, content: Content) -> tuple[int, int] | None:
    """First byte and length; None for the whole: also for several ranges, units that we do not know, and a part of
    another version (``If-Range``), as the RFC allows or asks.
    """
    found = _RANGE.fullmatch(request.headers.get("Range", ""))
    if found is None or content.part is None or not any(found.groups()):
        return None
    if request.headers.get("If-Range", content.tag) != content.tag:
        return None
    begin, end = found.groups()
    if begin:
        first, last = int(begin), min(int(end), content.size - 1) if end else content.size - 1
        if end and int(end) < int(begin):
            return None
    else:
        first, last = max(0, content.size - int(end)), content.size - 1
    if first > last:
        raise RangeError(f"{content.name} has {content.size} bytes.")
    return first, last - first + 1


def _leave_who_takes_nothing(request: HttpRequest) -> None:
    """A client that takes no block for so long is left: it would hold the thread. gunicorn has its socket here."""
    sock = request.META.get("gunicorn.socket")
    if sock is not None:
        sock.settimeout(settings.DOWNLOAD_STALL_SECONDS)
