"""``python -m ccatdc.demo``: what ``scripts/demo`` runs. Starts everything in order, ends it in order."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import django
from django.core.management import CommandError
from django.db import DatabaseError

from ccatdc.common.errors import CcatError
from ccatdc.demo.display import Display
from ccatdc.demo.folder import require_folder
from ccatdc.demo.home import Home
from ccatdc.demo.options import Options, parse
from ccatdc.demo.servers import Servers, servers

_REPOSITORY = Path(__file__).resolve().parents[2]
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


class Stopped(BaseException):
    """Somebody asked us to end. No error, and no ``except Exception`` may swallow it."""


def main() -> int:
    """Run the demo; the exit status is 0 when all went well, or 1 with the reason."""
    options = parse()
    display = Display(to_stderr=options.json)
    for signum in _SIGNALS:
        signal.signal(signum, _stop)
    try:
        result = _run(options, display)
    except Stopped:
        _ignore_signals()
        display.say("Stopped.")
        return _failed(options, "It was stopped.") if options.once else 0
    except CcatError as error:
        display.say(f"{error} [{error.code}]")
        return _failed(options, str(error))
    except (CommandError, DatabaseError, OSError) as error:
        # Of the disk, of the database, or of a step of the preparation: their own words are best.
        display.say(f"{type(error).__name__}: {error}")
        display.say(f"The logs of all processes are in {Home(options.root).log}.")
        return _failed(options, f"{type(error).__name__}: {error}")
    except Exception as error:
        _failed(options, f"{type(error).__name__}: {error}")  # whoever reads our JSON gets some
        raise
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
    return 0


def _run(options: Options, display: Display) -> dict[str, object] | None:
    # The folder in which we were started may vanish, or hold a gunicorn.conf.py.
    os.chdir(_REPOSITORY)
    if options.input is not None:
        require_folder(options.input)  # before anything is started for it
    home = Home(options.root)
    begin = time.monotonic()
    with home.locked(), servers(home, options.port) as running:
        display.say(f"PostgreSQL and S3 run in {home.root} ({_since(begin)})")
        with _data_center(home, running, display) as watch:
            home.say_in_lock(f"process {os.getpid()}, {running.portal_url}")
            display.say(f"The data center runs ({_since(begin)})")
            try:
                return _observe(options, home, running, display, watch)
            finally:
                _ignore_signals()  # the end takes seconds; a second Ctrl-C would leave things behind
                display.say("Stopping")


@contextmanager
def _data_center(home: Home, running: Servers, display: Display) -> Iterator[Callable[[], None]]:
    """Everything between the servers and the instruments; yields what looks after it."""
    django.setup()
    # What libraries log is for the file; the screen is for what the demo says.
    logging.basicConfig(
        filename=home.log / "demo.log", format=_LOG_FORMAT, level=logging.INFO, force=True
    )
    from ccatdc.demo.center import DataCenter
    from ccatdc.demo.furnishing import collect_static, furnish

    furnish(home, running.s3.endpoint_url, display.say)
    collect_static(home)
    home.write_environment(running.environment)
    center = DataCenter(running, home.log, display.say)
    try:
        center.start()
        yield center.watch
    finally:
        center.stop()


def _observe(
    options: Options,
    home: Home,
    running: Servers,
    display: Display,
    watch: Callable[[], None],
) -> dict[str, object] | None:
    from ccatdc.demo.night import Night
    from ccatdc.demo.session import run_session

    if options.once:
        return Night(options, home, running.portal_url, display, watch).run().as_json()
    display.say(_welcome(home, running))
    run_session(options, home, running.portal_url, display, watch)
    return None


def _welcome(home: Home, running: Servers) -> str:
    from ccatdc.demo.furnishing import PEOPLE, password_of

    people = "\n".join(
        f"  {person.username:<10} {password_of(home, person)}   {person.full_name}"
        for person in PEOPLE
    )
    return (
        f"\nPortal: {running.portal_url}\nLog in as (the passwords are also in {home.root}/secrets):"
        f"\n{people}\nLogs: {home.log}\nFor manage.py: set -a; . {home.root}/environment"
        "\nCtrl-C stops everything.\n"
    )


def _failed(options: Options, reason: str) -> int:
    if options.json:
        print(json.dumps({"ok": False, "error": reason}, ensure_ascii=False))
    return 1


def _stop(_signum: int, _frame: FrameType | None) -> NoReturn:
    _ignore_signals()
    raise Stopped


def _ignore_signals() -> None:
    for signum in _SIGNALS:
        signal.signal(signum, signal.SIG_IGN)


def _since(begin: float) -> str:
    return f"{time.monotonic() - begin:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
