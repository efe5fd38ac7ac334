import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Obs units made before they had a telescope: that of their mode's instrument, or the first."""

    dependencies = [("planning", "0003_planning_complete")]

    operations = [
        migrations.RunSQL(
            """
            UPDATE obs_unit SET telescope_id = COALESCE(
                (SELECT instrument.telescope_id FROM obs_mode
                 JOIN instrument ON instrument.id = obs_mode.instrument_id
                 WHERE obs_mode.id = obs_unit.obs_mode_id),
                (SELECT min(id) FROM telescope)
            ) WHERE telescope_id IS NULL;
            SET CONSTRAINTS ALL IMMEDIATE;
            """,
            migrations.RunSQL.noop,
        ),
        migrations.AlterField(
            model_name="obsunit",
            name="telescope",
            field=models.ForeignKey(
                blank=True,
                help_text="Empty: the telescope of the mode's instrument.",
                on_delete=models.deletion.PROTECT,
                related_name="obs_units",
                to="observatory.telescope",
            ),
        ),
    ]
