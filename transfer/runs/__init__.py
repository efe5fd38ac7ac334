"""Runs on the cluster: asking for them, cancelling, trying again."""
