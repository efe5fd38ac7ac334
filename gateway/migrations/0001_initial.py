import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Link',
            fields=[
                ('id', models.PositiveSmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                ('last_contact_at', models.DateTimeField(blank=True, null=True)),
                ('down_since', models.DateTimeField(blank=True, null=True)),
                ('denied', models.BooleanField(default=False)),
                ('failures', models.PositiveIntegerField(default=0, help_text='In a row.')),
                ('next_try_at', models.DateTimeField(blank=True, null=True)),
                ('trouble', models.TextField(blank=True)),
                ('reference_etag', models.CharField(blank=True, max_length=64)),
                ('reference_at', models.DateTimeField(blank=True, null=True)),
                ('reference_changed_at', models.DateTimeField(blank=True, null=True)),
                ('reference_problem', models.TextField(blank=True)),
                ('refresh_wanted', models.BooleanField(default=False)),
                ('process', models.CharField(blank=True, max_length=255)),
                ('process_seen_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'verbose_name': 'link',
                'verbose_name_plural': 'link',
                'db_table': 'gateway_link',
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='gateway_link_one')],
            },
        ),
        migrations.CreateModel(
            name='OutboxItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sequence', models.UUIDField(editable=False)),
                ('data_stream', models.CharField(blank=True, editable=False, max_length=255)),
                ('kind', models.CharField(choices=[('start', 'Start'), ('files', 'Files'), ('finish', 'Finish')], max_length=8)),
                ('method', models.CharField(max_length=8)),
                ('path', models.CharField(max_length=255)),
                ('body', models.TextField()),
                ('body_bytes', models.PositiveIntegerField()),
                ('files', models.PositiveIntegerField(default=0, help_text='Number of files in it.')),
                ('filed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('token', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.apitoken')),
                ('user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('status', models.CharField(choices=[('waiting', 'Waiting'), ('delivered', 'Delivered'), ('dead', 'Refused'), ('discarded', 'Discarded')], default='waiting', editable=False, max_length=16)),
                ('delivered_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('attempts', models.PositiveIntegerField(default=0, editable=False, help_text='Answers so far that called for another try.')),
                ('not_before', models.DateTimeField(blank=True, editable=False, null=True)),
                ('problem', models.JSONField(blank=True, editable=False, null=True)),
                ('refused_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('original_body', models.TextField(blank=True, editable=False)),
                ('decided_by', models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('decided_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('reason', models.TextField(blank=True, editable=False)),
            ],
            options={
                'verbose_name': 'call',
                'verbose_name_plural': 'outbox',
                'db_table': 'gateway_outbox',
                'ordering': ['id'],
                'indexes': [models.Index(condition=models.Q(('status__in', ['waiting', 'dead'])), fields=['sequence', 'id'], name='outbox_open'), models.Index(condition=models.Q(('not_before__isnull', False), ('status', 'waiting')), fields=['not_before'], name='outbox_retry'), models.Index(condition=models.Q(('status', 'dead')), fields=['refused_at'], name='outbox_dead'), models.Index(condition=models.Q(('status', 'delivered')), fields=['delivered_at'], name='outbox_delivered')],
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ['waiting', 'delivered', 'dead', 'discarded'])), name='outbox_status_known'), models.CheckConstraint(condition=models.Q(('kind__in', ['start', 'files', 'finish'])), name='outbox_kind_known'), models.CheckConstraint(condition=models.Q(models.Q(('status', 'delivered'), _negated=True), ('delivered_at__isnull', False), _connector='OR'), name='outbox_delivered_when'), models.CheckConstraint(condition=models.Q(models.Q(('status', 'discarded'), _negated=True), models.Q(('reason', ''), _negated=True), _connector='OR'), name='outbox_discarded_why')],
            },
        ),
    ]
