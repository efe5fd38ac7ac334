"""Portal pages of people, their roles and tokens, and of what was changed and done."""

from accounts.admin import history, people

__all__ = ["attempts", "history", "people"]
