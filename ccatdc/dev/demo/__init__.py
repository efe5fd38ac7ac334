"""The whole data center on one machine, from nothing: ``scripts/demo`` (docs/demo.md).

In the order in which a start uses them: :mod:`.options` and :mod:`.home` (the folder of all its data), :mod:`.servers`
(PostgreSQL and S3), :mod:`.furnishing` (tables, rows, accounts), :mod:`.children` (portal, managers, workers),
:mod:`.instrument`, :mod:`.folder`, :mod:`.writing` and :mod:`.filing` (observations), :mod:`.night` (one night, or
until Ctrl-C) with :mod:`.watching`, :mod:`.display` and :mod:`.verification`.
"""
