import ccatdc.common.path_patterns
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('contenttypes', '0002_remove_content_type_name'),
    ]

    operations = [
        migrations.CreateModel(
            name='Observatory',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=128, unique=True)),
                ('short_name', models.SlugField(max_length=32, unique=True)),
                ('description', models.TextField(blank=True)),
                ('url', models.URLField(blank=True)),
            ],
            options={
                'verbose_name_plural': 'observatories',
                'db_table': 'observatory',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Telescope',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('observatory', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='telescopes', to='observatory.observatory')),
                ('name', models.CharField(max_length=128)),
                ('short_name', models.SlugField(max_length=32, unique=True)),
                ('lon_deg', models.FloatField(help_text='East-positive, degrees.')),
                ('lat_deg', models.FloatField(help_text='Degrees.')),
                ('alt_m', models.FloatField(help_text='Metres above sea level.')),
                ('aperture_m', models.FloatField(help_text='Metres.')),
                ('az_min_deg', models.FloatField(default=-180)),
                ('az_max_deg', models.FloatField(default=360)),
                ('el_min_deg', models.FloatField(default=20)),
                ('el_max_deg', models.FloatField(default=90)),
                ('az_speed_max_deg_s', models.FloatField(default=3, help_text='Degrees of azimuth per second.')),
                ('el_speed_max_deg_s', models.FloatField(default=1.5, help_text='Degrees per second.')),
                ('plate_scale_arcsec_per_mm', models.FloatField(blank=True, null=True)),
            ],
            options={
                'db_table': 'telescope',
                'ordering': ['name'],
                'constraints': [models.UniqueConstraint(fields=('observatory', 'name'), name='telescope_name_unique'), models.CheckConstraint(condition=models.Q(('lat_deg__gte', -90), ('lat_deg__lte', 90)), name='telescope_latitude_range'), models.CheckConstraint(condition=models.Q(('lon_deg__gte', -180), ('lon_deg__lte', 180)), name='telescope_longitude_range'), models.CheckConstraint(condition=models.Q(('el_min_deg__lt', models.F('el_max_deg'))), name='telescope_elevation_order'), models.CheckConstraint(condition=models.Q(('az_min_deg__lt', models.F('az_max_deg'))), name='telescope_azimuth_order'), models.CheckConstraint(condition=models.Q(('el_max_deg__lte', 180), ('el_min_deg__gte', -90)), name='telescope_elevation_range'), models.CheckConstraint(condition=models.Q(('az_max_deg__lte', 360), ('az_min_deg__gte', -360)), name='telescope_azimuth_range'), models.CheckConstraint(condition=models.Q(('az_speed_max_deg_s__gt', 0), ('el_speed_max_deg_s__gt', 0)), name='telescope_speeds_positive'), models.CheckConstraint(condition=models.Q(('aperture_m__gt', 0), models.Q(('plate_scale_arcsec_per_mm__isnull', True), ('plate_scale_arcsec_per_mm__gt', 0), _connector='OR')), name='telescope_optics_positive')],
            },
        ),
        migrations.CreateModel(
            name='Instrument',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('telescope', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='instruments', to='observatory.telescope')),
                ('name', models.CharField(max_length=64)),
                ('short_name', models.SlugField(help_text='Part of object keys in the archives.', max_length=32, unique=True)),
                ('available', models.BooleanField(default=True)),
                ('instrument_type', models.CharField(choices=[('camera', 'Camera'), ('heterodyne', 'Heterodyne'), ('spectrometer', 'Spectrometer')], max_length=16)),
                ('description', models.TextField(blank=True)),
            ],
            options={
                'db_table': 'instrument',
                'ordering': ['name'],
                'constraints': [models.UniqueConstraint(fields=('telescope', 'name'), name='instrument_name_unique'), models.CheckConstraint(condition=models.Q(('instrument_type__in', ['camera', 'heterodyne', 'spectrometer'])), name='instrument_type_known')],
            },
        ),
        migrations.CreateModel(
            name='InstrumentModule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('instrument', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='modules', to='observatory.instrument')),
                ('name', models.CharField(max_length=64)),
                ('short_name', models.SlugField(help_text='Part of object keys in the archives.', max_length=32)),
                ('available', models.BooleanField(default=True)),
                ('n_pixels', models.PositiveIntegerField(blank=True, null=True)),
                ('freq_min_ghz', models.FloatField(blank=True, null=True)),
                ('freq_max_ghz', models.FloatField(blank=True, null=True)),
                ('focal_plane_slot', models.CharField(blank=True, max_length=8)),
                ('offset_x_arcmin', models.FloatField(blank=True, null=True)),
                ('offset_y_arcmin', models.FloatField(blank=True, null=True)),
                ('field_radius_arcmin', models.FloatField(blank=True, help_text='From the middle of the module to its outermost detector.', null=True)),
                ('beam_fwhm_arcsec', models.FloatField(blank=True, null=True)),
                ('polarization_sensitive', models.BooleanField(default=False)),
            ],
            options={
                'verbose_name': 'module',
                'db_table': 'instrument_module',
                'ordering': ['instrument', 'name'],
                'constraints': [models.UniqueConstraint(fields=('instrument', 'name'), name='module_name_unique'), models.UniqueConstraint(fields=('instrument', 'short_name'), name='module_short_name_unique'), models.CheckConstraint(condition=models.Q(('freq_min_ghz__isnull', True), ('freq_max_ghz__isnull', True), models.Q(('freq_min_ghz__gt', 0), ('freq_min_ghz__lte', models.F('freq_max_ghz'))), _connector='OR'), name='module_frequency_order'), models.CheckConstraint(condition=models.Q(models.Q(('freq_min_ghz__isnull', True), ('freq_min_ghz__gt', 0), _connector='OR'), models.Q(('freq_max_ghz__isnull', True), ('freq_max_ghz__gt', 0), _connector='OR')), name='module_frequency_positive'), models.CheckConstraint(condition=models.Q(('beam_fwhm_arcsec__isnull', True), ('beam_fwhm_arcsec__gt', 0), _connector='OR'), name='module_beam_positive'), models.CheckConstraint(condition=models.Q(('field_radius_arcmin__isnull', True), models.Q(('field_radius_arcmin__gt', 0), ('field_radius_arcmin__lte', 600)), _connector='OR'), name='module_field_radius_range')],
            },
        ),
        migrations.CreateModel(
            name='InstrumentModuleConfiguration',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('polymorphic_ctype', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='polymorphic_%(app_label)s.%(class)s_set+', to='contenttypes.contenttype')),
                ('type', models.CharField(choices=[('chai_module_configuration', 'CHAI module configuration'), ('prime_cam_module_configuration', 'Prime-Cam module configuration')], editable=False, max_length=50)),
                ('instrument_module', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='configurations', to='observatory.instrumentmodule')),
                ('name', models.CharField(max_length=128)),
                ('active', models.BooleanField(default=True)),
                ('valid_from', models.DateTimeField(blank=True, null=True)),
                ('valid_to', models.DateTimeField(blank=True, null=True)),
                ('comment', models.TextField(blank=True)),
            ],
            options={
                'verbose_name': 'module configuration',
                'db_table': 'instrument_module_configuration',
                'ordering': ['instrument_module', 'name'],
                'base_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(fields=('instrument_module', 'name'), name='module_configuration_name_unique'), models.CheckConstraint(condition=models.Q(('valid_from__isnull', True), ('valid_to__isnull', True), ('valid_from__lt', models.F('valid_to')), _connector='OR'), name='module_configuration_validity_order'), models.CheckConstraint(condition=models.Q(('type__in', ['chai_module_configuration', 'prime_cam_module_configuration'])), name='module_configuration_type_known')],
            },
        ),
        migrations.CreateModel(
            name='DataStream',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('instrument_module', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='data_streams', to='observatory.instrumentmodule')),
                ('name', models.SlugField(help_text='Part of the names of its packages.', max_length=64)),
                ('description', models.CharField(blank=True, max_length=255)),
                ('active', models.BooleanField(default=True, help_text='Whether files of it are accepted.')),
                ('of_telescope', models.BooleanField(default=False, help_text='It belongs to the observations of all instruments of the telescope.')),
                ('is_public', models.BooleanField(default=False, help_text='Everybody who may read data may read it, whatever was observed meanwhile.')),
                ('package_seconds', models.PositiveIntegerField(default=3600, help_text='A package holds files of at most so long a time, and is made after it.')),
                ('settle_seconds', models.PositiveIntegerField(default=60, help_text='How long files may come late, after the last one or the end of their observation.')),
                ('priority', models.SmallIntegerField(default=5, help_text='Lower is sooner.')),
                ('unrecorded_paths', models.TextField(blank=True, help_text="Files at a SOURCE that nobody filed are filed as this stream's: a pattern of paths on a line. A * stands for any characters, also /.", validators=[ccatdc.common.path_patterns.path_patterns])),
            ],
            options={
                'db_table': 'data_stream',
                'ordering': ['instrument_module', 'name'],
                'constraints': [models.UniqueConstraint(fields=('instrument_module', 'name'), name='data_stream_name_unique'), models.CheckConstraint(condition=models.Q(('package_seconds__gte', 60), ('package_seconds__lte', 604800)), name='data_stream_package_seconds'), models.CheckConstraint(condition=models.Q(('settle_seconds__lte', 604800)), name='data_stream_settle_seconds')],
            },
        ),
        migrations.CreateModel(
            name='Line',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='As people say it: CO(4-3).', max_length=64, unique=True)),
                ('species', models.CharField(blank=True, max_length=32)),
                ('transition', models.CharField(blank=True, max_length=32)),
                ('rest_frequency_ghz', models.DecimalField(decimal_places=7, help_text='GHz.', max_digits=14)),
                ('reference', models.CharField(blank=True, help_text='Where the frequency is from: CDMS, JPL.', max_length=64)),
                ('instrument_modules', models.ManyToManyField(blank=True, db_table='line_instrument_module', help_text='Modules that can observe it.', related_name='lines', to='observatory.instrumentmodule')),
            ],
            options={
                'db_table': 'line',
                'ordering': ['rest_frequency_ghz', 'name'],
                'constraints': [models.CheckConstraint(condition=models.Q(('rest_frequency_ghz__gt', 0)), name='line_frequency_positive')],
            },
        ),
        migrations.CreateModel(
            name='ChaiModuleConfiguration',
            fields=[
                ('instrumentmoduleconfiguration_ptr', models.OneToOneField(auto_created=True, on_delete=django.db.models.deletion.CASCADE, parent_link=True, primary_key=True, serialize=False, to='observatory.instrumentmoduleconfiguration')),
                ('line', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='chai_configurations', to='observatory.line')),
                ('sideband', models.CharField(choices=[('lsb', 'Lower'), ('usb', 'Upper')], max_length=8)),
                ('tuning_frequency_ghz', models.FloatField(help_text='GHz; inside the range of the module.')),
                ('if_frequency_ghz', models.FloatField(default=6.0, help_text='GHz; where in the intermediate-frequency band of 4 to 8 the line is.')),
                ('velocity_lsr_km_s', models.FloatField(default=0, help_text='km/s, in the velocity frame.')),
                ('velocity_frame', models.CharField(choices=[('lsr', 'Local standard of rest'), ('helio', 'Heliocentric'), ('topo', 'Topocentric')], default='lsr', max_length=8)),
                ('bandwidth_ghz', models.FloatField(default=4.0, help_text='GHz.')),
                ('n_channels', models.PositiveIntegerField(blank=True, null=True)),
                ('resolution_khz', models.FloatField(default=100, help_text='kHz.')),
                ('backend', models.CharField(blank=True, max_length=32)),
            ],
            options={
                'db_table': 'chai_module_configuration',
                'base_manager_name': 'objects',
                'constraints': [models.CheckConstraint(condition=models.Q(('tuning_frequency_ghz__gt', 0)), name='chai_tuning_positive'), models.CheckConstraint(condition=models.Q(('if_frequency_ghz__range', (4.0, 8.0))), name='chai_if_band'), models.CheckConstraint(condition=models.Q(('bandwidth_ghz__gt', 0), ('resolution_khz__gt', 0), models.Q(('n_channels__isnull', True), ('n_channels__gt', 0), _connector='OR')), name='chai_spectrometer_positive'), models.CheckConstraint(condition=models.Q(('sideband__in', ['lsb', 'usb'])), name='chai_sideband_known'), models.CheckConstraint(condition=models.Q(('velocity_frame__in', ['lsr', 'helio', 'topo'])), name='chai_velocity_frame_known')],
            },
            bases=('observatory.instrumentmoduleconfiguration',),
        ),
        migrations.CreateModel(
            name='PrimeCamModuleConfiguration',
            fields=[
                ('instrumentmoduleconfiguration_ptr', models.OneToOneField(auto_created=True, on_delete=django.db.models.deletion.CASCADE, parent_link=True, primary_key=True, serialize=False, to='observatory.instrumentmoduleconfiguration')),
                ('band_center_ghz', models.FloatField(help_text='GHz.')),
                ('bandwidth_ghz', models.FloatField(blank=True, help_text='GHz.', null=True)),
                ('n_detectors', models.PositiveIntegerField(blank=True, null=True)),
                ('n_rf_networks', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('sample_rate_hz', models.FloatField(blank=True, help_text='Hz.', null=True)),
                ('stream_ids', models.JSONField(blank=True, default=list, help_text='A list of read-out streams: ["rfsoc01_drone1"].')),
                ('tuning_ref', models.CharField(blank=True, help_text='The file of tones that the read-out was tuned with.', max_length=128)),
                ('fpi_start_ghz', models.FloatField(blank=True, help_text='GHz.', null=True)),
                ('fpi_stop_ghz', models.FloatField(blank=True, help_text='GHz.', null=True)),
                ('fpi_step_ghz', models.FloatField(blank=True, help_text='GHz.', null=True)),
                ('fpi_resolving_power', models.FloatField(blank=True, null=True)),
            ],
            options={
                'db_table': 'prime_cam_module_configuration',
                'base_manager_name': 'objects',
                'constraints': [models.CheckConstraint(condition=models.Q(('band_center_ghz__gt', 0), models.Q(('bandwidth_ghz__isnull', True), ('bandwidth_ghz__gt', 0), _connector='OR')), name='prime_cam_band_positive'), models.CheckConstraint(condition=models.Q(('sample_rate_hz__isnull', True), ('sample_rate_hz__gt', 0), _connector='OR'), name='prime_cam_sample_rate_positive'), models.CheckConstraint(condition=models.Q(models.Q(('fpi_start_ghz__isnull', True), ('fpi_stop_ghz__isnull', True)), models.Q(('fpi_start_ghz__gt', 0), ('fpi_start_ghz__isnull', False), ('fpi_start_ghz__lte', models.F('fpi_stop_ghz')), ('fpi_stop_ghz__isnull', False)), _connector='OR'), name='prime_cam_fpi_order'), models.CheckConstraint(condition=models.Q(models.Q(('fpi_step_ghz__isnull', True), ('fpi_step_ghz__gt', 0), _connector='OR'), models.Q(('fpi_resolving_power__isnull', True), ('fpi_resolving_power__gt', 0), _connector='OR')), name='prime_cam_fpi_positive')],
            },
            bases=('observatory.instrumentmoduleconfiguration',),
        ),
    ]
