"""The data center in figures: ``GET /metrics`` for Prometheus, and the same as lines for InfluxDB.

Every figure is read from the database when it is asked for, so that all processes give the same.
"""
