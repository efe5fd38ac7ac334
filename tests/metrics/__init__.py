"""The data center in figures."""
