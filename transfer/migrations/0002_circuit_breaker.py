import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('datamgmt', '0002_initial'),
        ('transfer', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='CircuitBreaker',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('operation_type', models.CharField(choices=[('raw_data_package_creation', 'Raw data package creation'), ('data_transfer_package_creation', 'Data transfer package creation'), ('data_transfer', 'Data transfer'), ('data_transfer_unpacking', 'Data transfer unpacking'), ('long_term_archive_transfer', 'Long-term archive transfer'), ('staging', 'Staging'), ('deletion', 'Deletion'), ('monitoring', 'Monitoring')], max_length=40)),
                ('failures', models.PositiveIntegerField(default=0, help_text='In a row.')),
                ('opened_at', models.DateTimeField(blank=True, null=True)),
                ('next_trial_at', models.DateTimeField(blank=True, null=True)),
                ('open_seconds', models.FloatField(default=0)),
                ('error_code', models.CharField(blank=True, max_length=64)),
                ('error_message', models.TextField(blank=True)),
                ('location', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='circuit_breakers', to='datamgmt.datalocation')),
            ],
            options={
                'db_table': 'circuit_breaker',
                'ordering': ['location', 'operation_type'],
                'constraints': [models.UniqueConstraint(fields=('location', 'operation_type'), name='circuit_breaker_unique'), models.CheckConstraint(condition=models.Q(('operation_type__in', ['raw_data_package_creation', 'data_transfer_package_creation', 'data_transfer', 'data_transfer_unpacking', 'long_term_archive_transfer', 'staging', 'deletion', 'monitoring'])), name='circuit_breaker_type_known'), models.CheckConstraint(condition=models.Q(('opened_at__isnull', True), ('next_trial_at__isnull', False), _connector='OR'), name='circuit_breaker_open_has_trial')],
            },
        ),
    ]
