"""The search of observations, their pages, and the cone search."""
