"""Lines of inpar files to entries of the configurations that name the file as their template.

Stands between two halves of a load: which configurations there are is known only when those of the files have been
made.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from ccatdc.reference.declarations import declaration_of
from ccatdc.reference.entries import Entry, Place, Problem, Value
from ccatdc.reference.load.stored import StoredRows
from planning.models import ChaiInparParameter, ChaiObservationConfiguration, ObservationConfiguration

#: The rows that inpar lines become.
PARAMETER_SECTION = ChaiInparParameter._meta.db_table
_CONFIGURATION = "chai_observation_configuration"


def parameters_of_templates(lines: Iterable[Entry], stored: StoredRows, problems: list[Problem]) -> list[Entry]:
    """An entry for each line and configuration; a template that nothing names is a problem."""
    users = configurations_by_template(stored)
    entries: list[Entry] = []
    unused: dict[str, Problem] = {}
    for line in lines:
        values = dict(line.values)
        template = values.pop("template").value
        if template not in users:
            place = Place(line.place.file, 1)
            reason = "no configuration of CHAI names this file"
            unused[template] = Problem(place, "inpar_template", reason)
        for name in users.get(template, ()):
            given = {_CONFIGURATION: Value(name, line.place), **values}
            entries.append(Entry(PARAMETER_SECTION, given, line.place, line.folder))
    if not problems:  # else the configuration itself may be what is wrong
        problems.extend(unused.values())
    return entries


def configurations_by_template(stored: StoredRows) -> dict[str, list[str]]:
    """Names of CHAI's configurations by the inpar file that they name."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name, row in stored.rows(declaration_of(ObservationConfiguration).family).items():
        if isinstance(row, ChaiObservationConfiguration) and row.inpar_template:
            found[row.inpar_template].append(name)
    return found
