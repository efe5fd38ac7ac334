"""For laptops and tests: the demo, and the servers that production provides and a laptop lacks, from wheels.

Nothing of the product imports it. It imports no Django before the database is up and ``DATABASE_URL`` is known. Linux
only; elsewhere point ``DATABASE_URL`` at a server.
"""
