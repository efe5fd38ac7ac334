"""An OCS agent that files what an acquisition agent writes, as its ``session.data`` says it.

The process ``file`` looks at the process of the acquisition every few seconds. Its ``session.data`` has the complete
files, ``{"files": ["/data/primecam/17500/r01d1_000.g3", …]}``. One session of the acquisition is one observation: its
UUID is made from the session, so that nothing is filed twice after this agent was restarted.

OCS runs the process in a worker thread (``blocking=True``): the reactor is never held up. Run it with
``python ocs_agent.py --instance-id ccat-file --acquisition rfsoc`` and the settings of ``ccat-file`` in the environment.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from ccat_file import FiledFile, Filing

#: What stands here is Prime-Cam's 280 GHz module; put your own names in its place.
ROOT = Path("/data/primecam")
PLACE = {"instrument": "prime-cam", "module": "280ghz", "location": "ccat_primecam_raw_data"}
OBS_UNIT: dict[str, Any] = {"program": "GPS", "obs_unit_name": "Orion-KL polarization"}
SECONDS = 5.0


class FilingAgent:
    """Files the sessions of one acquisition. ``look`` gives its session, as an OCS client has it."""

    def __init__(self, filing: Filing, look: Callable[[], Mapping[str, Any]], root: Path = ROOT) -> None:
        self._filing, self._look, self._root = filing, look, root
        self._filed: set[str] = set()
        self._session: object = None
        self._goes_on = False

    def file(self, session: Any, params: Mapping[str, Any] | None) -> tuple[bool, str]:
        """file(seconds=5) - **Process** - File the acquisition's sessions until it is stopped."""
        seconds = float((params or {}).get("seconds", SECONDS))
        self._goes_on = True
        session.data = {"observation": None, "files": 0}
        while self._goes_on:
            self.once(session)
            time.sleep(seconds)
        self.once(session)
        return True, "Stopped."

    def stop(self, session: Any, params: Mapping[str, Any] | None) -> tuple[bool, str]:  # noqa: ARG002
        """Let the process end after one more look."""
        self._goes_on = False
        return True, "It ends."

    def once(self, session: Any) -> None:
        """Look once, and file what is new."""
        seen = self._look()
        if not seen.get("start_time"):
            return  # it never ran
        observation = _observation_of(seen)
        if self._session != observation:
            self._session, self._filed = observation, set()
            self._filing.start(observation=observation, start_time=_moment(seen["start_time"]), **OBS_UNIT)
        elif session.data.get("finished") == str(observation):
            return
        new = [path for path in (seen.get("data") or {}).get("files", []) if path not in self._filed]
        filed = self._filing.observation(observation)
        if new:
            files = [FiledFile.of(path, self._root, file_type="detector_timestream") for path in new]
            filed.add_files(files, **PLACE)
            self._filed.update(new)
        session.data = {**session.data, "observation": str(observation), "files": len(self._filed)}
        if seen.get("end_time"):
            filed.finish("completed" if seen.get("success") else "failed", end_time=_moment(seen["end_time"]))
            session.data = {**session.data, "finished": str(observation)}


def _observation_of(seen: Mapping[str, Any]) -> UUID:
    return uuid5(NAMESPACE_URL, f"ocs/{seen['op_name']}/{seen['session_id']}/{seen['start_time']}")


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def main() -> None:
    """Register the process and run."""
    from ocs import ocs_agent, site_config
    from ocs.ocs_client import OCSClient

    parser = site_config.add_arguments()
    parser.add_argument("--acquisition", required=True, help="instance of the agent that acquires")
    args = site_config.parse_args(agent_class="CcatFileAgent", parser=parser)
    agent, runner = ocs_agent.init_site_agent(args)
    client = OCSClient(args.acquisition, args=args)
    filer = FilingAgent(Filing(), lambda: client.acq.status().session)
    agent.register_process("file", filer.file, filer.stop, blocking=True, startup=True)
    runner.run(agent, auto_reconnect=True)


if __name__ == "__main__":
    main()
