"""What pages say about people."""

from __future__ import annotations

from django import template

from accounts import people

register = template.Library()


@register.simple_tag
def who_gives_roles() -> str:
    """Whom to ask for a role."""
    return people.who_gives_roles()
