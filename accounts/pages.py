"""The pages of logging in, and of changing or resetting one's password."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.forms import PasswordChangeForm, PasswordResetForm, SetPasswordForm
from django.contrib.auth.views import LoginView, PasswordChangeView, PasswordResetConfirmView, PasswordResetView
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse

from accounts.auth.guessing import LogInsOfAddress, too_many
from accounts.models import record
from accounts.rates import TooManyRequestsError

logger = logging.getLogger(__name__)


#: Mails of this process leave one after another: a server that says nothing holds up no page.
_sender: Final = ThreadPoolExecutor(1, thread_name_prefix="mail")


def mails_leave() -> bool:
    """Whether a mail server is set."""
    return not settings.EMAIL_BACKEND.endswith(".console.EmailBackend")


def _counted(request: HttpRequest) -> HttpResponse | None:
    """One more try from this address; the answer when there were too many."""
    try:
        LogInsOfAddress().count(request)
    except TooManyRequestsError as error:
        return too_many(request, error.retry_after)
    return None


class LogInPage(LoginView):
    """With a password; by GitHub where that is set up."""

    template_name = "accounts/login.html"
    redirect_authenticated_user = True

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        """Says whether there is a button for GitHub."""
        by_mail = mails_leave()
        return super().get_context_data(by_github=settings.GITHUB is not None, by_mail=by_mail, **more)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Look at the password, unless too many were tried from this address."""
        return _counted(request) or super().post(request, *args, **kwargs)


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


class MailedPasswordResetForm(PasswordResetForm):
    """Mails a link of this site to each account with this address that has a password. Whether there is one is not told."""

    def save(self, *args: Any, **options: Any) -> None:
        site = urlsplit(settings.PORTAL_URL)
        super().save(*args, **{**options, "domain_override": site.netloc, "use_https": site.scheme == "https"})

    def send_mail(self, *args: Any, **options: Any) -> None:
        _sender.submit(self._send, *args, **options)

    def _send(self, *args: Any, **options: Any) -> None:
        try:
            super().send_mail(*args, **options)
        except OSError:
            logger.exception("The mail server refused a mail about a password.")


class PasswordResetPage(PasswordResetView):
    template_name = "accounts/password_reset.html"
    email_template_name = "accounts/password_reset_mail.txt"
    subject_template_name = "accounts/password_reset_subject.txt"
    form_class = MailedPasswordResetForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not mails_leave():
            raise Http404("No mail server is set.")
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Counted like log-ins: nobody fills somebody's mailbox."""
        return _counted(request) or super().post(request, *args, **kwargs)


class PasswordSetPage(PasswordResetConfirmView):
    """By the link of the mail. All sessions of the account end."""

    template_name = "accounts/password_set.html"

    def form_valid(self, form: SetPasswordForm[Any]) -> HttpResponse:
        record("log-in", f"{form.user} set a new password by mail.", about=form.user, user=form.user)
        return super().form_valid(form)
