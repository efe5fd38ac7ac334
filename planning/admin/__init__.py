"""Portal pages of what is to be observed and what was."""

from planning.admin import cadences, configurations, obs_units, programs, sources, weather

__all__ = ["cadences", "configurations", "obs_units", "programs", "sources", "weather"]
