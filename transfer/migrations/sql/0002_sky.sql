-- The sphere in numbers. A place is a unit vector {x, y, z}; a circle {x, y, z, radius in degrees}; a polygon its vertices
-- {x1, y1, z1, x2, ...}, three or more, less than half of the sky, its sides arcs of great circles. No extension but cube.
CREATE FUNCTION public.sky_point(ra double precision, "dec" double precision) RETURNS double precision[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT ARRAY[cosd("dec") * cosd(ra), cosd("dec") * sind(ra), sind("dec")]
$$;

CREATE FUNCTION public.sky_circle(ra double precision, "dec" double precision, radius double precision)
RETURNS double precision[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT public.sky_point(ra, "dec") || radius
$$;

-- Of longitudes and latitudes in turn.
CREATE FUNCTION public.sky_polygon(angles double precision[]) RETURNS double precision[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE made double precision[] := '{}';
BEGIN
    FOR i IN 1 .. cardinality(angles) / 2 LOOP
        made := made || public.sky_point(angles[2 * i - 1], angles[2 * i]);
    END LOOP;
    RETURN made;
END $$;

-- A rectangle whose sides are arcs of great circles, through the ends of its width and height (ADQL's BOX).
CREATE FUNCTION public.sky_box(ra double precision, "dec" double precision, width double precision, height double precision)
RETURNS double precision[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    made double precision[] := '{}';
    signs integer[] := ARRAY[1, 1, -1, 1, -1, -1, 1, -1];
    x double precision; y double precision; z double precision; n double precision;
BEGIN
    IF width >= 180 OR height >= 180 THEN RETURN public.sky_circle(ra, "dec", least(180, greatest(width, height))); END IF;
    FOR i IN 1 .. 4 LOOP
        y := signs[2 * i - 1] * tand(width / 2); z := signs[2 * i] * tand(height / 2);
        n := sqrt(1 + y * y + z * z);
        x := (cosd("dec") - sind("dec") * z) / n;
        made := made || ARRAY[x * cosd(ra) - y / n * sind(ra), x * sind(ra) + y / n * cosd(ra),
                              (sind("dec") + cosd("dec") * z) / n];
    END LOOP;
    RETURN made;
END $$;

-- What a text says: CIRCLE ICRS 83.8 -5.4 0.5, or POLYGON ICRS and vertices (planning/sky/regions.py). Else null.
CREATE FUNCTION public.sky_shape(region text) RETURNS double precision[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    words text[] := string_to_array(upper(region), ' ');
    angles double precision[];
BEGIN
    IF region !~* '^(circle|polygon) icrs( -?[0-9]{1,9}(\.[0-9]{1,20})?(e-?[0-9]{1,2})?)+$' THEN RETURN NULL; END IF;
    angles := words[3:]::double precision[];
    IF words[1] = 'CIRCLE' AND cardinality(angles) = 3 THEN
        RETURN public.sky_circle(angles[1], angles[2], angles[3]);
    ELSIF words[1] = 'POLYGON' AND cardinality(angles) >= 6 AND cardinality(angles) % 2 = 0 THEN
        RETURN public.sky_polygon(angles);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION public.sky_angle(a double precision[], b double precision[]) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT degrees(2 * asin(least(1, sqrt((a[1] - b[1]) ^ 2 + (a[2] - b[2]) ^ 2 + (a[3] - b[3]) ^ 2) / 2)))
$$;

-- Between two longitudes and latitudes.
CREATE FUNCTION public.sky_distance(
    ra1 double precision, dec1 double precision, ra2 double precision, dec2 double precision
) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT degrees(2 * asin(least(1, sqrt(sind((dec1 - dec2) / 2) ^ 2
                                         + cosd(dec1) * cosd(dec2) * sind((ra1 - ra2) / 2) ^ 2))))
$$;

CREATE FUNCTION public.sky_cross(a double precision[], b double precision[]) RETURNS double precision[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT ARRAY[a[2] * b[3] - a[3] * b[2], a[3] * b[1] - a[1] * b[3], a[1] * b[2] - a[2] * b[1]]
$$;

CREATE FUNCTION public.sky_dot(a double precision[], b double precision[]) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT a[1] * b[1] + a[2] * b[2] + a[3] * b[3] $$;

-- From a place to an arc.
CREATE FUNCTION public.sky_to_arc(p double precision[], a double precision[], b double precision[]) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    n double precision[] := public.sky_cross(a, b);
    length double precision := sqrt(public.sky_dot(n, n));
BEGIN
    IF length > 1e-12 AND public.sky_dot(public.sky_cross(n, a), p) >= 0 AND public.sky_dot(public.sky_cross(b, n), p) >= 0
    THEN RETURN degrees(asin(least(1, abs(public.sky_dot(n, p)) / length))); END IF;
    RETURN least(public.sky_angle(p, a), public.sky_angle(p, b));
END $$;

-- The middle of a shape, and how far it reaches from there: {x, y, z, degrees}.
CREATE FUNCTION public.sky_round(shape double precision[]) RETURNS double precision[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    middle double precision[] := ARRAY[0, 0, 0]; length double precision; reach double precision := 0;
    n integer := cardinality(shape);
BEGIN
    IF n = 3 THEN RETURN shape || 0::double precision; ELSIF n = 4 THEN RETURN shape; END IF;
    FOR i IN 0 .. n / 3 - 1 LOOP
        middle := ARRAY[middle[1] + shape[3 * i + 1], middle[2] + shape[3 * i + 2], middle[3] + shape[3 * i + 3]];
    END LOOP;
    length := sqrt(public.sky_dot(middle, middle));
    IF length < 1e-9 THEN RETURN ARRAY[0, 0, 1, 180]; END IF;
    middle := ARRAY[middle[1] / length, middle[2] / length, middle[3] / length];
    FOR i IN 0 .. n / 3 - 1 LOOP
        reach := greatest(reach, public.sky_angle(middle, shape[3 * i + 1 : 3 * i + 3]));
    END LOOP;
    RETURN middle || CASE WHEN reach < 90 THEN reach ELSE 180 END;
END $$;

-- The box in space that holds a shape: for the index of regions.
CREATE FUNCTION public.sky_bounds(shape double precision[]) RETURNS public.cube
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE r double precision[] := public.sky_round(shape);
BEGIN
    RETURN public.cube_enlarge(public.cube(r[1:3]), 2 * sind(least(r[4], 180) / 2) + 1e-9, 3);
END $$;

-- Whether a place is in a shape: seen from it, the vertices go once round it.
CREATE FUNCTION public.sky_holds(shape double precision[], p double precision[]) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    n integer := cardinality(shape); turn double precision := 0;
    a double precision[]; b double precision[]; r double precision[];
BEGIN
    IF n = 3 THEN RETURN public.sky_angle(shape, p) < 1e-9; END IF;
    IF n = 4 THEN RETURN public.sky_angle(shape, p) <= shape[4]; END IF;
    r := public.sky_round(shape);
    IF public.sky_angle(r, p) > r[4] + 1e-9 THEN RETURN false; END IF;
    b := shape[n - 2 : n];
    FOR i IN 0 .. n / 3 - 1 LOOP
        a := b; b := shape[3 * i + 1 : 3 * i + 3];
        IF public.sky_angle(p, b) < 1e-9 THEN RETURN true; END IF;
        turn := turn + atan2(public.sky_dot(p, public.sky_cross(a, b)),
                             public.sky_dot(a, b) - public.sky_dot(a, p) * public.sky_dot(b, p));
    END LOOP;
    RETURN abs(turn) > 3;
END $$;

-- From a place to the edge of a polygon.
CREATE FUNCTION public.sky_to_edge(shape double precision[], p double precision[]) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    n integer := cardinality(shape); least_angle double precision := 180;
    a double precision[]; b double precision[] := shape[n - 2 : n];
BEGIN
    FOR i IN 0 .. n / 3 - 1 LOOP
        a := b; b := shape[3 * i + 1 : 3 * i + 3];
        least_angle := least(least_angle, public.sky_to_arc(p, a, b));
    END LOOP;
    RETURN least_angle;
END $$;

-- Whether edges of two polygons cross.
CREATE FUNCTION public.sky_edges_cross(one double precision[], other double precision[]) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    m integer := cardinality(one); n integer := cardinality(other);
    a double precision[]; b double precision[] := one[m - 2 : m]; c double precision[]; d double precision[];
    u double precision[]; v double precision[];
BEGIN
    FOR i IN 0 .. m / 3 - 1 LOOP
        a := b; b := one[3 * i + 1 : 3 * i + 3]; u := public.sky_cross(a, b); d := other[n - 2 : n];
        FOR k IN 0 .. n / 3 - 1 LOOP
            c := d; d := other[3 * k + 1 : 3 * k + 3]; v := public.sky_cross(c, d);
            IF public.sky_dot(u, c) * public.sky_dot(u, d) < 0 AND public.sky_dot(v, a) * public.sky_dot(v, b) < 0
               AND public.sky_dot(ARRAY[a[1] + b[1], a[2] + b[2], a[3] + b[3]],
                                  ARRAY[c[1] + d[1], c[2] + d[2], c[3] + d[3]]) > 0
            THEN RETURN true; END IF;
        END LOOP;
    END LOOP;
    RETURN false;
END $$;

-- 1 where the first shape lies in the second, else 0.
CREATE FUNCTION public.sky_contains(inner_shape double precision[], outer_shape double precision[]) RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE n integer := cardinality(inner_shape);
BEGIN
    IF n = 3 THEN RETURN public.sky_holds(outer_shape, inner_shape)::integer; END IF;
    IF n = 4 THEN
        IF cardinality(outer_shape) <= 4 THEN
            RETURN (public.sky_angle(inner_shape, outer_shape) + inner_shape[4] <= coalesce(outer_shape[4], 0))::integer;
        END IF;
        RETURN (public.sky_holds(outer_shape, inner_shape[1:3])
                AND public.sky_to_edge(outer_shape, inner_shape[1:3]) >= inner_shape[4])::integer;
    END IF;
    FOR i IN 0 .. n / 3 - 1 LOOP
        IF NOT public.sky_holds(outer_shape, inner_shape[3 * i + 1 : 3 * i + 3]) THEN RETURN 0; END IF;
    END LOOP;
    RETURN (cardinality(outer_shape) <= 4 OR NOT public.sky_edges_cross(inner_shape, outer_shape))::integer;
END $$;

-- 1 where two shapes have a place in common, else 0.
CREATE FUNCTION public.sky_intersects(one double precision[], other double precision[]) RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE m integer := cardinality(one); n integer := cardinality(other);
BEGIN
    IF m <= 4 AND n <= 4 THEN
        RETURN (public.sky_angle(one, other) <= coalesce(one[4], 0) + coalesce(other[4], 0) + 1e-9)::integer;
    ELSIF m <= 4 THEN
        RETURN (public.sky_holds(other, one[1:3]) OR public.sky_to_edge(other, one[1:3]) <= coalesce(one[4], 0))::integer;
    ELSIF n <= 4 THEN
        RETURN public.sky_intersects(other, one);
    END IF;
    RETURN (public.sky_holds(one, other[1:3]) OR public.sky_holds(other, one[1:3])
            OR public.sky_edges_cross(one, other))::integer;
END $$;
