"""One factory for each model, with fixed readable values.

What a test does not name is not what it is about. ``XFactory.create(...)`` makes a
row, and type checkers know of which model; ``XFactory(...)`` makes the same row.
"""
