"""The pages of logging in and of changing one's password."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.views import LoginView, PasswordChangeView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse

from accounts.auth.guessing import LogInsOfAddress, too_many
from accounts.rates import TooManyRequestsError


class LogInPage(LoginView):
    """With a password; by GitHub where that is set up."""

    template_name = "accounts/login.html"
    redirect_authenticated_user = True

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        """Says whether there is a button for GitHub."""
        return super().get_context_data(by_github=settings.GITHUB is not None, **more)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Look at the password, unless too many were tried from this address."""
        try:
            LogInsOfAddress().count(request)
        except TooManyRequestsError as error:
            return too_many(request, error.retry_after)
        return super().post(request, *args, **kwargs)


class CountedPasswordChangeForm(PasswordChangeForm):
    """A wrong old password counts like a failed log-in: who found an open session may not guess without end."""

    request: HttpRequest

    def clean_old_password(self) -> str:
        old = self.cleaned_data["old_password"]
        if authenticate(self.request, username=self.user.get_username(), password=old) is None:
            raise ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return str(old)


class PasswordChangePage(PasswordChangeView):
    template_name = "accounts/password_change.html"
    form_class = CountedPasswordChangeForm

    def get_form(self, form_class: Any = None) -> Any:
        form: Any = super().get_form(form_class)
        form.request = self.request
        return form
