"""Observations as scientists look for them and at them: the search, its exports, the page of one, the cone search."""
