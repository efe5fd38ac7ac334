"""Portal pages of people, their roles and tokens, and of the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axes import utils as axes
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.auth.guessing import account_key
from accounts.models import ApiToken, FailedLogIn, Permission, Role, User
from accounts.people import person_of
from ccatdc.common.admin.actions import portal_action
from ccatdc.common.admin.badges import badge
from ccatdc.common.admin.base import PortalAdmin, ReadOnlyAdmin
from ccatdc.common.units import NOTHING

if TYPE_CHECKING:
    from django.contrib.auth.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
    from django.forms import CheckboxSelectMultiple as UnfoldCheckboxes
else:
    from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
    from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget as UnfoldCheckboxes


class OnlyBySuperusers(PortalAdmin):
    """Who may manage users may not take over an account that may do more than they."""

    def reaches(self, request: HttpRequest, user: User | None) -> bool:
        """Whether the person may change this account or act in its name."""
        return user is None or not user.is_superuser or person_of(request).is_superuser


@admin.register(User)
class UserAdmin(OnlyBySuperusers, DjangoUserAdmin):  # type: ignore[type-arg]
    """People and services. Switch an account off instead of deleting it: the audit log names it."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "full_name", "email", "role_names", "is_active", "is_staff"]
    list_filter = ["is_active", "is_staff", "is_superuser", "roles"]
    search_fields = ["username", "full_name", "email"]
    actions = ["let_in_selected"]
    autocomplete_fields = ["roles"]
    filter_horizontal = []
    readonly_fields = ["last_login", "date_joined"]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        ("Person", {"fields": ["full_name", "email"]}),
        (
            "May",
            {
                "fields": ["is_active", "roles", "is_staff", "is_superuser"],
                "description": "Rights follow from roles. Staff may enter this portal.",
            },
        ),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [
        (None, {"fields": ["username", "full_name", "email", "password1", "password2"]}),
        ("May", {"fields": ["roles", "is_staff"]}),
    ]

    @portal_action("Let in again", needs="manage_users", shown_for=lambda user: user.is_active)
    def let_in_selected(self, request: HttpRequest, user: User) -> None:
        """After too many failed log-ins: forget them."""
        axes.reset(username=account_key(user.username))
        self.write_audit_log(request, f"Forgot the failed log-ins to {user}.", user)

    def get_queryset(self, request: HttpRequest) -> Any:
        """With the roles of all rows in one query."""
        return super().get_queryset(request).prefetch_related("roles")

    @admin.display(description="Roles")
    def role_names(self, user: User) -> str:
        return ", ".join(role.name for role in user.roles.all()) or NOTHING

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = list(super().get_readonly_fields(request, obj))
        return fields if self.reaches(request, _SUPERUSER) else [*fields, "is_superuser"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody but a superuser changes a superuser, or their password."""
        return super().has_change_permission(request, obj) and self.reaches(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


_SUPERUSER = User(is_superuser=True)


@admin.register(Role)
class RoleAdmin(PortalAdmin):
    list_display = ["name", "description"]
    search_fields = ["name"]
    autocomplete_fields = ["permissions"]


@admin.register(Permission)
class PermissionAdmin(ReadOnlyAdmin):
    """The rights that the code asks for; new ones come with new code."""

    list_display = ["codename", "description"]
    search_fields = ["codename", "description"]


class TokenForm(forms.ModelForm):  # type: ignore[type-arg]
    """Scopes as ticks instead of JSON."""

    scopes = forms.MultipleChoiceField(
        widget=UnfoldCheckboxes, help_text="What the token may do, as far as its owner's roles hold it too."
    )

    class Meta:
        model = ApiToken
        fields = ["user", "name", "scopes", "instrument", "expires_at"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "scopes" in self.fields:
            names = Permission.objects.values_list("codename", "codename")
            self.fields["scopes"].choices = list(names)  # type: ignore[attr-defined]


@admin.register(ApiToken)
class ApiTokenAdmin(OnlyBySuperusers):
    """Tokens of programs. The secret is shown once, on the page after it was made."""

    form = TokenForm
    list_display = ["name", "user", "instrument", "scope_list", "validity", "expires_at", "last_used_at"]
    list_select_related = ["user", "instrument"]
    list_filter = ["instrument", ("revoked_at", admin.EmptyFieldListFilter)]
    search_fields = ["name", "user__username", "token_prefix"]
    autocomplete_fields = ["user", "instrument"]
    fields = ["user", "name", "scopes", "instrument", "expires_at"]
    actions = ["revoke_selected"]

    @admin.display(description="Scopes")
    def scope_list(self, token: ApiToken) -> str:
        return ", ".join(token.scopes)

    @admin.display(description="State")
    def validity(self, token: ApiToken) -> SafeString:
        if token.revoked_at:
            return badge("Revoked", "danger")
        if token.expires_at and token.expires_at <= timezone.now():
            return badge("Expired", "warning")
        return badge("Usable", "success") if token.user.is_active else badge("Owner off", "warning")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A token is what it was made as: other rights are another token."""
        return ["user", "scope_list", "instrument"] if obj else []

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """After it was made: what it is, and until when."""
        if obj is None:
            return self.fields
        return ["user", "name", "scope_list", "instrument", "expires_at"]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A token acts for its owner: nobody issues one for an account above their own."""
        if db_field.name == "user" and not self.reaches(request, _SUPERUSER):
            kwargs["queryset"] = User.objects.filter(is_superuser=False)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        """Issue it, and show the secret this once."""
        if change:
            super().save_model(request, obj, form, change)
            return
        issued, secret = ApiToken.issue(**{name: form.cleaned_data[name] for name in TokenForm.Meta.fields})
        # Django goes on with its own object: it is the issued row from here.
        obj.__dict__.update(issued.__dict__)
        self.message_user(
            request,
            format_html(
                'The secret of this token. Copy it now, it is shown only once: <code class="secret">{}</code>', secret
            ),
            messages.WARNING,
        )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tokens are revoked: observations name the one that reported them."""
        return False

    @portal_action(
        "Revoke",
        needs="manage_users",
        confirm="Programs that use these tokens are refused from now on. Revoke them?",
        shown_for=lambda token: token.revoked_at is None,
    )
    def revoke_selected(self, request: HttpRequest, token: ApiToken) -> None:
        """Refuse the token from now on."""
        ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())
        self.write_audit_log(request, f"Revoked the token {token} of {token.user}.", token)


@admin.register(FailedLogIn)
class FailedLogInAdmin(ReadOnlyAdmin):
    """Failed log-ins that count at present. Names are kept as hashes: the page of a person has the button for their account."""

    list_display = ["attempt_time", "ip_address", "account", "failures_since_start"]
    search_fields = ["ip_address__exact"]
    search_help_text = "An address."
    fields = ["attempt_time", "ip_address", "account", "failures_since_start"]
    readonly_fields = ["attempt_time", "ip_address", "account", "failures_since_start"]
    ordering = ["-attempt_time"]
    actions = ["forget_selected"]

    @admin.display(description="Account")
    def account(self, attempt: FailedLogIn) -> str:
        """The beginning of its hash, as in the log."""
        return (attempt.username or "")[:8]

    @portal_action(
        "Let this address in again",
        needs="manage_users",
        confirm="All failures from these addresses are forgotten. Let them in again?",
        shown_for=lambda _attempt: True,
    )
    def forget_selected(self, request: HttpRequest, attempt: FailedLogIn) -> None:
        """Forget every failure from the address."""
        self.write_audit_log(request, f"Forgot the failed log-ins from {attempt.ip_address}.", attempt)
        axes.reset(ip=attempt.ip_address)
