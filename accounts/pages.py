"""The pages of logging in and of changing one's password."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.http import HttpResponse

from accounts import log_in
from accounts.people import person_of


class GuardedLogInForm(AuthenticationForm):
    """Name and password; refuses to look at them after too many failures."""

    too_many: log_in.TooManyFailuresError | None = None

    def clean(self) -> dict[str, Any]:
        """Who it is. ValidationError that says the same for a wrong name and a wrong password."""
        username = self.cleaned_data.get("username")
        if self.request is None or not username or not self.cleaned_data.get("password"):
            return super().clean()
        try:
            attempt = log_in.begin(self.request, username)
        except log_in.TooManyFailuresError as error:
            self.too_many = error
            minutes = -(-error.retry_after // 60)
            unit = "minute" if minutes == 1 else "minutes"
            raise ValidationError(
                f"Too many failed log-ins. Try again in {minutes} {unit}, or with a browser in which you logged in "
                "before. An operator can let you in at once.",
                code=error.code,
            ) from error
        try:
            cleaned = super().clean()
        except ValidationError:
            attempt.failed()
            raise
        attempt.succeeded()
        return cleaned


class LogInPage(LoginView):
    """With a password; by GitHub where that is set up."""

    template_name = "accounts/login.html"
    redirect_authenticated_user = True
    authentication_form = GuardedLogInForm

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        """Says whether there is a button for GitHub."""
        return super().get_context_data(by_github=settings.GITHUB is not None, **more)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Logged in, under a new session key."""
        response = super().form_valid(form)
        log_in.remember_browser(self.request, response, person_of(self.request))
        return response

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """The page again; 429 when it is not even looked at."""
        response = super().form_invalid(form)
        too_many = getattr(form, "too_many", None)
        if too_many is not None:
            response.status_code = HTTPStatus.TOO_MANY_REQUESTS
            response["Retry-After"] = str(too_many.retry_after)
        return response
