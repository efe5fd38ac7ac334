"""Entity diagrams of the data model as pictures (SVG), drawn from the models for docs/data-model.md.

One for each app and one of all (:mod:`.overview`). :mod:`.boxes` says what stands in a picture,
:mod:`.layers` puts it into columns, :mod:`.channels` leads the lines between them, :mod:`.drawing`
writes the SVG. No library of PyPI draws such pictures without a program of the system (Graphviz), so
that the check that they are current would not run everywhere. The same models give the same bytes.
"""

from __future__ import annotations

from ccatdc.diagrams.boxes import stacks_of
from ccatdc.diagrams.drawing import picture
from ccatdc.diagrams.overview import overview

__all__ = ["pictures"]


def pictures(apps: tuple[str, ...]) -> dict[str, str]:
    """SVG by file name: one for each app, and ``overview``."""
    drawn = {f"{app}.svg": picture(app, stacks_of(app, apps)) for app in apps}
    return drawn | {"overview.svg": overview(apps)}
