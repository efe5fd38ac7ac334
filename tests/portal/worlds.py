"""Many rows of everything that has a page: each world is one of each, of its own, and children for the first one's rows."""

from __future__ import annotations

from datetime import timedelta

from accounts.models import User
from planning.models import ObservingProgram, ObsUnit, ProgramMembership
from tests.factories.accounts import ApiTokenFactory, PermissionFactory, RoleFactory, UserFactory
from tests.factories.accounts import SystemLogFactory as SystemLog
from tests.factories.datamgmt import (
    ArchiveLocationFactory,
    BufferLocationFactory,
    DataArchiveFactory,
    DataTransferPackageFactory,
    DataTransferPackagePhysicalCopyFactory,
    ProcessingLocationFactory,
    RawDataFileFactory,
    RawDataFilePhysicalCopyFactory,
    RawDataPackageFactory,
    RawDataPackageMetadataFactory,
    RawDataPackagePhysicalCopyFactory,
    SiteFactory,
    SourceLocationFactory,
    TapeDataLocationFactory,
)
from tests.factories.notifications import AlertFactory, NotificationRuleFactory, OutgoingMessageFactory
from tests.factories.observatory import (
    ChaiModuleConfigurationFactory,
    InstrumentFactory,
    InstrumentModuleFactory,
    LineFactory,
    ObservatoryFactory,
    PrimeCamModuleConfigurationFactory,
    TelescopeFactory,
)
from tests.factories.planning import (
    START,
    ChaiInparParameterFactory,
    ChaiObservationConfigurationFactory,
    ChaiTilingFactory,
    ConstantElevationAzimuthRangeFactory,
    ConstantElevationSourceFactory,
    ExecutedObsUnitFactory,
    FixedSourceFactory,
    ObservingProgramFactory,
    ObsModeFactory,
    ObsUnitFactory,
    PreScheduledSlotFactory,
    PrimeCamObservationConfigurationFactory,
    SolarSystemObjectFactory,
    SubObservingProgramFactory,
)
from tests.factories.transfer import (
    CircuitBreakerFactory,
    DataTransferFactory,
    DataTransferLogFactory,
    DataTransferPackageCreationFactory,
    DataTransferRouteFactory,
    DataTransferUnpackingFactory,
    DeletionItemFactory,
    LocationCheckFactory,
    LocationUsageFactory,
    LongTermArchiveTransferFactory,
    LongTermArchiveTransferLogFactory,
    RawDataPackageCreationFactory,
    RoundRobinCursorFactory,
    ServiceHeartbeatFactory,
    StagingFactory,
    StagingJobFactory,
    StagingJobLogFactory,
    WorkTotalFactory,
)


class World:
    """The ``n``-th of everything. ``first`` is where children go; a world without it is its own first."""

    def __init__(self, n: int, first: World | None = None) -> None:
        self.n = n
        self.first = first or self
        self._observatory()
        self._accounts()
        self._planning()
        self._places()
        self._data()
        self._work()

    def _observatory(self) -> None:
        n, first = self.n, self.first
        self.observatory = ObservatoryFactory.create(name=f"Observatory {n}", short_name=f"o{n}")
        self.telescope = TelescopeFactory.create(
            observatory=self.observatory, name=f"Telescope {n}", short_name=f"t{n}"
        )
        TelescopeFactory.create(observatory=first.observatory, name=f"Twin {n}", short_name=f"twin{n}")
        self.instrument = InstrumentFactory.create(telescope=self.telescope, name=f"Instrument {n}", short_name=f"i{n}")
        InstrumentFactory.create(telescope=first.telescope, name=f"Camera {n}", short_name=f"c{n}")
        self.module = InstrumentModuleFactory.create(instrument=self.instrument, name=f"Module {n}", short_name=f"m{n}")
        InstrumentModuleFactory.create(instrument=first.instrument, name=f"Array {n}", short_name=f"a{n}")
        self.line = LineFactory.create(name=f"Line {n}")
        self.line.instrument_modules.add(self.module)
        first.line.instrument_modules.add(self.module)
        self.module_configuration = PrimeCamModuleConfigurationFactory.create(
            instrument_module=self.module, name=f"module configuration {n}"
        )
        ChaiModuleConfigurationFactory.create(instrument_module=self.module, name=f"tuning {n}", line=self.line)

    def _accounts(self) -> None:
        n, first = self.n, self.first
        permission = PermissionFactory.create(codename=f"read:{'abcdefghijklmnopqrstuvwxyz'[n]}")
        self.role = RoleFactory.create(name=f"role {n}")
        self.role.permissions.add(permission)
        first.role.permissions.add(permission)
        self.user: User = UserFactory.create(username=f"person{n}", roles=[self.role])
        first.user.roles.add(self.role)
        ApiTokenFactory.create(user=self.user, instrument=self.instrument)
        SystemLog.create(user=self.user)

    def _planning(self) -> None:
        n, first = self.n, self.first
        self.program: ObservingProgram = ObservingProgramFactory.create(short_name=f"P{n}", lead=self.user)
        ProgramMembership.objects.create(observing_program=first.program, user=self.user)
        sub = SubObservingProgramFactory.create(observing_program=self.program, short_name=f"S{n}", lead=self.user)
        SubObservingProgramFactory.create(observing_program=first.program, short_name=f"X{n}")
        source = FixedSourceFactory.create(name=f"Source {n}")
        SolarSystemObjectFactory.create(name=f"Body {n}", naif_id=n)
        field = ConstantElevationSourceFactory.create(name=f"Field {n}")
        self.field = field
        ConstantElevationAzimuthRangeFactory.create(source=field)
        ConstantElevationAzimuthRangeFactory.create(source=first.field, lst_start_h=n / 10)
        mode = ObsModeFactory.create(name=f"mode {n}", instrument=self.instrument)
        self.unit: ObsUnit = ObsUnitFactory.create(
            name=f"unit {n}",
            observing_program=self.program,
            sub_observing_program=sub,
            source=source,
            obs_mode=mode,
            telescope=self.telescope,
            created_by=self.user,
        )
        self.unit.instrument_module_configurations.add(self.module_configuration)
        first.unit.instrument_module_configurations.add(self.module_configuration)
        ObsUnitFactory.create(observing_program=first.program, source=source, obs_mode=mode)
        PrimeCamObservationConfigurationFactory.create(obs_unit=self.unit)
        self.chai = ChaiObservationConfigurationFactory.create(obs_unit__observing_program=self.program)
        ChaiTilingFactory.create(source=source, obs_unit=self.unit)
        ChaiInparParameterFactory.create(chai_observation_configuration=self.chai, name="own")
        ChaiInparParameterFactory.create(chai_observation_configuration=first.chai, name=f"parameter {n}")
        start = START + timedelta(hours=2 * n)
        PreScheduledSlotFactory.create(obs_unit=self.unit, start_time=start, end_time=start + timedelta(minutes=30))
        start += timedelta(hours=1)
        PreScheduledSlotFactory.create(obs_unit=first.unit, start_time=start, end_time=start + timedelta(minutes=30))
        self.execution = ExecutedObsUnitFactory.create(obs_unit=self.unit, finished=True)

    def _places(self) -> None:
        n = self.n
        site = SiteFactory.create(short_name=f"site{n}", name=f"Site {n}")
        other = SiteFactory.create(short_name=f"other{n}", name=f"Other {n}")
        self.source = SourceLocationFactory.create(site=site, instrument=self.instrument)
        self.buffer = BufferLocationFactory.create(site=site)
        self.far = BufferLocationFactory.create(site=other)
        self.archive = ArchiveLocationFactory.create(site=other)
        self.processing = ProcessingLocationFactory.create(site=other)
        TapeDataLocationFactory.create(site=site)
        DataArchiveFactory.create(name=f"Archive {n}", short_name=f"archive{n}", site=other, data_location=self.archive)
        DataTransferRouteFactory.create(origin_site=site, destination_site=other)
        RoundRobinCursorFactory.create(name=f"cursor {n}", last_site=site)
        ServiceHeartbeatFactory.create(name=f"service {n}")
        CircuitBreakerFactory.create(location=self.buffer)
        WorkTotalFactory.create(location=self.archive, destination=self.buffer)
        LocationUsageFactory.create(location=self.buffer)
        rule = NotificationRuleFactory.create()
        OutgoingMessageFactory.create(channel=rule.channel)
        AlertFactory.create().raised_to.add(rule)

    def _data(self) -> None:
        self.package = RawDataPackageFactory.create(
            executed_obs_unit=self.execution, instrument_module=self.module, source_location=self.source, archived=True
        )
        RawDataPackageMetadataFactory.create(raw_data_package=self.package)
        RawDataPackagePhysicalCopyFactory.create(raw_data_package=self.package, data_location=self.buffer)
        file = RawDataFileFactory.create(
            executed_obs_unit=self.execution,
            instrument_module=self.module,
            source_location=self.source,
            raw_data_package=self.package,
        )
        RawDataFilePhysicalCopyFactory.create(raw_data_file=file)
        self.bundle = DataTransferPackageFactory.create(
            built=True, packages=[self.package], origin_location=self.buffer
        )
        DataTransferPackagePhysicalCopyFactory.create(data_transfer_package=self.bundle)

    def _work(self) -> None:
        first, package = self.first, self.package
        RawDataPackageCreationFactory.create(raw_data_package=package, location=self.source, completed=True)
        DataTransferPackageCreationFactory.create(data_transfer_package=self.bundle, location=self.buffer)
        self.transfer = DataTransferFactory.create(
            data_transfer_package=self.bundle, location=self.buffer, destination_location=self.far
        )
        DataTransferLogFactory.create(data_transfer=self.transfer)
        DataTransferLogFactory.create(data_transfer=first.transfer)
        DataTransferUnpackingFactory.create(data_transfer=self.transfer, location=self.far)
        self.archiving = LongTermArchiveTransferFactory.create(
            raw_data_package=package, location=self.archive, failed=True
        )
        LongTermArchiveTransferLogFactory.create(long_term_archive_transfer=self.archiving)
        LongTermArchiveTransferLogFactory.create(long_term_archive_transfer=first.archiving)
        job = StagingJobFactory.create(packages=[package], requested_by=self.user, destination_location=self.processing)
        StagingFactory.create(staging_job=job, raw_data_package=package, location=self.processing)
        StagingJobLogFactory.create(staging_job=job, raw_data_package=package)
        item = DeletionItemFactory.create(deletion__location=self.buffer)
        self.deletion = item.deletion
        DeletionItemFactory.create(deletion=first.deletion)
        LocationCheckFactory.create(location=self.buffer)
