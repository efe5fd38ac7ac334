"""People and what they may do, the tokens of programs, and the audit records."""

from accounts.models.audit import Change, ChangeAction, LogLevel, SystemLog, record
from accounts.models.log_ins import FailedLogIn
from accounts.models.people import ALL_SEEING, Permission, Role, User
from accounts.models.sessions import UserSession
from accounts.models.tokens import TOKEN_MARK, ApiToken, hash_token

__all__ = [
    "ALL_SEEING",
    "TOKEN_MARK",
    "ApiToken",
    "Change",
    "ChangeAction",
    "FailedLogIn",
    "LogLevel",
    "Permission",
    "Role",
    "SystemLog",
    "User",
    "UserSession",
    "hash_token",
    "record",
]
