"""Portal pages of what is to be observed and what was."""

from planning.admin import executions, obs_units, programs, sources

__all__ = ["executions", "obs_units", "programs", "sources"]
