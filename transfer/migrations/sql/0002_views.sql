-- What TAP shows, and to whom. A session says who asks (transfer/tap/running.py); where nothing is said it shows what is
-- public. Of what has no limit of days LEAST makes a thousand years. The rule is that of planning/models/visibility.py, and tests compare both.
CREATE FUNCTION public.tap_may_see(program bigint, started timestamptz, proprietary_days integer) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(started <= now() - least(proprietary_days, 365000) * interval '1 day', false)
        OR program = ANY (string_to_array(nullif(current_setting('ccatdc.programs', true), ''), ',')::bigint[])
        OR coalesce(current_setting('ccatdc.sees_all', true) = 'on', false)
$$;

CREATE VIEW public.tap_obscore AS
SELECT
    m.computed #>> '{obscore,dataproduct_type}' AS dataproduct_type,
    (m.computed #>> '{obscore,calib_level}')::integer AS calib_level,
    'CCAT/' || g.short_name AS obs_collection,
    e.id::text AS obs_id,
    'ivo://' || current_setting('ccatdc.authority', true) || '/raw?' || p.id AS obs_publisher_did,
    current_setting('ccatdc.base_url', true) || '/observations/' || e.id || '/' AS access_url,
    'text/html'::text AS access_format,
    ceil(p.size / 1000.0)::bigint AS access_estsize,
    m.computed #>> '{obscore,target_name}' AS target_name,
    m.obs_ra_deg AS s_ra,
    m.obs_dec_deg AS s_dec,
    m.obs_fov_deg AS s_fov,
    m.obs_region AS s_region,
    (m.computed #>> '{obscore,s_resolution}')::double precision AS s_resolution,
    NULL::bigint AS s_xel1,
    NULL::bigint AS s_xel2,
    m.obs_t_min_mjd AS t_min,
    m.obs_t_max_mjd AS t_max,
    m.obs_exptime_s AS t_exptime,
    (m.computed #>> '{obscore,t_resolution}')::double precision AS t_resolution,
    (m.computed #>> '{obscore,t_xel}')::bigint AS t_xel,
    m.obs_em_min_m AS em_min,
    m.obs_em_max_m AS em_max,
    (m.computed #>> '{obscore,em_res_power}')::double precision AS em_res_power,
    (m.computed #>> '{obscore,em_xel}')::bigint AS em_xel,
    m.computed #>> '{obscore,o_ucd}' AS o_ucd,
    nullif(m.pol_states, '')::text AS pol_states,
    NULL::bigint AS pol_xel,
    m.computed #>> '{obscore,facility_name}' AS facility_name,
    m.computed #>> '{obscore,instrument_name}' AS instrument_name,
    m.computed #>> '{obscore,obs_title}' AS obs_title,
    m.computed #>> '{obscore,target_class}' AS target_class,
    m.computed #>> '{obscore,em_ucd}' AS em_ucd,
    g.short_name::text AS proposal_id,
    CASE WHEN g.proprietary_days IS NOT NULL
         THEN (e.start_time + least(g.proprietary_days, 365000) * interval '1 day') AT TIME ZONE 'UTC' END AS obs_release_date,
    CASE WHEN e.start_time <= now() - least(g.proprietary_days, 365000) * interval '1 day' THEN 'public'
         ELSE 'proprietary' END AS data_rights
FROM public.raw_data_package_metadata m
JOIN public.raw_data_package p ON p.id = m.raw_data_package_id AND p.state = 'archived'
JOIN public.executed_obs_unit e ON e.id = p.executed_obs_unit_id
JOIN public.obs_unit u ON u.id = e.obs_unit_id
JOIN public.observing_program g ON g.id = u.observing_program_id
-- It has a time as soon as it was computed.
WHERE m.obs_t_min_mjd IS NOT NULL AND public.tap_may_see(g.id, e.start_time, g.proprietary_days);

CREATE VIEW public.tap_observations AS
SELECT
    e.id::text AS obs_id,
    g.short_name::text AS program,
    u.name::text AS obs_unit,
    o.name::text AS obs_mode,
    u.source_id::integer AS source_id,
    s.name::text AS target_name,
    e.start_time AT TIME ZONE 'UTC' AS start_time,
    e.end_time AT TIME ZONE 'UTC' AS end_time,
    (40587 + extract(epoch FROM e.start_time) / 86400)::double precision AS t_min,
    (40587 + extract(epoch FROM e.end_time) / 86400)::double precision AS t_max,
    e.status::text AS status,
    e.quality::text AS quality,
    e.pwv_mm_mean AS pwv,
    e.tau_225 AS tau_225,
    e.humidity AS humidity,
    e.temperature_c AS temperature,
    e.wind_m_s AS wind,
    e.elevation_deg_mean AS elevation,
    e.azimuth_deg_mean AS azimuth,
    (SELECT count(*) FROM public.raw_data_package p WHERE p.executed_obs_unit_id = e.id) AS packages,
    (SELECT count(*) FROM public.raw_data_package p WHERE p.executed_obs_unit_id = e.id AND p.state = 'archived')
        AS packages_archived,
    (SELECT sum(p.size) FROM public.raw_data_package p WHERE p.executed_obs_unit_id = e.id)::bigint AS data_volume
FROM public.executed_obs_unit e
JOIN public.obs_unit u ON u.id = e.obs_unit_id
JOIN public.obs_mode o ON o.id = u.obs_mode_id
JOIN public.observing_program g ON g.id = u.observing_program_id
LEFT JOIN public.source s ON s.id = u.source_id
WHERE public.tap_may_see(g.id, e.start_time, g.proprietary_days);

CREATE VIEW public.tap_sources AS
SELECT
    s.id::integer AS source_id,
    s.name::text AS source_name,
    (SELECT string_agg(each, '|') FROM jsonb_array_elements_text(
        CASE WHEN jsonb_typeof(s.aliases) = 'array' THEN s.aliases ELSE '[]' END) AS each) AS aliases,
    s.type::text AS source_type,
    nullif(s.source_class, '')::text AS source_class,
    coalesce(f.ra_deg, c.ra_center_deg) AS ra,
    coalesce(f.dec_deg, c.dec_center_deg) AS "dec",
    f.vlsr_km_s AS vlsr
FROM public.source s
LEFT JOIN public.fixed_source f ON f.source_ptr_id = s.id
LEFT JOIN public.constant_elevation_source c ON c.source_ptr_id = s.id;

CREATE VIEW public.tap_programs AS
SELECT
    g.short_name::text AS short_name,
    g.name::text AS program_name,
    nullif(g.description, '')::text AS summary,
    g.is_technical::integer AS is_technical,
    g.proprietary_days::integer AS proprietary_days
FROM public.observing_program g
WHERE public.tap_may_see(g.id, NULL, NULL)
   OR EXISTS (SELECT 1 FROM public.obs_unit u JOIN public.executed_obs_unit e ON e.obs_unit_id = u.id
              WHERE u.observing_program_id = g.id AND public.tap_may_see(NULL, e.start_time, g.proprietary_days));
