from pathlib import Path

from django.contrib.postgres.operations import CreateExtension
from django.db import migrations

SQL = Path(__file__).with_name("sql")
FORGET_VIEWS = """
DROP VIEW tap_obscore, tap_observations, tap_sources, tap_programs;
DROP FUNCTION tap_may_see;
"""
FORGET_SKY = """
DROP FUNCTION sky_intersects, sky_contains, sky_edges_cross, sky_to_edge, sky_holds, sky_bounds, sky_round, sky_to_arc,
    sky_dot, sky_cross, sky_distance, sky_angle, sky_shape, sky_box, sky_polygon, sky_circle, sky_point;
"""
#: Which regions may overlap another one: an index over boxes in space.
BOUNDS = "CREATE INDEX metadata_bounds ON raw_data_package_metadata USING gist (sky_bounds(sky_shape(obs_region)))"
#: The views have ids as texts.
IDS = "CREATE INDEX execution_by_text ON executed_obs_unit ((id::text))"


class Migration(migrations.Migration):
    """What queries in ADQL may read, and the functions of the sphere that they use."""

    dependencies = [
        ("transfer", "0001_initial"),
        ("datamgmt", "0001_initial"),
        ("planning", "0001_initial"),
    ]

    operations = [
        CreateExtension("cube"),
        migrations.RunSQL((SQL / "0002_sky.sql").read_text(encoding="utf-8"), FORGET_SKY),
        migrations.RunSQL((SQL / "0002_views.sql").read_text(encoding="utf-8"), FORGET_VIEWS),
        migrations.RunSQL(BOUNDS, "DROP INDEX metadata_bounds"),
        migrations.RunSQL(IDS, "DROP INDEX execution_by_text"),
    ]
