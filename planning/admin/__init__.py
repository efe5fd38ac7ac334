"""Portal pages of what is to be observed and what was."""

from planning.admin import configurations, executions, obs_units, programs, sources

__all__ = ["configurations", "executions", "obs_units", "programs", "sources"]
