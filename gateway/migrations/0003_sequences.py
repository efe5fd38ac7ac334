"""Calls are sent in sequences: of an observation, or of a data stream."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("gateway", "0002_words")]

    operations = [
        migrations.RemoveIndex(model_name="outboxitem", name="outbox_open"),
        migrations.RenameField(model_name="outboxitem", old_name="execution", new_name="sequence"),
        migrations.AlterField(
            model_name="outboxitem", name="sequence", field=models.UUIDField(editable=False)
        ),
        migrations.AddField(
            model_name="outboxitem",
            name="data_stream",
            field=models.CharField(blank=True, editable=False, max_length=255, default=""),
            preserve_default=False,
        ),
        migrations.AddIndex(
            model_name="outboxitem",
            index=models.Index(
                condition=models.Q(("status__in", ["waiting", "dead"])), fields=["sequence", "id"], name="outbox_open"
            ),
        ),
    ]
