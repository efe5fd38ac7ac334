"""Portal pages of data: sites, archives, files, metadata, products, unrecorded files.

Locations, packages, bundles and copies have their pages in transfer/admin, because these show the work on them too.
"""

from datamgmt.admin import files, metadata, products, sites, unrecorded

__all__ = ["files", "metadata", "products", "sites", "unrecorded"]
