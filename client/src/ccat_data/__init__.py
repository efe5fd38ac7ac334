"""``ccat-data``: what scientists do with the CCAT Data Center from the cluster. Files what a run made."""
