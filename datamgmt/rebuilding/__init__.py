"""The catalogue from an archive alone: ``manage.py rebuild_catalogue`` (docs/operations/recovery.md)."""
