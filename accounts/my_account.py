"""*My account*: what a person may do, their tokens, and where they are logged in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from accounts.models import ApiToken, Permission, User, record
from accounts.people import person_of, who_may
from accounts.sessions import end_sessions, sessions_of
from ccatdc.common.texts import one_line
from observatory.models import Instrument

#: Usable tokens of one person at most.
MOST_TOKENS: Final = 50
LONGEST_DAYS: Final = 366


class TokenForm(forms.Form):
    """A token with some of one's own rights. Whoever has a password gives it: an open session is not enough to make
    something that outlives it.
    """

    name = forms.CharField(
        max_length=128, validators=[one_line], help_text="What it is for: the program, and where it runs."
    )
    scopes = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple, label="It may")
    instrument = forms.ModelChoiceField(
        Instrument.objects.order_by("short_name"), required=False, empty_label="any", label="Only data of instrument"
    )
    days = forms.IntegerField(min_value=1, max_value=LONGEST_DAYS, initial=90, label="Expires after (days)")
    password = forms.CharField(
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}), label="Your password", max_length=4096
    )

    def __init__(self, request: HttpRequest, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        self._request = request
        self._user = person_of(request)
        held = [row for row in Permission.objects.all() if self._user.may(row.codename)]
        scopes: Any = self.fields["scopes"]
        scopes.choices = [(row.codename, f"{row.codename}: {row.description}") for row in held]
        if not self._user.has_usable_password():
            del self.fields["password"]

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if self._user.api_tokens.filter(name=name).exists():
            raise ValidationError("You have a token of this name. Choose another one.", code="double")
        return name

    def clean_password(self) -> None:
        """Counted like a log-in."""
        if authenticate(self._request, username=self._user.username, password=self.cleaned_data["password"]) is None:
            raise ValidationError("The password is wrong.", code="wrong")

    def clean(self) -> dict[str, Any]:
        if self._user.api_tokens.usable().count() >= MOST_TOKENS:
            raise ValidationError(f"You have {MOST_TOKENS} usable tokens. Revoke one first.", code="too_many")
        return self.cleaned_data

    def issue(self) -> tuple[ApiToken, str]:
        """The token and its secret."""
        data = self.cleaned_data
        token, secret = ApiToken.issue(
            user=self._user,
            name=data["name"],
            scopes=sorted(data["scopes"]),
            instrument=data["instrument"],
            expires_at=timezone.now() + timedelta(days=data["days"]),
        )
        record("tokens", f"{self._user} made the token {token}.", about=token, user=self._user)
        return token, secret


@login_required
@require_GET
def my_account(request: HttpRequest) -> HttpResponse:
    """All of it."""
    return _page(request, TokenForm(request))


@login_required
@require_POST
def make_token(request: HttpRequest) -> HttpResponse:
    """Make one, and show its secret this once."""
    form = TokenForm(request, request.POST)
    if settings.SITE_ROLE == "gateway" or not form.is_valid():
        return _page(request, form)
    token, secret = form.issue()
    return _page(request, TokenForm(request), made=token, secret=secret)


@login_required
@require_POST
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    """Refuse it from now on."""
    token = get_object_or_404(person_of(request).api_tokens, pk=pk)
    if ApiToken.objects.filter(pk=pk, revoked_at=None).update(revoked_at=timezone.now()):
        record("tokens", f"{request.user} revoked the token {token}.", about=token, user=person_of(request))
    messages.success(request, f"{token.name} is revoked.")
    return redirect("my_account")


@login_required
@require_POST
def end_session(request: HttpRequest) -> HttpResponse:
    """Log out elsewhere: the named session, or all but this one."""
    name = request.POST.get("session", "")[:64] or None
    ended = end_sessions(person_of(request), name=name, but=request.session.session_key)
    messages.success(request, f"{ended} session{'' if ended == 1 else 's'} ended.")
    return redirect("my_account")


def _page(request: HttpRequest, form: TokenForm, **made: Any) -> HttpResponse:
    user = person_of(request)
    status = 400 if form.errors else 200
    context = {
        "form": form,
        "roles": user.roles.all(),
        "rights": rights_of(user),
        "tokens": user.api_tokens.select_related("instrument").order_by("revoked_at", "name"),
        "sessions": sessions_of(user, request.session.session_key),
        "makes_tokens": settings.SITE_ROLE != "gateway" and form.fields["scopes"].choices,  # type: ignore[attr-defined]
        "has_password": user.has_usable_password(),
        **made,
    }
    return render(request, "accounts/my_account.html", context, status=status)


def rights_of(user: User) -> list[dict[str, Any]]:
    """Every permission: whether they have it, and who else does where they do not."""
    rows = Permission.objects.all()
    return [
        {"permission": row, "held": user.may(row.codename), "holders": "" if user.may(row.codename) else who_may(row)}
        for row in rows
    ]
