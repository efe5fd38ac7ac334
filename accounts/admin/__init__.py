"""Portal pages of people, their roles and tokens, and of what was changed and done."""

from accounts.admin import audit_log, history, people

__all__ = ["audit_log", "history", "people"]
