"""The other half of benchmarks/history.py: where everything is or was, and the work that was done."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from benchmarks.history import DIGEST, FILES, PER_BUNDLE, History, uuid_of

#: One package of so many was staged once; packages of one job.
STAGED_EVERY, PER_JOB = 500, 20
#: Keys of copies that are set aside for one execution.
COPIES = 16
#: Executions whose files are deleted in one batch.
PER_BATCH = 250
Row = tuple[object, ...]


def creation_id(package: int) -> int:
    """Primary keys are formulas, so that each table is written for itself."""
    return 4 * package + 1


def archiving_id(package: int) -> int:
    """Of a package's archive transfer."""
    return 4 * package + 2


def staging_id(package: int) -> int:
    """Of a package's staging."""
    return 4 * package + 3


def bundle_work_id(bundle: int, step: int) -> int:
    """Of a bundle's creation (0), transfer (1) and unpacking (2)."""
    return 4 * (2 * PER_BUNDLE * bundle + step)


def deletion_id(batch: int) -> int:
    """Of a batch of SOURCE files."""
    return 4 * (2 * PER_BATCH * batch + 3)


def deleted_executions(all_of: History) -> int:
    """Executions from the first to this one have no files at SOURCE any more."""
    kept = max(all_of.source_kept, all_of.in_flight)
    return max(0, all_of.count - kept) // PER_BATCH * PER_BATCH


def copies(all_of: History) -> Iterator[Row]:
    """id, kind, location, file, package, bundle, status, integrity, key, size, digest, verified,
    created, deleted; kind is the model's name. In the order of time, as they come into being.
    """
    packages = groupby(_package_copies(all_of), key=itemgetter(0))
    number, of_packages = next(packages, (-1, iter(())))
    for n in range(all_of.count):
        yield from _file_copies(all_of, n)
        if number == n:
            for k, (_, *values) in enumerate(of_packages):
                yield COPIES * n + FILES + k + 1, "rawdatapackagephysicalcopy", *values
            number, of_packages = next(packages, (-1, iter(())))
        if n % PER_BUNDLE == PER_BUNDLE - 1 and n < all_of.bundled:
            yield from _bundle_copies(all_of, n)


def copy_id(file: int) -> int:
    """Of a file's copy at SOURCE."""
    return COPIES * (file // FILES) + file % FILES + 1


def _file_copies(all_of: History, n: int) -> Iterator[Row]:
    is_gone, is_packaged = n < deleted_executions(all_of), bool(all_of.packages_of(n))
    deleted = all_of.time(n + 9000) if is_gone else None
    verified = all_of.time(n + 0.9) if is_packaged else None
    for f in range(n * FILES, (n + 1) * FILES):
        integrity = "ok" if is_packaged else "unverified"
        if n >= all_of.count - 12 and f % FILES == 0:
            integrity = "missing"
        yield (
            copy_id(f), "rawdatafilephysicalcopy", all_of.source_of(n), uuid_of(3, f), None, None,
            "deleted" if is_gone else "present", integrity, "", 3400, DIGEST, verified,
            all_of.time(n + 0.5), deleted,
        )  # fmt: skip


def _package_copies(all_of: History) -> Iterator[Row]:
    """The execution first, then what follows the kind of a copy."""
    at = all_of.at
    for n, p, state, status in all_of.each_package():
        if status != "completed":
            continue
        is_archived, is_old = state == "archived", n < all_of.count - all_of.buffer_kept
        places = [(at.origin_buffer, is_archived and (n % 300 != 0 or is_old))]
        if is_archived:
            places += [(at.far_buffer, is_old), (at.archives[0], False), (at.archives[1], False)]
        if is_archived and p % STAGED_EVERY == 0:
            places.append((at.processing, is_old))
        for place, is_gone in places:
            kept = "staged" if place == at.processing else "present"
            yield (
                n, place, None, uuid_of(2, p), None, "deleted" if is_gone else kept, "ok",
                f"packages/{n:09}/{p:09}.{p}-1.tar", 10_240 + p, DIGEST, all_of.time(n + 1.5),
                all_of.time(n + 1), all_of.time(n + 2100) if is_gone else None,
            )  # fmt: skip


def _bundle_copies(all_of: History, n: int) -> Iterator[Row]:
    b = n // PER_BUNDLE + 1
    for k, place in enumerate((all_of.at.origin_buffer, all_of.at.far_buffer), start=2):
        yield (
            COPIES * n + COPIES - k, "datatransferpackagephysicalcopy", place, None, None, b,
            "deleted", "ok", f"bundles/{b}.json", 500_000, "", all_of.time(n), all_of.time(n),
            all_of.time(n + 2),
        )  # fmt: skip


def operations(all_of: History) -> Iterator[Row]:
    """id, kind (model name), type, subject, location, status, attempts, error code and message,
    problems, times.
    """
    at = all_of.at
    for n, p, state, status in all_of.each_package():
        begin, end = all_of.time(n + 0.9), all_of.time(n + 1)
        about, kind = f"package:{p}", "rawdatapackagecreation"
        work = "raw_data_package_creation"
        done = "completed" if status == "completed" else "pending"
        problems = '[{"code": "x"}]' if n < all_of.former and n % 1000 == 9 else "[]"
        # fmt: off
        yield (creation_id(p), kind, work, about, all_of.source_of(n), done, 0, "", "", problems,
               begin, begin, end if done == "completed" else None)
        if state in ("archived", "failed"):
            done = "completed" if state == "archived" else "failed"
            code = "" if state == "archived" else "storage.checksum"
            yield (archiving_id(p), "longtermarchivetransfer", "long_term_archive_transfer", about,
                   at.archives[0], done, 0, code, code and "What came differs.", "[]",
                   end, end, all_of.time(n + 2))
        if state == "archived" and p % STAGED_EVERY == 0:
            yield (staging_id(p), "staging", "staging", about, at.processing, "completed", 0, "",
                   "", "[]", end, end, all_of.time(n + 3))
    kinds = (
        ("datatransferpackagecreation", "data_transfer_package_creation", at.origin_buffer),
        ("datatransfer", "data_transfer", at.origin_buffer),
        ("datatransferunpacking", "data_transfer_unpacking", at.far_buffer),
    )
    for b in range(all_of.bundled // PER_BUNDLE):
        when = all_of.time((b + 1) * PER_BUNDLE)
        for step, (kind, work, place) in enumerate(kinds):
            yield (
                bundle_work_id(b, step),
                kind,
                work,
                f"bundle:{b}",
                place,
                "completed",
                0,
                "",
                "",
                "[]",
                when,
                when,
                when,
            )
    for d in range(deleted_executions(all_of) // PER_BATCH):
        when = all_of.time((d + 1) * PER_BATCH)
        yield (
            deletion_id(d),
            "deletion",
            "deletion",
            f"batch:{d}",
            at.source,
            "completed",
            0,
            "",
            "",
            "[]",
            when,
            when,
            when,
        )
        # fmt: on


def creations(all_of: History) -> Iterator[Row]:
    """operation, package, destination."""
    for _, p, _, _ in all_of.each_package():
        yield creation_id(p), uuid_of(2, p), all_of.at.origin_buffer


def archivings(all_of: History) -> Iterator[Row]:
    """operation, package, origin, destination, object's and sidecar's key."""
    at = all_of.at
    for n, p, state, _ in all_of.each_package():
        if state in ("archived", "failed"):
            key = f"prime-cam/m{p % 7}/{n:09}/{p:09}.{archiving_id(p)}-1"
            places = at.far_buffer, at.archives[0]
            yield archiving_id(p), uuid_of(2, p), *places, f"{key}.tar", f"{key}.json"


def bundle_creations(all_of: History) -> Iterator[Row]:
    """operation, bundle."""
    for b in range(all_of.bundled // PER_BUNDLE):
        yield bundle_work_id(b, 0), b + 1


def transfers(all_of: History) -> Iterator[Row]:
    """operation, bundle, origin, destination, unpack status."""
    for b in range(all_of.bundled // PER_BUNDLE):
        buffers = all_of.at.origin_buffer, all_of.at.far_buffer
        yield bundle_work_id(b, 1), b + 1, *buffers, "completed"


def unpackings(all_of: History) -> Iterator[Row]:
    """operation, transfer."""
    for b in range(all_of.bundled // PER_BUNDLE):
        yield bundle_work_id(b, 2), bundle_work_id(b, 1)


def deletions(all_of: History) -> Iterator[Row]:
    """operation."""
    for d in range(deleted_executions(all_of) // PER_BATCH):
        yield (deletion_id(d),)


def deletion_items(all_of: History) -> Iterator[Row]:
    """id, deletion, copy, outcome."""
    for f in range(FILES * deleted_executions(all_of)):
        outcome = "kept" if f < FILES * all_of.former and f % 700 == 1 else "deleted"
        yield f + 1, deletion_id(f // (FILES * PER_BATCH)), copy_id(f), outcome


def staged(all_of: History) -> Iterator[tuple[int, int]]:
    """Execution and package by number, of those that were staged."""
    for n in range(0, all_of.archived, STAGED_EVERY // 2):
        yield n, 2 * n


def jobs(all_of: History) -> Iterator[Row]:
    """id, name, user, destination, status, bytes, times."""
    for j, n in enumerate(range(0, all_of.archived, PER_JOB * STAGED_EVERY // 2)):
        user = all_of.at.users[j % len(all_of.at.users)]
        begin, end, until = all_of.time(n), all_of.time(n + 3), all_of.time(n + 4000)
        yield j + 1, f"Job {j}", user, all_of.at.processing, "completed", 10_240, begin, end, until


def job_members(all_of: History) -> Iterator[Row]:
    """job, package."""
    for i, (_, p) in enumerate(staged(all_of)):
        yield i // PER_JOB + 1, uuid_of(2, p)


def stagings(all_of: History) -> Iterator[Row]:
    """operation, job, package, origin."""
    for i, (_, p) in enumerate(staged(all_of)):
        yield staging_id(p), i // PER_JOB + 1, uuid_of(2, p), all_of.at.archives[0]


def transfer_logs(all_of: History) -> Iterator[Row]:
    """time, status, message, transfer."""
    for b in range(all_of.bundled // PER_BUNDLE):
        n = (b + 1) * PER_BUNDLE
        yield all_of.time(n), "in_progress", "Begun.", bundle_work_id(b, 1)
        yield all_of.time(n + 0.2), "completed", "Arrived.", bundle_work_id(b, 1)


def archiving_logs(all_of: History) -> Iterator[Row]:
    """time, status, message, transfer."""
    for n, p, state, _ in all_of.each_package():
        if state == "archived":
            yield all_of.time(n + 2), "completed", "Archived.", archiving_id(p)
            if n < all_of.former and n % 900 == 5:
                yield all_of.time(n + 1.5), "failed", "Tried again.", archiving_id(p)


def job_logs(all_of: History) -> Iterator[Row]:
    """time, status, message, job, package."""
    for i, (n, p) in enumerate(staged(all_of)):
        yield all_of.time(n + 3), "completed", "Staged.", i // PER_JOB + 1, uuid_of(2, p)


def audit_log(all_of: History) -> Iterator[Row]:
    """time, level, component, user, message, type and id of what it is about."""
    for n in range(all_of.archived):
        level = "error" if n < all_of.former and n % 800 == 1 else "info"
        user = all_of.at.users[n % len(all_of.at.users)]
        yield (
            all_of.time(n + 2), level, "dispatch", user, f"Retry: operation {creation_id(2 * n)}.",
            "transfer.operation", creation_id(2 * n),
        )  # fmt: skip


def metadata(all_of: History) -> Iterator[Row]:
    """package, exposure, made, changed."""
    for n, p, state, _ in all_of.each_package():
        if state == "archived":
            yield uuid_of(2, p), 300.0, all_of.time(n + 2), all_of.time(n + 2)
