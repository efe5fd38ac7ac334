"""Backups of the database: taken, verified by restoring them, watched (docs/operations/recovery.md)."""
