"""Routes that an operator wrote, and the cursors of the automatic ones."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from ccatdc.common.states import known_values
from datamgmt.models import BundleFormat, DataLocation, LocationType, Site
from transfer.models.transport_parameters import METHODS, ParameterError, TransportParameters


class RouteType(models.TextChoices):
    """How a route differs from the automatic one (seeds: RouteType)."""

    DIRECT = "direct", "Direct: skip the destination's buffer"
    RELAY = "relay", "Relay: through another site"
    CUSTOM = "custom", "Custom: from one location to another"


class DataTransferRoute(models.Model):
    """A manual override. Without any, routes follow from the sites and locations (transfer/routing/routes.py).

    ``method`` names a transport; empty: the first that can. ``parameters`` are for that transport
    (transfer/models/transport_parameters.py). Bundle size (bytes) and age (s) override those of the BUFFER.
    """

    name = models.CharField(max_length=128, unique=True)
    route_type = models.CharField(max_length=16, choices=RouteType.choices)
    origin_site = models.ForeignKey(Site, models.PROTECT, related_name="routes_out")
    destination_site = models.ForeignKey(Site, models.PROTECT, related_name="routes_in")
    relay_site = models.ForeignKey(Site, models.PROTECT, null=True, blank=True, related_name="routes_through")
    origin_location = models.ForeignKey(DataLocation, models.PROTECT, null=True, blank=True, related_name="+")
    destination_location = models.ForeignKey(DataLocation, models.PROTECT, null=True, blank=True, related_name="+")
    method = models.CharField(max_length=16, blank=True)
    bundle_format = models.CharField(max_length=16, choices=BundleFormat.choices, default=BundleFormat.MANIFEST)
    bundle_max_bytes = models.BigIntegerField(null=True, blank=True)
    bundle_max_age_seconds = models.PositiveIntegerField(null=True, blank=True)
    priority = models.SmallIntegerField(default=1, help_text="Lower is used first.")
    active = models.BooleanField(default=True)
    parameters = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name = "route"
        db_table = "data_transfer_route"
        ordering = ["priority", "name"]
        constraints = [
            known_values("route_type", RouteType, "route_type_known"),
            models.CheckConstraint(condition=~Q(origin_site=F("destination_site")), name="route_goes_somewhere"),
            models.CheckConstraint(
                condition=~Q(route_type=RouteType.RELAY) | Q(relay_site__isnull=False), name="route_relay_has_site"
            ),
            models.CheckConstraint(
                condition=~Q(route_type=RouteType.CUSTOM)
                | Q(origin_location__isnull=False, destination_location__isnull=False),
                name="route_custom_has_locations",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Say what a kind of route needs before the database does, or before packages wait for it."""
        self._require_transport()
        self._require_own_sites()
        if self.route_type == RouteType.CUSTOM:
            self._require_ends()
        elif self.origin_location_id is not None:
            raise ValidationError({"origin_location": "Only a custom route begins at one location; others at a site."})
        if self.route_type == RouteType.DIRECT:
            _require_type(self, "destination_location", LocationType.LONG_TERM_ARCHIVE)
        if self.route_type == RouteType.RELAY:
            self._require_relay()

    def _require_own_sites(self) -> None:
        for side in ("origin", "destination"):
            location: DataLocation | None = getattr(self, f"{side}_location")
            if location is not None and location.site_id != getattr(self, f"{side}_site_id"):
                raise ValidationError({f"{side}_location": "This location is at another site than the route."})

    def _require_ends(self) -> None:
        if not (self.origin_location_id and self.destination_location_id):
            raise ValidationError("A custom route needs its two locations.")
        _require_type(self, "origin_location", LocationType.BUFFER)
        _require_type(self, "destination_location", LocationType.BUFFER, LocationType.LONG_TERM_ARCHIVE)

    def _require_relay(self) -> None:
        if self.relay_site_id is None:
            raise ValidationError({"relay_site": "A relay route needs the site that it goes through."})
        if self.relay_site_id in (self.origin_site_id, self.destination_site_id):
            raise ValidationError({"relay_site": "A relay is a third site."})
        if self.destination_location_id is not None:
            raise ValidationError({"destination_location": "A relay ends in a buffer of its site; name none."})
        if self.active:
            self._require_no_loop()

    def _require_transport(self) -> None:
        if self.method and self.method not in METHODS:
            known = ", ".join(METHODS)
            raise ValidationError({"method": ValidationError(f"There is: {known}.", code="transport.unknown")})
        if self.route_type == RouteType.DIRECT and self.method not in ("", "cp"):
            raise ValidationError(
                {"method": "A direct route ends in an archive, which its worker fills itself; name none."}
            )
        try:
            TransportParameters.of(self.method, self.parameters)
        except ParameterError as error:
            raise ValidationError({"parameters": ValidationError(error.message, code=error.code)}) from error

    def _require_no_loop(self) -> None:
        """Follow the relays from here: none may lead back to a site that the data came from."""
        relays = DataTransferRoute.objects.filter(
            route_type=RouteType.RELAY, active=True, destination_site=self.destination_site_id
        ).exclude(pk=self.pk)
        onward = dict(reversed(list(relays.values_list("origin_site_id", "relay_site_id"))))
        passed = {self.origin_site_id}
        site = self.relay_site_id
        while site is not None:
            if site in passed:
                raise ValidationError({"relay_site": "Other relay routes lead from there back to where it comes from."})
            passed.add(site)
            site = onward.get(site)


def _require_type(route: DataTransferRoute, field: str, *types: str) -> None:
    location: DataLocation | None = getattr(route, field)
    if location is not None and location.location_type not in types:
        wanted = " or ".join(LocationType(each).label for each in types)
        raise ValidationError({field: f"This kind of route needs a {wanted} here."})


class RoundRobinCursor(models.Model):
    """Which of several destinations had the last bundle. Read and moved under a row lock."""

    name = models.CharField(max_length=128, unique=True)
    last_site = models.ForeignKey(Site, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = "round-robin cursor"
        db_table = "round_robin_cursor"

    def __str__(self) -> str:
        return self.name
