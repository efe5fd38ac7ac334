import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
import transfer.models.jobs
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        ('contenttypes', '0002_remove_content_type_name'),
        ('datamgmt', '0001_initial'),
        ('planning', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='CircuitBreaker',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('scope', models.CharField(choices=[('location', 'All work'), ('writes', 'Writing'), ('link', 'Transfers')], max_length=16)),
                ('location', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='circuit_breakers', to='datamgmt.datalocation')),
                ('destination', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='datamgmt.datalocation')),
                ('failures', models.PositiveIntegerField(default=0, help_text='In a row.')),
                ('opened_at', models.DateTimeField(blank=True, null=True)),
                ('next_trial_at', models.DateTimeField(blank=True, null=True)),
                ('open_seconds', models.FloatField(default=0)),
                ('last_success_at', models.DateTimeField(blank=True, null=True)),
                ('error_code', models.CharField(blank=True, max_length=64)),
                ('error_message', models.TextField(blank=True)),
            ],
            options={
                'db_table': 'circuit_breaker',
                'ordering': ['location', 'scope', 'destination'],
                'constraints': [models.UniqueConstraint(fields=('location', 'scope', 'destination'), name='circuit_breaker_unique', nulls_distinct=False), models.CheckConstraint(condition=models.Q(('scope__in', ['location', 'writes', 'link'])), name='circuit_breaker_scope_known'), models.CheckConstraint(condition=models.Q(('scope', 'link'), ('destination__isnull', True), _connector='XOR'), name='circuit_breaker_link_has_destination'), models.CheckConstraint(condition=models.Q(('opened_at__isnull', True), ('next_trial_at__isnull', False), _connector='OR'), name='circuit_breaker_open_has_trial')],
            },
        ),
        migrations.CreateModel(
            name='Operation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('polymorphic_ctype', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='polymorphic_%(app_label)s.%(class)s_set+', to='contenttypes.contenttype')),
                ('operation_type', models.CharField(choices=[('raw_data_package_creation', 'Raw data package creation'), ('data_transfer_package_creation', 'Data transfer package creation'), ('data_transfer', 'Data transfer'), ('data_transfer_unpacking', 'Data transfer unpacking'), ('long_term_archive_transfer', 'Long-term archive transfer'), ('staging', 'Staging'), ('deletion', 'Deletion'), ('monitoring', 'Monitoring'), ('verification', 'Verification'), ('inventory', 'Inventory')], editable=False, max_length=40)),
                ('subject', models.CharField(editable=False, max_length=255)),
                ('location', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='operations', to='datamgmt.datalocation')),
                ('writes_to', models.ForeignKey(db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='datamgmt.datalocation')),
                ('waits_for', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='waiting', to='transfer.circuitbreaker')),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('scheduled', 'Scheduled'), ('in_progress', 'In progress'), ('completed', 'Completed'), ('failed', 'Failed')], default='pending', editable=False, max_length=16)),
                ('priority', models.SmallIntegerField(default=5, help_text='Lower is sooner.')),
                ('attempts', models.PositiveIntegerField(default=0, editable=False)),
                ('max_attempts', models.PositiveIntegerField(default=5)),
                ('failures', models.PositiveIntegerField(default=0, editable=False)),
                ('failed_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('lost_leases', models.PositiveIntegerField(default=0, editable=False)),
                ('claims', models.PositiveIntegerField(default=0, editable=False)),
                ('owner', models.CharField(blank=True, editable=False, max_length=80)),
                ('lease_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('run_after', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('paused_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('cancel_requested_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('retry_requested_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('acknowledged_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('error_code', models.CharField(blank=True, editable=False, max_length=64)),
                ('error_message', models.TextField(blank=True, editable=False)),
                ('problems', models.JSONField(blank=True, default=list, editable=False)),
                ('log_path', models.CharField(blank=True, editable=False, max_length=1024)),
                ('progress_bytes', models.BigIntegerField(default=0, editable=False)),
                ('total_bytes', models.BigIntegerField(blank=True, editable=False, null=True)),
                ('progress_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('scheduled_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('started_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('finished_at', models.DateTimeField(blank=True, editable=False, null=True)),
            ],
            options={
                'db_table': 'operation',
                'ordering': ['-created_at'],
                'base_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(condition=models.Q(('status__in', ('pending', 'scheduled', 'in_progress'))), fields=('operation_type', 'subject'), name='operation_one_open_per_subject'), models.CheckConstraint(condition=models.Q(('status__in', ['pending', 'scheduled', 'in_progress', 'completed', 'failed'])), name='operation_status_known'), models.CheckConstraint(condition=models.Q(('operation_type__in', ['raw_data_package_creation', 'data_transfer_package_creation', 'data_transfer', 'data_transfer_unpacking', 'long_term_archive_transfer', 'staging', 'deletion', 'monitoring', 'verification', 'inventory'])), name='operation_type_known'), models.CheckConstraint(condition=models.Q(models.Q(('status', 'in_progress'), _negated=True), models.Q(('lease_until__isnull', False), models.Q(('owner', ''), _negated=True)), _connector='OR'), name='operation_in_progress_has_lease')],
                'indexes': [models.Index(condition=models.Q(('status', 'pending')), fields=['priority', 'run_after'], name='operation_pending'), models.Index(condition=models.Q(('status__in', ['scheduled', 'in_progress'])), fields=['status', 'lease_until'], name='operation_held'), models.Index(fields=['location', 'operation_type', 'status'], name='operation_by_place'), models.Index(fields=['-created_at'], name='operation_by_creation'), models.Index(condition=models.Q(('status', 'failed')), fields=['-finished_at'], name='operation_failed'), models.Index(condition=models.Q(('retry_requested_at__isnull', False), ('status', 'failed')), fields=['retry_requested_at'], name='operation_to_retry'), models.Index(fields=['location', '-created_at'], name='operation_at_place'), models.Index(fields=['operation_type', '-created_at'], name='operation_of_kind'), models.Index(condition=models.Q(('problems', []), _negated=True), fields=['-created_at'], name='operation_with_problems'), models.Index(condition=models.Q(('error_code', ''), _negated=True), fields=['error_code', '-created_at'], name='operation_by_error')],
            },
        ),
        migrations.CreateModel(
            name='Deletion',
            fields=[
                ('operation_ptr', models.OneToOneField(auto_created=True, on_delete=django.db.models.deletion.CASCADE, parent_link=True, primary_key=True, serialize=False, to='transfer.operation')),
            ],
            options={
                'db_table': 'deletion',
                'base_manager_name': 'objects',
            },
            bases=('transfer.operation',),
        ),
        migrations.CreateModel(
            name='Inventory',
            fields=[
                ('operation_ptr', models.OneToOneField(auto_created=True, on_delete=django.db.models.deletion.CASCADE, parent_link=True, primary_key=True, serialize=False, to='transfer.operation')),
                ('is_full', models.BooleanField(default=True)),
            ],
            options={
                'verbose_name_plural': 'inventories',
                'db_table': 'inventory',
                'base_manager_name': 'objects',
            },
            bases=('transfer.operation',),
        ),
        migrations.CreateModel(
            name='LocationCheck',
            fields=[
                ('operation_ptr', models.OneToOneField(auto_created=True, on_delete=django.db.models.deletion.CASCADE, parent_link=True, primary_key=True, serialize=False, to='transfer.operation')),
            ],
            options={
                'db_table': 'location_check',
                'base_manager_name': 'objects',
            },
            bases=('transfer.operation',),
        ),
        migrations.CreateModel(
            name='LongTermArchiveTransfer',
            fields=[
                ('operation_ptr', models.OneToOneField(auto_created=True, on_delete=django.db.models.deletion.CASCADE, parent_link=True, primary_key=True, serialize=False, to='transfer.operation')),
                ('raw_data_package', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='archive_transfers', to='datamgmt.rawdatapackage')),
                ('origin_location', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='datamgmt.datalocation')),
                ('destination_location', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='datamgmt.datalocation')),
                ('object_key', models.CharField(blank=True, editable=False, max_length=1024)),
                ('sidecar_key', models.CharField(blank=True, editable=False, max_length=1024)),
                ('checksum_verified', models.BooleanField(blank=True, editable=False, null=True)),
            ],
            options={
                'db_table': 'long_term_archive_transfer',
                'base_manager_name': 'objects',
            },
            bases=('transfer.operation',),
        ),
        migrations.CreateModel(
            name='LongTermArchiveTransferLog',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('timestamp', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('scheduled', 'Scheduled'), ('in_progress', 'In progress'), ('completed', 'Completed'), ('failed', 'Failed')], max_length=16)),
                ('message', models.TextField(blank=True)),
                ('log_path', models.CharField(blank=True, max_length=1024)),
                ('long_term_archive_transfer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='logs', to='transfer.longtermarchivetransfer')),
            ],
            options={
                'verbose_name': 'archive transfer log entry',
                'verbose_name_plural': 'archive transfer log',
                'db_table': 'long_term_archive_transfer_log',
                'ordering': ['-timestamp'],
                'abstract': False,
                'indexes': [models.Index(fields=['status', '-timestamp'], name='archive_log_by_status')],
            },
        ),
        migrations.CreateModel(
            name='RawDataPackageCreation',
            fields=[
                ('operation_ptr', models.OneToOneField(auto_created=True, on_delete=django.db.models.deletion.CASCADE, parent_link=True, primary_key=True, serialize=False, to='transfer.operation')),
                ('raw_data_package', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='creations', to='datamgmt.rawdatapackage')),
                ('destination_location', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='datamgmt.datalocation')),
            ],
            options={
                'db_table': 'raw_data_package_creation',
                'base_manager_name': 'objects',
            },
            bases=('transfer.operation',),
        ),
        migrations.CreateModel(
            name='Verification',
            fields=[
                ('operation_ptr', models.OneToOneField(auto_created=True, on_delete=django.db.models.deletion.CASCADE, parent_link=True, primary_key=True, serialize=False, to='transfer.operation')),
                ('kind', models.CharField(choices=[('look', 'Look whether it is there'), ('read', 'Read it in full')], max_length=8)),
                ('copies', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
            ],
            options={
                'db_table': 'verification',
                'base_manager_name': 'objects',
            },
            bases=('transfer.operation',),
        ),
        migrations.CreateModel(
            name='DataTransferRoute',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=128, unique=True)),
                ('route_type', models.CharField(choices=[('direct', "Direct: skip the destination's buffer"), ('relay', 'Relay: through another site'), ('custom', 'Custom: from one location to another')], max_length=16)),
                ('origin_site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='routes_out', to='datamgmt.site')),
                ('destination_site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='routes_in', to='datamgmt.site')),
                ('relay_site', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='routes_through', to='datamgmt.site')),
                ('origin_location', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='datamgmt.datalocation')),
                ('destination_location', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='datamgmt.datalocation')),
                ('method', models.CharField(blank=True, max_length=16)),
                ('bundle_format', models.CharField(choices=[('manifest', 'Manifest'), ('tar', 'Tar of tars')], default='manifest', max_length=16)),
                ('bundle_max_bytes', models.BigIntegerField(blank=True, null=True)),
                ('bundle_max_age_seconds', models.PositiveIntegerField(blank=True, null=True)),
                ('priority', models.SmallIntegerField(default=1, help_text='Lower is used first.')),
                ('active', models.BooleanField(default=True)),
                ('parameters', models.JSONField(blank=True, default=dict)),
            ],
            options={
                'verbose_name': 'route',
                'db_table': 'data_transfer_route',
                'ordering': ['priority', 'name'],
                'constraints': [models.CheckConstraint(condition=models.Q(('route_type__in', ['direct', 'relay', 'custom'])), name='route_type_known'), models.CheckConstraint(condition=models.Q(('origin_site', models.F('destination_site')), _negated=True), name='route_goes_somewhere'), models.CheckConstraint(condition=models.Q(models.Q(('route_type', 'relay'), _negated=True), ('relay_site__isnull', False), _connector='OR'), name='route_relay_has_site'), models.CheckConstraint(condition=models.Q(models.Q(('route_type', 'custom'), _negated=True), models.Q(('destination_location__isnull', False), ('origin_location__isnull', False)), _connector='OR'), name='route_custom_has_locations')],
            },
        ),
        migrations.CreateModel(
            name='DataTransfer',
            fields=[
                ('operation_ptr', models.OneToOneField(auto_created=True, on_delete=django.db.models.deletion.CASCADE, parent_link=True, primary_key=True, serialize=False, to='transfer.operation')),
                ('data_transfer_package', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='data_transfers', to='datamgmt.datatransferpackage')),
                ('origin_location', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='datamgmt.datalocation')),
                ('destination_location', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='datamgmt.datalocation')),
                ('route', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='data_transfers', to='transfer.datatransferroute')),
                ('method', models.CharField(blank=True, editable=False, max_length=16)),
                ('streams', models.PositiveSmallIntegerField(blank=True, editable=False, null=True)),
                ('unpack_status', models.CharField(choices=[('pending', 'Pending'), ('scheduled', 'Scheduled'), ('in_progress', 'In progress'), ('completed', 'Completed'), ('failed', 'Failed')], default='pending', editable=False, max_length=16)),
                ('received', models.JSONField(blank=True, default=dict, editable=False)),
                ('bytes_transferred', models.BigIntegerField(default=0, editable=False)),
                ('seconds', models.FloatField(blank=True, editable=False, null=True)),
                ('checksum_verified', models.BooleanField(blank=True, editable=False, null=True)),
            ],
            options={
                'db_table': 'data_transfer',
                'base_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(fields=('data_transfer_package', 'destination_location'), name='transfer_once_per_destination'), models.CheckConstraint(condition=models.Q(('origin_location', models.F('destination_location')), _negated=True), name='transfer_goes_somewhere')],
            },
            bases=('transfer.operation',),
        ),
        migrations.CreateModel(
            name='DataTransferLog',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('timestamp', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('scheduled', 'Scheduled'), ('in_progress', 'In progress'), ('completed', 'Completed'), ('failed', 'Failed')], max_length=16)),
                ('message', models.TextField(blank=True)),
                ('log_path', models.CharField(blank=True, max_length=1024)),
                ('data_transfer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='logs', to='transfer.datatransfer')),
            ],
            options={
                'verbose_name': 'transfer log entry',
                'verbose_name_plural': 'transfer log',
                'db_table': 'data_transfer_log',
                'ordering': ['-timestamp'],
                'abstract': False,
                'indexes': [models.Index(fields=['status', '-timestamp'], name='transfer_log_by_status')],
            },
        ),
        migrations.CreateModel(
            name='DataTransferPackageCreation',
            fields=[
                ('operation_ptr', models.OneToOneField(auto_created=True, on_delete=django.db.models.deletion.CASCADE, parent_link=True, primary_key=True, serialize=False, to='transfer.operation')),
                ('data_transfer_package', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='creations', to='datamgmt.datatransferpackage')),
                ('route', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='transfer.datatransferroute')),
            ],
            options={
                'db_table': 'data_transfer_package_creation',
                'base_manager_name': 'objects',
            },
            bases=('transfer.operation',),
        ),
        migrations.CreateModel(
            name='DataTransferUnpacking',
            fields=[
                ('operation_ptr', models.OneToOneField(auto_created=True, on_delete=django.db.models.deletion.CASCADE, parent_link=True, primary_key=True, serialize=False, to='transfer.operation')),
                ('data_transfer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='unpackings', to='transfer.datatransfer')),
            ],
            options={
                'db_table': 'data_transfer_unpacking',
                'base_manager_name': 'objects',
            },
            bases=('transfer.operation',),
        ),
        migrations.CreateModel(
            name='DeletionItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('deletion', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='items', to='transfer.deletion')),
                ('physical_copy', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deletion_items', to='datamgmt.physicalcopy')),
                ('outcome', models.CharField(choices=[('pending', 'Pending'), ('deleted', 'Deleted'), ('kept', 'Kept: a reason appeared'), ('failed', 'Failed')], default='pending', max_length=16)),
                ('reasons', models.JSONField(blank=True, default=list)),
            ],
            options={
                'verbose_name': 'deletion of a copy',
                'verbose_name_plural': 'deletions of copies',
                'db_table': 'deletion_item',
                'constraints': [models.UniqueConstraint(fields=('deletion', 'physical_copy'), name='deletion_item_once_per_batch')],
                'indexes': [models.Index(condition=models.Q(('outcome', 'deleted'), _negated=True), fields=['outcome', 'id'], name='deletion_item_not_deleted')],
            },
        ),
        migrations.CreateModel(
            name='RoundRobinCursor',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=128, unique=True)),
                ('last_site', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='datamgmt.site')),
            ],
            options={
                'verbose_name': 'round-robin cursor',
                'db_table': 'round_robin_cursor',
            },
        ),
        migrations.CreateModel(
            name='ServiceHeartbeat',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('service_type', models.CharField(choices=[('managers', 'Managers'), ('manager', 'Manager'), ('location', 'Location'), ('gateway', 'Gateway'), ('notifications', 'Notifications')], max_length=32)),
                ('name', models.CharField(max_length=128)),
                ('host', models.CharField(max_length=255)),
                ('pid', models.PositiveIntegerField()),
                ('started_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('last_seen', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('stopped_at', models.DateTimeField(blank=True, null=True)),
                ('ttl_seconds', models.PositiveIntegerField(default=45)),
                ('clock_offset', models.DurationField(blank=True, help_text='Its clock minus that of the database.', null=True)),
                ('waiting', models.JSONField(blank=True, default=list)),
            ],
            options={
                'verbose_name': 'service',
                'db_table': 'service_heartbeat',
                'ordering': ['service_type', 'name'],
                'constraints': [models.UniqueConstraint(fields=('service_type', 'name'), name='heartbeat_of_service_unique'), models.CheckConstraint(condition=models.Q(('ttl_seconds__gt', 0)), name='heartbeat_ttl_positive')],
            },
        ),
        migrations.CreateModel(
            name='StagingJob',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(blank=True, max_length=128)),
                ('requested_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='staging_jobs', to=settings.AUTH_USER_MODEL)),
                ('destination_location', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='staging_jobs', to='datamgmt.datalocation')),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('scheduled', 'Scheduled'), ('in_progress', 'In progress'), ('completed', 'Completed'), ('failed', 'Failed')], default='pending', editable=False, max_length=16)),
                ('total_bytes', models.BigIntegerField(default=0, editable=False)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('finished_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('expires_at', models.DateTimeField(default=transfer.models.jobs.default_expiry)),
                ('cancelled_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('notified_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('failure_error_message', models.TextField(blank=True, editable=False)),
                ('raw_data_packages', models.ManyToManyField(db_table='staging_job_raw_data_package', related_name='staging_jobs', to='datamgmt.rawdatapackage')),
                ('executions', models.ManyToManyField(blank=True, db_table='staging_job_executed_obs_unit', related_name='staging_jobs', to='planning.executedobsunit')),
            ],
            options={
                'db_table': 'staging_job',
                'ordering': ['-created_at'],
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ['pending', 'scheduled', 'in_progress', 'completed', 'failed'])), name='staging_job_status_known')],
                'indexes': [models.Index(condition=models.Q(('cancelled_at__isnull', True)), fields=['expires_at'], name='job_active')],
            },
        ),
        migrations.CreateModel(
            name='Staging',
            fields=[
                ('operation_ptr', models.OneToOneField(auto_created=True, on_delete=django.db.models.deletion.CASCADE, parent_link=True, primary_key=True, serialize=False, to='transfer.operation')),
                ('staging_job', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='stagings', to='transfer.stagingjob')),
                ('raw_data_package', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='stagings', to='datamgmt.rawdatapackage')),
                ('origin_location', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='datamgmt.datalocation')),
            ],
            options={
                'db_table': 'staging',
                'base_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(fields=('staging_job', 'raw_data_package'), name='staging_once_per_job')],
            },
            bases=('transfer.operation',),
        ),
        migrations.CreateModel(
            name='StagingJobLog',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('timestamp', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('scheduled', 'Scheduled'), ('in_progress', 'In progress'), ('completed', 'Completed'), ('failed', 'Failed')], max_length=16)),
                ('message', models.TextField(blank=True)),
                ('log_path', models.CharField(blank=True, max_length=1024)),
                ('staging_job', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='logs', to='transfer.stagingjob')),
                ('raw_data_package', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='datamgmt.rawdatapackage')),
            ],
            options={
                'verbose_name': 'staging log entry',
                'verbose_name_plural': 'staging log',
                'db_table': 'staging_job_log',
                'ordering': ['-timestamp'],
                'abstract': False,
                'indexes': [models.Index(fields=['status', '-timestamp'], name='job_log_by_status')],
            },
        ),
    ]
