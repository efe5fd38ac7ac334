"""The telescope and the main site on one machine, as far apart as wanted: for benchmarks of the gateway.

Each site has a database of its own, gunicorn with two workers, and the network of a host of its own
(``benchmarks.wide_area``); only what goes over HTTP from one to the other crosses the link.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg

from benchmarks.wide_area import Conditions, Host, WideAreaLink
from ccatdc.dev.postgres import PostgresServer

REPOSITORY: Final = Path(__file__).resolve().parent.parent
PORT: Final = 8000
START_SECONDS: Final = 120.0
#: Chile to Cologne and back.
ROUND_TRIP_SECONDS: Final = 0.220
#: What instruments name in their calls; from reference_data.
OBSERVED: Final = {"program": "WFS", "obs_unit_name": "South el45"}
MODULE: Final = {"instrument": "prime-cam", "module": "280ghz", "source_location": "ccat_primecam_raw_data"}
#: Two accounts as an operator makes them; prints their tokens.
_ACCOUNTS: Final = """
from accounts.auth.defaults import ensure_default_roles
from accounts.models import ApiToken, Role, User
ensure_default_roles()
for name, role, scopes in (
    ("gateway-chile", "gateway", ["write:observations", "relay:observations", "mirror:reference"]),
    ("primecam", "service", ["read:observations", "write:observations"]),
):
    user = User.objects.create(username=name)
    user.roles.add(Role.objects.get(name=role))
    print(ApiToken.issue(user=user, name="benchmark", scopes=scopes)[1])
"""


@dataclass
class Site:
    """One site: its host, its database, the environment of its processes."""

    host: Host
    link: WideAreaLink
    folder: Path
    database_url: str
    settings: Mapping[str, str]
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Of a production, but that HTTP is spoken without TLS."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("CCATDC_")}
        return {
            **kept,
            "PYTHONUNBUFFERED": "1",
            "CCATDC_SECRET_KEY": "of-a-benchmark",
            "CCATDC_PLAIN_HTTP": "1",
            "CCATDC_ALLOWED_HOSTS": "*",
            "CCATDC_LOG_DIR": str(self.folder / "log"),
            "DATABASE_URL": self.database_url,
            **self.settings,
            **self.tokens,
        }

    def start(self, *command: str, log: str, more: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """A Python program on the site's host, with ``more`` in its environment; its output is appended
        to a log in the folder.
        """
        with (self.folder / f"{log}.log").open("ab") as output:
            return self.link.start(
                self.host,
                ["env", f"--chdir={REPOSITORY}", sys.executable, *command],
                environment={**self.environment, **(more or {})},
                output=output,
            )

    def manage(self, *command: str) -> str:
        """A command to its end, and what it printed. Exits the benchmark when it fails."""
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=REPOSITORY,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            sys.exit(f"manage.py {command[0]} failed:\n{done.stderr}")
        return done.stdout

    def start_web(self) -> subprocess.Popen[bytes]:
        """gunicorn; returns when it listens."""
        bind = f"{self.host.value}:{PORT}"
        log = self.folder / "web.log"
        known = log.stat().st_size if log.exists() else 0
        web = self.start(
            *("-m", "gunicorn", "ccatdc.wsgi", "--bind", bind),
            *("--workers", "2", "--threads", "4", "--log-level", "info"),
            log="web",
        )
        deadline = time.monotonic() + START_SECONDS
        while log.read_bytes()[known:].count(b"Booting worker") < 2:
            if web.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"gunicorn did not start:\n{log.read_text()}")
            time.sleep(0.1)
        return web

    @property
    def url(self) -> str:
        """Of its web process, from both hosts."""
        return f"http://{self.host.value}:{PORT}"

    def rows(self, query: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Of its database."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(query, values).fetchall()


@dataclass(frozen=True)
class TwoSites:
    """The main site with the reference data, and a gateway that has a copy of it; nothing replays yet."""

    link: WideAreaLink
    main: Site
    telescope: Site
    instrument_token: str


@contextmanager
def two_sites(folder: Path) -> Iterator[TwoSites]:
    """From empty databases to both sites answering; the link has no delay yet. Stops all of it."""
    with ExitStack() as stack:
        server = stack.enter_context(PostgresServer(folder / "postgres", durable=True))
        link = stack.enter_context(WideAreaLink(Conditions(), log=folder / "carrier.log"))
        main = _site(server, link, folder / "main", Host.FAR, {})
        role = {"CCATDC_SITE_ROLE": "gateway", "CCATDC_PRIMARY_URL": main.url}
        server.ensure_database("telescope", template=main.folder.name)  # migrated already
        telescope = _site(server, link, folder / "telescope", Host.NEAR, role)
        main.manage("load_reference", "reference_data")
        relaying, filing = main.manage("shell", "--command", _ACCOUNTS).split()[-2:]
        telescope.tokens["CCATDC_PRIMARY_TOKEN"] = relaying
        stack.callback(_stop, main.start_web())
        first = telescope.start("manage.py", "refresh_reference", log="refresh")
        if first.wait(START_SECONDS) != 0:
            sys.exit(f"No reference data came:\n{(telescope.folder / 'refresh.log').read_text()}")
        yield TwoSites(link, main, telescope, filing)


def _site(server: PostgresServer, link: WideAreaLink, folder: Path, host: Host, settings: Mapping[str, str]) -> Site:
    folder.mkdir()
    server.ensure_database(folder.name)
    site = Site(host, link, folder, server.url(folder.name), settings)
    site.manage("migrate", "--verbosity", "0")
    return site


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(60)
