"""Reference data as files: what must exist before the first observation can be filed.

Stands before stage 0. Observatory, programs, sources, sites, locations and routes are kept as files
in a folder under version control; ``manage.py load_reference FOLDER`` brings the database to what
the files say, ``manage.py export_reference FOLDER`` writes them back. The parts, in the order in
which a load uses them:

* :mod:`.folders` finds files; :mod:`.yaml_files`, :mod:`.csv_files` and :mod:`.kosma_files` read
  them into :mod:`.entries` that remember file and line; :mod:`.merging` puts them together;
* :mod:`.declarations` says for each model what names a row and what an operator may change later;
* :mod:`.resolving` turns what was written into values (:mod:`.values`, strictly) and rows
  (:mod:`.stored`), :mod:`.templates` parameters of CHAI into those of its configurations;
* :mod:`.loader` compares with the database, :mod:`.writing` and :mod:`.bulk` store the difference,
  in one transaction.
"""
