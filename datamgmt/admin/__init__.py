"""Portal pages of data: archives, files, metadata, products, unrecorded files.

Sites, locations, packages, bundles and copies have their pages in transfer/admin, because these show the work on them too.
"""

from datamgmt.admin import files, metadata, products, sites, unrecorded

__all__ = ["files", "metadata", "products", "sites", "unrecorded"]
