"""A tuning lies in the frequency range of its module: a rule over three tables, which a CHECK cannot say.

Looked at when a transaction ends, so that module and configuration may change together; a form says the same first, in
words. The module is locked meanwhile: of two transactions that break the rule together one waits for the other.
"""

from __future__ import annotations

import pgtrigger

_RULE = "chai_tuning_in_range_of_module"
_ROWS = """chai_module_configuration c
    JOIN instrument_module_configuration b ON b.id = c.instrumentmoduleconfiguration_ptr_id
    JOIN instrument_module m ON m.id = b.instrument_module_id"""


def tuning_in_range(of: str, columns: tuple[str, ...], *, also_new: bool = False) -> pgtrigger.Trigger:
    """The trigger of one of the tables, for changes of these columns. ``of`` finds its row ``NEW`` in the join: c, b, m."""
    changed = pgtrigger.UpdateOf(*columns)  # type: ignore[no-untyped-call]
    return pgtrigger.Trigger(
        name="tuning_in_range",
        when=pgtrigger.After,
        operation=pgtrigger.Insert | changed if also_new else changed,
        timing=pgtrigger.Deferred,
        func=f"""
            PERFORM 1 FROM {_ROWS} WHERE {of} FOR SHARE OF m;
            IF EXISTS (
                SELECT 1 FROM {_ROWS} WHERE {of}
                    AND (c.tuning_frequency_ghz < m.freq_min_ghz OR c.tuning_frequency_ghz > m.freq_max_ghz)
            ) THEN
                RAISE EXCEPTION 'A tuning lies in the frequency range of its module ("{_RULE}")'
                    USING ERRCODE = 'check_violation', CONSTRAINT = '{_RULE}', TABLE = TG_TABLE_NAME;
            END IF;
            RETURN NULL;
        """,  # noqa: S608 - all of it stands here
    )
