"""The client package ``ccat_file`` of the folder ``client``."""
