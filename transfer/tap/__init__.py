"""TAP 1.1 at ``/tap``: astronomers ask the catalogue in ADQL (IVOA Table Access Protocol).

``tables.py`` says which tables and columns there are; each is a view of the database (transfer/migrations). A query is
parsed (``parsing.py``), every part of it looked up in lists of what is allowed, and written anew as SQL
(``translating.py``, ``functions.py``); what somebody typed never reaches the database. ``running.py`` runs it as a role
that sees these views only, read-only, within limits; the views show what the person may see. ``answers.py`` writes
tables, ``views.py`` and ``jobs.py`` are the protocol: at once, or as a job that waits (UWS).
"""
