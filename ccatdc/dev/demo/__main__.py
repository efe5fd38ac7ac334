"""``python -m ccatdc.dev.demo``: what ``scripts/demo`` runs. Starts everything in order, ends it in order."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

import django
from django.core.management import CommandError
from django.db import DatabaseError

from ccatdc.common.errors import CcatError
from ccatdc.dev.demo.display import Display
from ccatdc.dev.demo.home import Home
from ccatdc.dev.demo.options import REPOSITORY, Options, parse
from ccatdc.dev.demo.servers import HOST, Servers, servers

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PORTAL_SECONDS = 60.0
#: Of the web process: requests at a time, connections, and seconds that a connection may be silent.
WEB_LIMITS = ("--threads=8", "--connection-limit=1000", "--channel-timeout=20")


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
        display.say(f"{type(error).__name__}: {error}\nThe logs of all processes are in {Home(options.root).log}.")
        return _failed(options, f"{type(error).__name__}: {error}")
    except Exception as error:
        _failed(options, f"{type(error).__name__}: {error}")  # whoever reads our JSON gets some
        raise
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
    return 0


def _run(options: Options, display: Display) -> dict[str, Any] | None:
    # The folder in which we were started may vanish.
    os.chdir(REPOSITORY)
    if options.input is not None:
        from ccatdc.dev.demo.folder import require_folder

        require_folder(options.input)  # before anything is started for it
    home = Home(options.root)
    begin = time.monotonic()
    with home.locked(), servers(home, options.port) as running:
        display.say(f"PostgreSQL and S3 run in {home.root} ({time.monotonic() - begin:.1f} s)")
        with _data_center(home, running, display) as watch:
            home.say_in_lock(f"process {os.getpid()}, {running.portal_url}")
            display.say(f"The data center runs ({time.monotonic() - begin:.1f} s)")
            try:
                return _observe(options, home, running, display, watch)
            finally:
                _ignore_signals()  # the end takes seconds; a second Ctrl-C would leave things behind
                display.say("Stopping")


@contextmanager
def _data_center(home: Home, running: Servers, display: Display) -> Iterator[Callable[[], None]]:
    """Everything between the servers and the instruments: portal, managers, and workers for every active location; yields
    what looks after it: ExternalError for a server that is gone and for a process that keeps ending.
    """
    django.setup()
    # What libraries log is for the file; the screen is for what the demo says.
    line = "%(asctime)s %(levelname)s %(name)s %(message)s"
    logging.basicConfig(filename=home.log / "demo.log", format=line, level=logging.INFO, force=True)
    from ccatdc.dev.demo.children import Children
    from ccatdc.dev.demo.filing import wait_until_healthy
    from ccatdc.dev.demo.furnishing import collect_static, furnish
    from datamgmt.models import DataLocation

    furnish(home, running.s3.endpoint_url, display.say)
    running.make_roles()
    collect_static(home)
    home.write_environment(running.environment)
    children, served = Children(home.log, display.say), set[str]()
    manage = str(REPOSITORY / "manage.py")

    def watch() -> None:
        running.require_running()
        children.watch()
        # Nothing can be done at a location that is not registered.
        rows = DataLocation.objects.active().with_site()
        new = {row.full_name for row in rows if row.registered_at is not None} - served
        if new:
            if served:
                display.say(f"Active now: {', '.join(sorted(new))}")
            name = f"workers {len(served)}" if served else "workers"
            children.start(name, manage, "run_location", *sorted(new), DATABASE_URL=running.database_url("worker"))
            served.update(new)

    try:
        children.start(
            "portal",
            # It waits for whole requests before it gives them to a thread: no nginx stands in front of a demo.
            *("-P", "-m", "waitress", f"--listen={HOST}:{running.port}", *WEB_LIMITS, "ccatdc.wsgi:application"),
            DATABASE_URL=running.database_url("web"),
        )
        for role in ("managers", "notifications"):
            children.start(role, manage, f"run_{role}", DATABASE_URL=running.database_url("managers"))
        watch()
        wait_until_healthy(running.portal_url, _PORTAL_SECONDS, watch)
        yield watch
    finally:
        children.stop()


def _observe(
    options: Options, home: Home, running: Servers, display: Display, watch: Callable[[], None]
) -> dict[str, Any] | None:
    from ccatdc.dev.demo.furnishing import PEOPLE, password_of
    from ccatdc.dev.demo.night import Night, run_session

    if options.once:
        return Night(options, home, running.portal_url, display, watch).run()
    people = "\n".join(f"  {person.username:<10} {password_of(home, person)}   {person.full_name}" for person in PEOPLE)
    display.say(
        f"\nPortal: {running.portal_url}\nLog in as (the passwords are also in {home.root}/secrets):"
        f"\n{people}\nLogs: {home.log}\nFor manage.py: set -a; . {home.root}/environment"
        "\nCtrl-C stops everything.\n"
    )
    run_session(options, home, running.portal_url, display, watch)
    return None


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


if __name__ == "__main__":
    sys.exit(main())
