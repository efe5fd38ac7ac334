"""What observations are searched by. All of it stands in the address, so that a search can be shared."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any, Final

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import CharField, Exists, F, Func, OuterRef, Q, TextChoices, Value
from django.db.models.functions import Cast, Lower
from django.http import HttpRequest

from ccatdc.common.errors import RequestError
from ccatdc.common.visibility import visible
from datamgmt.models import RawDataPackage
from datamgmt.states import PackageState
from observatory.models import (
    ChaiModuleConfiguration,
    Instrument,
    InstrumentModule,
    InstrumentModuleConfiguration,
    Line,
)
from planning.models import (
    ConstantElevationSource,
    ExecutedObsUnit,
    ExecutionQuality,
    ExecutionStatus,
    FixedSource,
    ObservingProgram,
    ObsMode,
    ObsUnit,
    Source,
)
from planning.models.executions import obs_units_and_time
from planning.models.visibility import public
from planning.sky.places import Place, place_of, separation_deg

#: Degrees around a place where nothing else is said, and at most.
USUAL_RADIUS_DEG: Final = 0.5
MAX_RADIUS_DEG: Final = 180.0
_MAX_WORDS: Final = 8
#: What is left out when names are compared: Orion KL, orion-kl and ORION_KL are one.
_BETWEEN: Final = r"[\s_*+.,()/'-]"
_MOMENTS: Final = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M")


class Quality(TextChoices):
    """What people ask for: usable data are good ones too."""

    GOOD = "good", "Good"
    USABLE = "usable", "Good or usable"
    BAD = "bad", "Bad"
    UNKNOWN = "unknown", "Not judged"


class Whose(TextChoices):
    """Of what one may see."""

    MINE = "mine", "My programs"
    PUBLIC = "public", "Public"


class MomentField(forms.CharField):
    """A day or a moment, UTC. A day is its first moment, or its last one where ``ends``."""

    def __init__(self, *, ends: bool = False, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 30)
        super().__init__(**kwargs)
        self._ends = ends

    def clean(self, value: Any) -> Any:
        """The moment; None where nothing is given."""
        text = super().clean(value).removesuffix("Z")
        if not text:
            return None
        for form in _MOMENTS:
            try:
                return dt.datetime.strptime(text, form).replace(tzinfo=dt.UTC)
            except ValueError:
                continue
        try:
            day = dt.date.fromisoformat(text)
        except ValueError as error:
            raise ValidationError("Write 2026-05-01 or 2026-05-01 22:30 (UTC).") from error
        return dt.datetime.combine(day, dt.time.max if self._ends else dt.time.min, dt.UTC)


class MomentFilter(django_filters.Filter):  # type: ignore[misc]
    """Compares a column with a moment."""

    field_class = MomentField


def _programs(request: HttpRequest) -> Any:
    """Those that the person may see."""
    return visible(ObservingProgram.objects.all(), request.user)


def _hint(text: str) -> forms.TextInput:
    return forms.TextInput(attrs={"placeholder": text})


def _choice(label: str, queryset: Any, method: str) -> Any:
    return django_filters.ModelChoiceFilter(label=label, queryset=queryset, method=method, empty_label="Any")


def _number(label: str, low: float, high: float, **more: Any) -> Any:
    limits = {"min_value": low, "max_value": high}
    return django_filters.NumberFilter(label=label, widget=forms.NumberInput(attrs={"step": "any"}), **limits, **more)


class ObservationFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Conditions on the plan are collected first: the database looks its few obs units up once, for all of them."""

    text = django_filters.CharFilter(
        label="Words", max_length=100, method="by_words", widget=_hint("obs unit, program, package")
    )
    source = django_filters.CharFilter(label="Source", max_length=100, method="by_source", widget=_hint("Orion KL"))
    position = django_filters.CharFilter(
        label="Position", max_length=80, method="by_position", widget=_hint("05:35:14 -05:22:21")
    )
    radius = _number("Radius (°)", 0, MAX_RADIUS_DEG, method="with_position")
    program = _choice("Program", _programs, "by_program")
    instrument = _choice("Instrument", Instrument.objects.all(), "by_instrument")
    module = _choice("Module", InstrumentModule.objects.select_related("instrument"), "by_module")
    line = _choice("Line", Line.objects.all(), "by_line")
    freq_min = _number("GHz from", 0, 1e5, method="by_frequency")
    freq_max = _number("GHz to", 0, 1e5, method="with_frequency")
    mode = _choice("Observing mode", ObsMode.objects.all(), "by_mode")
    start = MomentFilter(
        label="From (UTC)", field_name="start_time", lookup_expr="gte", widget=_hint("2026-05-01 22:00")
    )
    end = MomentFilter(
        label="To (UTC)", field_name="start_time", lookup_expr="lte", ends=True, widget=_hint("2026-05-31")
    )
    status = django_filters.ChoiceFilter(label="Status", choices=ExecutionStatus.choices, empty_label="Any")
    quality = django_filters.ChoiceFilter(
        label="Quality", choices=Quality.choices, empty_label="Any", method="by_quality"
    )
    pwv_min = _number("PWV from (mm)", 0, 100, field_name="pwv_mm_mean", lookup_expr="gte")
    pwv_max = _number("PWV to (mm)", 0, 100, field_name="pwv_mm_mean", lookup_expr="lte")
    el_min = _number("Elevation from (°)", -90, 180, field_name="elevation_deg_mean", lookup_expr="gte")
    el_max = _number("Elevation to (°)", -90, 180, field_name="elevation_deg_mean", lookup_expr="lte")
    state = django_filters.ChoiceFilter(
        label="Has packages", choices=PackageState.choices, empty_label="Any", method="by_state"
    )
    whose = django_filters.ChoiceFilter(label="Whose", choices=Whose.choices, empty_label="All", method="by_whose")

    class Meta:
        model = ExecutedObsUnit
        fields: list[str] = []

    def filter_queryset(self, queryset: Any) -> Any:
        """All conditions; those on obs units together."""
        self._units: Any = None
        rows = super().filter_queryset(queryset)
        return rows if self._units is None else rows.filter(obs_units_and_time(self._units))

    def get_form_class(self) -> Any:
        """With what a single field cannot judge."""
        base = super().get_form_class()

        class Form(base):  # type: ignore[misc, valid-type]
            def clean_position(self) -> Place | None:
                return _place(self.cleaned_data["position"])

        return Form

    def by_words(self, rows: Any, _name: str, value: str) -> Any:
        """Every word in the name of obs unit, source, program or mode; one that is in none of them, in that of a package."""
        for word in value.split()[:_MAX_WORDS]:
            plan = Q(name__icontains=word) | Q(observing_program__short_name__iexact=word)
            plan |= Q(observing_program__name__icontains=word) | Q(obs_mode__name__icontains=word)
            units = ObsUnit.objects.filter(plan | Q(source__in=_named(word)))
            if units.exists():
                self._of(pk__in=units.order_by().values("pk"))
            else:
                packages = RawDataPackage.objects.filter(name__icontains=word, executed_obs_unit__isnull=False)
                rows = rows.filter(pk__in=packages.order_by().values("executed_obs_unit"))
        return rows

    def by_source(self, rows: Any, _name: str, value: str) -> Any:
        return self._of(rows, source__in=_named(value))

    def by_position(self, rows: Any, _name: str, value: Place) -> Any:
        """Of fixed sources, and of fields by their centres. What moves has no position of its own."""
        radius = self.form.cleaned_data.get("radius")
        return self._of(rows, source__in=around(value, USUAL_RADIUS_DEG if radius is None else float(radius)))

    def with_position(self, rows: Any, _name: str, _value: Any) -> Any:
        """The radius belongs to the position, and says nothing alone."""
        return rows

    def by_program(self, rows: Any, _name: str, value: ObservingProgram) -> Any:
        return self._of(rows, observing_program=value)

    def by_mode(self, rows: Any, _name: str, value: ObsMode) -> Any:
        return self._of(rows, obs_mode=value)

    def by_instrument(self, rows: Any, _name: str, value: Instrument) -> Any:
        return rows.filter(_with_modules(value.modules.values_list("pk", flat=True)))

    def by_module(self, rows: Any, _name: str, value: InstrumentModule) -> Any:
        return rows.filter(_with_modules([value.pk]))

    def by_line(self, rows: Any, _name: str, value: Line) -> Any:
        tuned = ChaiModuleConfiguration.objects.filter(line=value).values_list("pk", flat=True)
        return rows.filter(_configured(tuned))

    def by_frequency(self, rows: Any, _name: str, value: Any) -> Any:
        high = self.form.cleaned_data.get("freq_max")
        return rows.filter(_covering(float(value), None if high is None else float(high)))

    def with_frequency(self, rows: Any, _name: str, value: Any) -> Any:
        """Only where there is no lower end: else both were asked together."""
        return rows if self.form.cleaned_data.get("freq_min") is not None else rows.filter(_covering(0, float(value)))

    def by_quality(self, rows: Any, _name: str, value: str) -> Any:
        wanted = [ExecutionQuality.GOOD, ExecutionQuality.USABLE] if value == Quality.USABLE else [value]
        return rows.filter(quality__in=wanted)

    def by_state(self, rows: Any, _name: str, value: str) -> Any:
        return rows.filter(Exists(RawDataPackage.objects.filter(executed_obs_unit=OuterRef("pk"), state=value)))

    def by_whose(self, rows: Any, _name: str, value: str) -> Any:
        if value == Whose.PUBLIC:
            return rows.filter(public())
        if not self.request.user.is_authenticated:
            return rows.none()
        mine = ObservingProgram.objects.of(self.request.user)
        return self._of(rows, observing_program__in=mine.order_by().values("pk"))

    def _of(self, rows: Any = None, **units: Any) -> Any:
        """Only executions of such obs units: remembered, and asked once."""
        known = ObsUnit.objects.all() if self._units is None else self._units
        self._units = known.filter(**units)
        return rows


def around(place: Place, radius_deg: float) -> list[int]:
    """Keys of the sources there: fixed ones by an index, and the few fields at constant elevation by their centres."""
    fixed = FixedSource.objects.within(*place, radius_deg).order_by().values_list("pk", flat=True)
    fields = ConstantElevationSource.objects.filter(ra_center_deg__isnull=False)
    centres: Any = fields.values_list("pk", "ra_center_deg", "dec_center_deg")
    return [*fixed, *(pk for pk, *centre in centres if separation_deg(place, Place(*centre)) <= radius_deg)]


def _place(text: str) -> Place | None:
    """The place, or that of the fixed source with exactly this name or alias."""
    if not text:
        return None
    try:
        return place_of(text)
    except RequestError as error:
        named = FixedSource.objects.filter(pk__in=_named(text, exactly=True)).first() if text[0].isalpha() else None
        if named is None:
            raise ValidationError(f"{error} Or the name of a fixed source.") from error
        return Place(named.ra_deg, named.dec_deg)


def _named(text: str, *, exactly: bool = False) -> Any:
    """Keys of sources with this name or alias, however spaces, dashes and capitals are written."""
    wanted = re.sub(_BETWEEN, "", text.lower())
    if not wanted:
        return Source.objects.none().values("pk")
    names, aliases = (_squeezed(Cast(F(column), CharField())) for column in ("name", "aliases"))
    sources = Source.objects.non_polymorphic().alias(squeezed=names, squeezed_aliases=aliases).order_by()
    if exactly:
        found = Q(squeezed=wanted) | Q(squeezed_aliases__contains=f'"{wanted}"')
    else:
        found = Q(squeezed__contains=wanted) | Q(squeezed_aliases__contains=wanted)
    return sources.filter(found).values("pk")


def _squeezed(text: Any) -> Any:
    kept = (Value(_BETWEEN), Value(""), Value("g"))
    return Func(Lower(text), *kept, function="REGEXP_REPLACE", output_field=CharField())


def _configured(configurations: Any) -> Q:
    """Observed with one of these module configurations (keys)."""
    through = ExecutedObsUnit.instrument_module_configurations.through.objects
    used = through.filter(instrumentmoduleconfiguration__in=list(configurations), executedobsunit=OuterRef("pk"))
    return Q(Exists(used))


def _with_modules(modules: Any) -> Q:
    """Observed with one of these modules, as the instrument said or as its packages show."""
    keys = list(modules)
    configurations = InstrumentModuleConfiguration.objects.non_polymorphic().filter(instrument_module__in=keys)
    packages = RawDataPackage.objects.filter(instrument_module__in=keys, executed_obs_unit=OuterRef("pk"))
    return _configured(configurations.values_list("pk", flat=True)) | Q(Exists(packages))


def _covering(low: float, high: float | None) -> Q:
    """Frequencies between both, GHz: by the tuning of CHAI, else by the range of the module.

    An observation of which no module configuration is known is judged by the modules of its packages.
    """
    half = F("bandwidth_ghz") / 2.0
    tuned = ChaiModuleConfiguration.objects.alias(least=F("tuning_frequency_ghz") - half)
    tuned = tuned.alias(most=F("tuning_frequency_ghz") + half).filter(most__gte=low)
    modules = InstrumentModule.objects.filter(freq_max_ghz__gte=low)
    if high is not None:
        tuned = tuned.filter(least__lte=high)
        modules = modules.filter(freq_min_ghz__lte=high)
    keys = list(modules.values_list("pk", flat=True))
    broad = InstrumentModuleConfiguration.objects.non_polymorphic().exclude(type=ChaiModuleConfiguration.TYPE)
    broad = broad.filter(instrument_module__in=keys)
    configurations = [*tuned.values_list("pk", flat=True), *broad.values_list("pk", flat=True)]
    through = ExecutedObsUnit.instrument_module_configurations.through.objects
    any_known = Exists(through.filter(executedobsunit=OuterRef("pk")))
    packages = Exists(RawDataPackage.objects.filter(instrument_module__in=keys, executed_obs_unit=OuterRef("pk")))
    return _configured(configurations) | (~Q(any_known) & Q(packages))
