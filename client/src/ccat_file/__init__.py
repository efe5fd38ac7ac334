"""Files observations at the CCAT Data Center: spooled to disk first, sent when the server answers.

from ccat_file import Filing, FiledFile, create

filing = Filing()                                  # address, token, spool: the environment
observation = filing.start(program="GPS", obs_unit_name="Orion-KL polarization")
with create(path, "sha256") as stream:             # the checksum is computed while one writes
    stream.write(block)
file = FiledFile.of(path, root, written=stream, file_type="detector_timestream")
observation.add_files([file], instrument="prime-cam", module="280ghz", location="ccat_primecam_raw_data")
observation.finish(quality="good")
"""

from __future__ import annotations

from ccat_file.aio import AsyncDataStream, AsyncFiling, AsyncObservation
from ccat_file.digests import HashingWriter, checksum_of, create
from ccat_file.errors import CcatFileError, Exit, RefusedError, SettingsError, SpoolError, StillWaitingError, UsageError
from ccat_file.filing import DataStream, Filing, Observation
from ccat_file.rows import FiledFile, files_below
from ccat_file.settings import Settings
from ccat_file.watching import Sight, watch

__all__ = [
    "AsyncDataStream",
    "AsyncFiling",
    "AsyncObservation",
    "CcatFileError",
    "DataStream",
    "Exit",
    "FiledFile",
    "Filing",
    "HashingWriter",
    "Observation",
    "RefusedError",
    "Settings",
    "SettingsError",
    "Sight",
    "SpoolError",
    "StillWaitingError",
    "UsageError",
    "checksum_of",
    "create",
    "files_below",
    "watch",
]
