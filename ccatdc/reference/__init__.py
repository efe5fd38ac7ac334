"""Reference data as files: what must exist before the first observation can be filed.

Stands before stage 0. Observatory, programs, sources, sites, locations and routes are kept as YAML
files in a folder under version control; ``manage.py load_reference FOLDER`` brings the database to
what the files say. The parts, in the order in which a load uses them:

* :mod:`.yaml_files` reads files into entries that remember file and line;
* :mod:`.declarations` says for each model what names a row and what an operator may change later;
* :mod:`.values` turns what was written into what a field holds, strictly;
* :mod:`.loader` compares with the database and writes the difference in one transaction.
"""
