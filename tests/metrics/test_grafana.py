"""What deploy/grafana asks for is what the code emits; a real Prometheus reads it and understands every question."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from django.conf import settings

from tests.factories.accounts import ApiTokenFactory
from tests.factories.datamgmt import BufferLocationFactory
from tests.gateway.sites import free_port, until
from tests.metrics.emitted import emitted

FOLDER = Path(settings.BASE_DIR, "deploy/grafana")
ALERTS = FOLDER / "provisioning/alerting/ccatdc.yaml"
DASHBOARDS = sorted((FOLDER / "dashboards").glob("*.json"))
#: Labels that Prometheus adds.
ADDED = {"instance", "job"}


def panels() -> Iterator[tuple[str, str, str]]:
    """Title, question and legend of each line of each panel."""
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                yield panel["title"], target["expr"], target["legendFormat"]


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def questions() -> list[tuple[str, str, str]]:
    """Those of the panels, and of the alerts with what they say."""
    alerts = [(rule["title"], rule["data"][0]["model"]["expr"], rule["annotations"]["summary"]) for rule in rules()]
    return [*panels(), *alerts]


def names(text: str) -> set[str]:
    return set(re.findall(r"\bccatdc_\w+", text))


def labels(question: str, shown: str) -> set[str]:
    """The labels that a question groups or selects by, and that its legend shows."""
    grouped = re.findall(r"\b(?:by|on) \(([^)]*)\)", question)
    selected = re.findall(r"(\w+)\s*=~?\"", question)
    legend = re.findall(r"{{ ?(?:\$labels\.)?(\w+) ?}}", shown)
    return {name.strip() for part in grouped for name in part.split(",")} | {*selected, *legend}


@pytest.mark.django_db
def test_every_name_and_label_is_one_that_the_code_emits() -> None:
    known = emitted()
    unknown = {name for _, question, _ in questions() for name in names(question)} - set(known)
    assert unknown == set()
    for title, question, shown in questions():
        has = set.union(ADDED, *(known[name] for name in names(question)))
        assert labels(question, shown) <= has, title


@pytest.mark.django_db
def test_every_figure_is_on_a_dashboard() -> None:
    assert set(emitted()) - {name for _, question, _ in panels() for name in names(question)} == set()


def test_panels_and_alerts_ask_the_source_that_is_provided() -> None:
    sources = yaml.safe_load((FOLDER / "provisioning/datasources/ccatdc.yaml").read_text())["datasources"]
    provided = {source["uid"] for source in sources}
    boards = [json.loads(path.read_text()) for path in DASHBOARDS]
    asked = {target["datasource"]["uid"] for b in boards for p in b["panels"] for target in p["targets"]}
    asked |= {part["datasourceUid"] for rule in rules() for part in rule["data"]} - {"__expr__"}
    assert asked == provided
    uids = [rule["uid"] for rule in rules()] + [board["uid"] for board in boards]
    assert len(set(uids)) == len(uids)


def test_panels_do_not_cover_each_other() -> None:
    for path in DASHBOARDS:
        taken: set[tuple[int, int]] = set()
        for panel in json.loads(path.read_text())["panels"]:
            at = panel["gridPos"]
            cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
            assert not cells & taken, panel["title"]
            assert max(x for x, _ in cells) < 24
            taken |= cells


@contextmanager
def real_prometheus(folder: Path, target: str, token: str) -> Iterator[str]:
    """Debian's, asking ``target`` every second; its address. Without it the test is skipped by name."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed (Debian: apt-get install prometheus)")
    (folder / "token").write_text(token)
    (folder / "prometheus.yml").write_text(
        f"global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n"
        f"scrape_configs:\n"
        f"  - job_name: ccatdc\n"
        f"    authorization: {{credentials_file: {folder / 'token'}}}\n"
        f'    static_configs: [{{targets: ["{target}"]}}]\n'
    )
    port = free_port()
    command = [program, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(10)


def asked(prometheus: httpx.Client, question: str) -> dict[str, Any]:
    """What Prometheus answers; empty while it does not."""
    try:
        answer = prometheus.get("/api/v1/query", params={"query": question})
    except httpx.TransportError:
        return {}
    found: dict[str, Any] = answer.json() if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE else {}
    return found


@pytest.mark.django_db(transaction=True)
def test_a_real_prometheus_reads_the_figures_and_understands_every_question(tmp_path: Path, live_server: Any) -> None:
    buffer = BufferLocationFactory.create()
    type(buffer).objects.update(used_bytes=70, capacity_bytes=100)
    token: Any = ApiTokenFactory.create(scopes=["read:observations"])
    target = live_server.url.removeprefix("http://")
    with real_prometheus(tmp_path, target, token.secret) as address, httpx.Client(base_url=address) as prometheus:
        used = until(
            lambda: asked(prometheus, "ccatdc_location_used_bytes").get("data", {}).get("result"), what="a scrape"
        )
        ((labels_of, (_, value)),) = [(each["metric"], each["value"]) for each in used]
        assert (labels_of["location"], labels_of["job"], value) == (buffer.full_name, "ccatdc", "70")
        for title, question, _ in questions():
            assert asked(prometheus, question).get("status") == "success", title
