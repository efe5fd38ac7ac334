import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='NotificationChannel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, unique=True)),
                ('kind', models.CharField(choices=[('email', 'E-mail to a list'), ('personal', 'E-mail to persons'), ('matrix', 'Matrix'), ('slack', 'Slack'), ('mattermost', 'Mattermost'), ('json', 'Webhook with JSON')], max_length=16)),
                ('addresses', models.TextField(blank=True, help_text='Of a list: mail addresses, one a line.')),
                ('credential_key', models.CharField(blank=True, help_text='Of a webhook: KEY of the environment variables CCATDC_WEBHOOK_KEY_URL and, where the receiver wants one, CCATDC_WEBHOOK_KEY_TOKEN.', max_length=48, validators=[django.core.validators.RegexValidator('^[A-Z0-9_]+\\Z', 'Use capitals, digits and underscores.')])),
                ('active', models.BooleanField(default=True, help_text='While it is off its messages wait.')),
                ('failures', models.PositiveIntegerField(default=0, editable=False, help_text='In a row.')),
                ('failing_since', models.DateTimeField(blank=True, editable=False, null=True)),
                ('next_trial_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('error_message', models.TextField(blank=True, editable=False)),
                ('last_success_at', models.DateTimeField(blank=True, editable=False, null=True)),
            ],
            options={
                'db_table': 'notification_channel',
                'ordering': ['name'],
                'constraints': [models.CheckConstraint(condition=models.Q(('kind__in', ['email', 'personal', 'matrix', 'slack', 'mattermost', 'json'])), name='notification_channel_kind_known'), models.CheckConstraint(condition=models.Q(('kind', 'personal'), models.Q(('name', 'E-mail to persons'), _negated=True), _connector='OR'), name='notification_channel_name_of_personal', violation_error_message='This name is that of the channel for mails to persons.'), models.UniqueConstraint(condition=models.Q(('kind', 'personal')), fields=('kind',), name='notification_channel_personal_once')],
            },
        ),
        migrations.CreateModel(
            name='NotificationRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('least_severity', models.SmallIntegerField(choices=[(1, 'Information'), (2, 'Warning'), (3, 'Critical')], default=2)),
                ('channel', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='rules', to='notifications.notificationchannel')),
                ('user', models.OneToOneField(blank=True, editable=False, help_text='Whose own choice it is (My account).', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='notification_rule', to=settings.AUTH_USER_MODEL)),
                ('after_minutes', models.PositiveIntegerField(default=0, help_text='Minutes without an acknowledgement; 0: at once.', validators=[django.core.validators.MaxValueValidator(10080)], verbose_name='only after')),
                ('digest_minutes', models.PositiveIntegerField(default=0, help_text='Minutes that are collected into one message; 0: each at once.', validators=[django.core.validators.MaxValueValidator(10080)], verbose_name='digest of')),
                ('active', models.BooleanField(default=True)),
                ('last_told_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
            options={
                'db_table': 'notification_rule',
                'ordering': ['-least_severity', 'after_minutes', 'pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(('channel__isnull', True), ('user__isnull', True), _connector='XOR'), name='notification_rule_one_receiver'), models.CheckConstraint(condition=models.Q(('least_severity__in', [1, 2, 3])), name='notification_rule_severity_known'), models.CheckConstraint(condition=models.Q(('after_minutes__lte', 10080), ('digest_minutes__lte', 10080)), name='notification_rule_minutes')],
            },
        ),
        migrations.CreateModel(
            name='Alert',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=512)),
                ('kind', models.CharField(max_length=128)),
                ('severity', models.SmallIntegerField(choices=[(1, 'Information'), (2, 'Warning'), (3, 'Critical')])),
                ('what', models.CharField(max_length=255)),
                ('why', models.TextField(blank=True)),
                ('code', models.CharField(blank=True, max_length=64, verbose_name='error code')),
                ('url', models.CharField(blank=True, max_length=512)),
                ('count', models.PositiveIntegerField(default=1, help_text='How many of it there are now.')),
                ('first_seen', models.DateTimeField(default=django.utils.timezone.now)),
                ('last_seen', models.DateTimeField(default=django.utils.timezone.now)),
                ('resolved_at', models.DateTimeField(blank=True, null=True)),
                ('acknowledged_at', models.DateTimeField(blank=True, null=True)),
                ('acknowledged_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('silenced_until', models.DateTimeField(blank=True, null=True)),
                ('raised_to', models.ManyToManyField(blank=True, db_table='alert_raised_to', related_name='+', to='notifications.notificationrule')),
                ('resolved_to', models.ManyToManyField(blank=True, db_table='alert_resolved_to', related_name='+', to='notifications.notificationrule')),
            ],
            options={
                'db_table': 'alert',
                'ordering': [models.OrderBy(models.F('resolved_at'), descending=True, nulls_first=True), '-severity', '-first_seen', 'pk'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('resolved_at__isnull', True)), fields=('key',), name='alert_open_once'), models.CheckConstraint(condition=models.Q(('severity__in', [1, 2, 3])), name='alert_severity_known'), models.CheckConstraint(condition=models.Q(('acknowledged_at__isnull', True), ('acknowledged_by__isnull', False), _connector='XOR'), name='alert_acknowledged_by_somebody')],
                'indexes': [models.Index(fields=['-resolved_at'], name='alert_by_end')],
            },
        ),
        migrations.CreateModel(
            name='OutgoingMessage',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('channel', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='messages', to='notifications.notificationchannel')),
                ('address', models.CharField(blank=True, max_length=254)),
                ('subject', models.CharField(max_length=200)),
                ('body', models.TextField()),
                ('dedup_key', models.CharField(blank=True, max_length=128)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('next_attempt_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('sent_at', models.DateTimeField(blank=True, null=True)),
                ('given_up_at', models.DateTimeField(blank=True, null=True)),
                ('error_message', models.TextField(blank=True)),
            ],
            options={
                'db_table': 'outgoing_message',
                'ordering': ['-created_at'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('dedup_key', ''), _negated=True), fields=('dedup_key', 'channel', 'address'), name='message_of_cause_once'), models.CheckConstraint(condition=models.Q(('sent_at__isnull', True), ('given_up_at__isnull', True), _connector='OR'), name='message_sent_or_given_up')],
                'indexes': [models.Index(condition=models.Q(('sent_at__isnull', True)), fields=['channel', 'created_at'], name='message_unsent'), models.Index(fields=['-created_at'], name='message_by_time')],
            },
        ),
    ]
