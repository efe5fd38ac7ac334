"""Reference data as files: what must exist before the first observation can be filed.

Stands before stage 0. Observatory, programs, sources, sites, locations and routes are kept as files in a folder under
version control. ``manage.py load_reference FOLDER`` brings the database to what the files say, ``manage.py
export_reference FOLDER`` writes them back.

A load goes through these parts: :mod:`.readers` reads files into :mod:`.entries`, which remember file and line;
:mod:`.declarations` says for each model what names a row and what an operator may change later; :mod:`.values` turns
what was written into values, strictly; :mod:`.load` merges entries, resolves names, compares with the database and
stores the difference in one transaction. :mod:`.export` is the way back.
"""
