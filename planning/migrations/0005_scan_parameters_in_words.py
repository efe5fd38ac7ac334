from django.db import migrations


class Migration(migrations.Migration):
    """Ranges of scan parameters are the model's (clean()), which says what is wrong with each."""

    dependencies = [("planning", "0004_members_and_proprietary_data")]

    operations = [
        migrations.RunSQL(
            "".join(
                "ALTER TABLE prime_cam_observation_configuration "
                f"DROP CONSTRAINT IF EXISTS prime_cam_{scan_type}_parameters;"
                for scan_type in ("constant_el", "pong", "daisy")
            ),
            migrations.RunSQL.noop,
        )
    ]
