"""Portal pages of what is to be observed and what was."""

from planning.admin import cadences, configurations, executions, obs_units, programs, sources, weather

__all__ = ["cadences", "configurations", "executions", "obs_units", "programs", "sources", "weather"]
