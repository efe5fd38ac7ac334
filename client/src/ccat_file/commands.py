"""``ccat-file``: the Python API on the command line. Exit statuses: :class:`ccat_file.errors.Exit`.

Standard output has what programs want (a UUID, JSON); what people want is on standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from ccat_file.digests import checksum_of, new_digest
from ccat_file.errors import CcatFileError, Exit, UsageError
from ccat_file.filing import Filing, Observation
from ccat_file.layouts import layout_of
from ccat_file.options import parser
from ccat_file.progress import Bar, size_text
from ccat_file.rows import FiledFile, files_below
from ccat_file.sender import Sender
from ccat_file.settings import Settings
from ccat_file.times import UTC


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit status."""
    given = parser().parse_args(arguments)
    logging.basicConfig(format="ccat-file: %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        settings = Settings.from_environment(url=given.url, spool=given.spool, token_file=given.token_file)
        filing = Filing(settings, send=not given.no_send)
        return int(_COMMANDS[given.command](filing, given))
    except CcatFileError as error:
        _say(str(error))
        return int(error.exit)
    except KeyboardInterrupt:
        _say("interrupted; what is spooled stays spooled")
        return 130


def _start(filing: Filing, given: argparse.Namespace) -> Exit:
    observation = filing.start(
        program=given.program,
        obs_unit_name=given.obs_unit,
        obs_unit=given.obs_unit_id,
        start_time=given.start_time,
        parameters=given.parameters,
        operator=given.operator,
        module_configurations=_each_once(given.module_configuration),
        observation_configuration=given.observation_configuration,
        slot=given.slot,
        observation=given.id,
    )
    print(observation.id, flush=True)
    return _after(observation, given)


def _each_once(module_configurations: Sequence[tuple[tuple[str, str], str]]) -> dict[tuple[str, str], str]:
    found = dict(module_configurations)
    if len(found) < len(module_configurations):
        raise UsageError("A module has one module configuration at a time.")
    return found


def _files(filing: Filing, given: argparse.Namespace) -> Exit:
    observation = filing.observation(given.observation)
    if given.checksum:
        new_digest(given.checksum)  # before gigabytes are looked at
    files = [FiledFile.of(path, given.root, file_type=given.type) for path in files_below(given.paths)]
    if not files:
        raise UsageError("There are no files.")
    size = sum(file.size for file in files)
    if given.checksum:
        files = _with_checksums(files, given.root, given.checksum, size)
    count = observation.add_files(files, instrument=given.instrument, module=given.module, location=given.location)
    _say(f"{count} files, {size_text(size)}, spooled")
    return _after(observation, given)


def _with_checksums(files: Sequence[FiledFile], root: Path, algorithm: str, size: int) -> list[FiledFile]:
    """Read all files. UsageError when one changes meanwhile: it is not complete."""
    result = []
    with Bar("checksums", size) as bar:
        for file in files:
            path = root / file.relative_path
            try:
                digits = checksum_of(path, algorithm, bar.advance)
            except OSError as error:
                raise UsageError(f"{path}: {error.strerror}.") from error
            after = FiledFile.of(path, root, checksum=digits, checksum_algorithm=algorithm, file_type=file.file_type)
            if (after.size, after.created_at) != (file.size, file.created_at):
                raise UsageError(f"{path} is still being written. Nothing was spooled.")
            result.append(after)
    return result


def _finish(filing: Filing, given: argparse.Namespace) -> Exit:
    observation = filing.observation(given.observation)
    observation.finish(
        given.status,
        end_time=given.end_time,
        quality=given.quality,
        comment=given.comment,
        conditions=dict(given.condition),
    )
    return _after(observation, given)


def _after(observation: Observation, given: argparse.Namespace) -> Exit:
    if given.wait is not None:
        with Bar("sending", 0, text="{:,} calls".format) as bar:
            observation.wait(given.wait, tell=bar.left)
    return Exit.DONE


def _follow(filing: Filing, given: argparse.Namespace) -> Exit:
    from ccat_file.following import Follower, Target
    from ccat_file.readouts import modules_of

    layout = layout_of(given.layout)
    if given.quiet is not None:
        layout = replace(layout, quiet=given.quiet)
    modules = {} if given.module else modules_of(filing, given.instrument, tell=_say)
    target = Target(given.instrument, given.stream, given.location, given.module, modules)
    follower = Follower(filing, given.folder, root=given.root, layout=layout, target=target, tell=_say)
    if given.once:
        _say(f"{follower.look(all_complete=True)} files spooled")
        return Exit.DONE
    follower.run(given.interval)
    return Exit.DONE


def _watch(filing: Filing, given: argparse.Namespace) -> Exit:
    from ccat_file.watching import watch

    filing.wake_sender()
    watch(
        filing,
        filing.observation(given.observation),
        seconds=given.timeout,
        interval=given.interval,
        at=given.at,
        tell=lambda sight: _say(str(sight)),
    )
    _say("archived")
    return Exit.DONE


def _status(filing: Filing, given: argparse.Namespace) -> Exit:
    status = filing.status()
    if given.json:
        print(json.dumps(status, indent=2))
    else:
        sends = "a process sends" if status["sending"] else "nobody sends"
        lines = [
            f"spool {status['spool']}: {status['waiting']} calls wait "
            f"({status['blocked']} behind a refused one), "
            f"{len(status['refused'])} refused; {sends}"
        ]
        for one in status["refused"]:
            answer = one["answer"]
            lines += [
                f"{one['number']}: {one['call']} of observation {one['observation']}",
                f"    {answer.get('code', '')} {answer.get('detail', '')}",
                f"    {one['file']}",
            ]
        if status["waiting"] and status["last_said"]:
            lines.append(f"last said: {status['last_said'].removeprefix('ccat-file: ')}")
        print("\n".join(lines))
    if status["refused"]:
        return Exit.REFUSED
    return Exit.WAITING if status["waiting"] else Exit.DONE


def _retry(filing: Filing, given: argparse.Namespace) -> Exit:
    given_back = filing.spool.retry(given.numbers or None)
    _say(f"{len(given_back)} calls are sent again")
    filing.wake_sender()
    return Exit.DONE


def _correct(filing: Filing, given: argparse.Namespace) -> Exit:
    if not given.set and not given.drop:
        raise UsageError("Say what to change: --set FIELD=VALUE or --drop ROW.")
    filing.spool.correct(given.number, given.set, given.drop)
    _say(f"{given.number} is corrected and sent again")
    filing.wake_sender()
    return Exit.DONE


def _discard(filing: Filing, given: argparse.Namespace) -> Exit:
    for entry in filing.spool.discard(given.numbers):
        _say(f"{entry.number} is given up, and kept in {entry.path}")
    filing.wake_sender()
    return Exit.DONE


def _send(filing: Filing, given: argparse.Namespace) -> Exit:
    def say(line: str) -> None:
        _say(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {line}")

    sender = Sender(filing.spool, filing.settings, say=say, longest_pause=given.max_pause)
    sender.run(forever=given.forever, inherited=given.lock)
    if filing.spool.sendable():
        _say("another process sends from this spool")
        return Exit.WAITING
    return Exit.DONE


def _say(text: str) -> None:
    # The log may be on the full disk that sending makes room on: a line is lost, no call.
    with contextlib.suppress(OSError):
        print(f"ccat-file: {text}", file=sys.stderr, flush=True)


_COMMANDS = {
    "start": _start,
    "files": _files,
    "finish": _finish,
    "follow": _follow,
    "watch": _watch,
    "status": _status,
    "retry": _retry,
    "correct": _correct,
    "discard": _discard,
    "send": _send,
}
