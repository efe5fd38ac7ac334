"""Portal pages of data: sites, archives, files, metadata.

Locations, packages, bundles and copies have their pages in transfer/admin, because these show the
work on them too.
"""

from datamgmt.admin import files, metadata, sites

__all__ = ["files", "metadata", "sites"]
