"""What production provides and a laptop lacks: PostgreSQL and S3, from wheels, and a long link.

Only ``scripts/demo``, ``scripts/test`` and the benchmarks use this package. It imports no Django, so that the
database is up and ``DATABASE_URL`` is known before the settings are read. Linux only; elsewhere
point ``DATABASE_URL`` at a server.
"""
