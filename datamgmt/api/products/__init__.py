"""Runs and data products over HTTP."""
