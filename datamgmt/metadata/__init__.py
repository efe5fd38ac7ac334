"""Metadata of packages for the Virtual Observatory: computed from what the catalogue knows when a package is made.

``obscore.py`` puts a record together, of positions and footprints (``footprints.py``) and of wavelengths (``spectra.py``);
``filling.py`` writes it. People correct it beside, and their corrections win (datamgmt/models/metadata.py).
"""
