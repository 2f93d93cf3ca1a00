"""Writes what `cssa-image` knows of the EPSG's coordinate systems, from the PROJ that is installed (libproj and its proj.db).

    python3 generate.py systems.zz            # all systems that PROJ describes by a string
    python3 generate.py systems.zz points.csv # and, for each, points with what PROJ makes of them
    python3 generate.py systems.zz points.csv left-out.txt # without the systems that `left-out.txt` names

The test `all_systems_lie_where_proj_has_them` of `cssa-image` reads points.csv (`POINTS`) and lists the systems (`WRONG`) that
belong into left-out.txt: those that lie elsewhere, mostly since PROJ found a grid on the machine that it ran on. There, too, are
systems by another meridian than Greenwich's that PROJ has fewer shifts for than for their twins by Greenwich, and that are more than
1e-6 of a degree off them: Monte Mario (Rome), Bogota (Bogota), MGI (Ferro), Batavia and Gunung Segara (Jakarta).

`systems.zz` deflates three kinds of lines, in this order:
    s TX TY TZ RX RY RZ PPM ACCURACY SOUTH WEST NORTH EAST    a shift to WGS 84 (position vector, seconds of arc), its area
    g CODE DATUM SHIFTS DEFINITION                            a geographic system, DATUM its EPSG code
    p CODE BASE CONVERSION SHIFTS DEFINITION                  a projected system on the geographic system BASE
SHIFTS are the numbers of the lines `s`, the best first, `-` where none is known without a grid.
What is in the EPSG Dataset is the work of IOGP: https://epsg.org/terms-of-use.html.
"""

import csv
import ctypes as c
import math
import sqlite3
import sys
import zlib

import numpy as np

DATABASE = "/usr/share/proj/proj.db"
PROJ = c.CDLL("libproj.so.25")
CRS, PROJ_4, PARTIAL, DISCARD_WITHOUT_GRID, FORWARD = 3, 1, 1, 1, 1


class Coordinate(c.Structure):
    _fields_ = [(name, c.c_double) for name in "xyzt"]


for name, result, arguments in [
    ("proj_context_create", c.c_void_p, []),
    ("proj_create_from_database", c.c_void_p, [c.c_void_p, c.c_char_p, c.c_char_p, c.c_int, c.c_int, c.c_void_p]),
    ("proj_as_proj_string", c.c_char_p, [c.c_void_p, c.c_void_p, c.c_int, c.c_void_p]),
    ("proj_create_operation_factory_context", c.c_void_p, [c.c_void_p, c.c_char_p]),
    ("proj_operation_factory_context_set_spatial_criterion", None, [c.c_void_p, c.c_void_p, c.c_int]),
    ("proj_operation_factory_context_set_grid_availability_use", None, [c.c_void_p, c.c_void_p, c.c_int]),
    ("proj_operation_factory_context_set_area_of_interest", None, [c.c_void_p] * 2 + [c.c_double] * 4),
    ("proj_create_operations", c.c_void_p, [c.c_void_p] * 4),
    ("proj_list_get_count", c.c_int, [c.c_void_p]),
    ("proj_list_get", c.c_void_p, [c.c_void_p, c.c_void_p, c.c_int]),
    ("proj_coordoperation_has_ballpark_transformation", c.c_int, [c.c_void_p, c.c_void_p]),
    ("proj_coordoperation_get_accuracy", c.c_double, [c.c_void_p, c.c_void_p]),
    ("proj_coordoperation_get_grid_used_count", c.c_int, [c.c_void_p, c.c_void_p]),
    ("proj_normalize_for_visualization", c.c_void_p, [c.c_void_p, c.c_void_p]),
    ("proj_get_name", c.c_char_p, [c.c_void_p]),
    ("proj_trans", Coordinate, [c.c_void_p, c.c_int, Coordinate]),
    ("proj_create_crs_to_crs_from_pj", c.c_void_p, [c.c_void_p] * 5),
    ("proj_get_area_of_use", c.c_int, [c.c_void_p] * 2 + [c.POINTER(c.c_double)] * 4 + [c.c_void_p]),
    ("proj_crs_get_geodetic_crs", c.c_void_p, [c.c_void_p] * 2),
    ("proj_get_ellipsoid", c.c_void_p, [c.c_void_p] * 2),
    ("proj_ellipsoid_get_parameters", c.c_int, [c.c_void_p] * 2 + [c.POINTER(c.c_double)] * 2 + [c.c_void_p, c.c_void_p]),
    ("proj_get_prime_meridian", c.c_void_p, [c.c_void_p] * 2),
    ("proj_prime_meridian_get_parameters", c.c_int, [c.c_void_p] * 2 + [c.POINTER(c.c_double)] * 2 + [c.c_void_p]),
    ("proj_list_destroy", None, [c.c_void_p]),
]:
    function = getattr(PROJ, name)
    function.restype, function.argtypes = result, arguments

context = PROJ.proj_context_create()


def epsg(code):
    return PROJ.proj_create_from_database(context, b"EPSG", str(code).encode(), CRS, 0, None)


WGS84 = epsg(4326)
GLOBE = [(lon + 1.7, lat) for lat in range(-75, 90, 25) for lon in range(-180, 180, 40)]


def area(pj):
    bounds = [c.c_double() for _ in range(4)]
    PROJ.proj_get_area_of_use(context, pj, *[c.byref(b) for b in bounds], None)
    return [b.value for b in bounds]  # west, south, east, north


def ellipsoid(crs):
    a, b = c.c_double(), c.c_double()
    PROJ.proj_ellipsoid_get_parameters(context, PROJ.proj_get_ellipsoid(context, crs), c.byref(a), c.byref(b), None, None)
    return a.value, b.value


def meridian(crs):
    longitude, radians = c.c_double(), c.c_double()
    meridian = PROJ.proj_get_prime_meridian(context, crs)
    PROJ.proj_prime_meridian_get_parameters(context, meridian, c.byref(longitude), c.byref(radians), None)
    return math.degrees(longitude.value * radians.value)


def cartesian(lon, lat, a, b):
    lon, lat = math.radians(lon), math.radians(lat)
    e2 = 1 - (b / a) ** 2
    n = a / math.sqrt(1 - e2 * math.sin(lat) ** 2)
    return np.array([n * math.cos(lat) * math.cos(lon), n * math.cos(lat) * math.sin(lon), n * (1 - e2) * math.sin(lat)])


def tangents(lon, lat):
    lon, lat = math.radians(lon), math.radians(lat)
    east = np.array([-math.sin(lon), math.cos(lon), 0])
    north = np.array([-math.sin(lat) * math.cos(lon), -math.sin(lat) * math.sin(lon), math.cos(lat)])
    return east, north


def helmert(operation, source, meridian, unit):
    """The seven parameters of an operation between geographic systems, or None where it is something else."""
    a, b = ellipsoid(source)
    wa, wb = ellipsoid(WGS84)
    rows, values = [], []
    for lon, lat in GLOBE:
        out = PROJ.proj_trans(operation, FORWARD, Coordinate((lon - meridian) / unit, lat / unit, 0, math.inf))
        if not (math.isfinite(out.x) and math.isfinite(out.y)):
            return None
        old, new = cartesian(lon, lat, a, b), cartesian(out.x, out.y, wa, wb)
        x, y, z = old
        jacobian = np.array([[1, 0, 0, 0, z, -y, x], [0, 1, 0, -z, 0, x, y], [0, 0, 1, y, -x, 0, z]], float)
        for tangent in tangents(out.x, out.y):
            rows.append(tangent @ jacobian)
            values.append(tangent @ (new - old))
    scale = np.array([1, 1, 1] + [6.4e6] * 4)
    solved = np.linalg.lstsq(np.array(rows) / scale, np.array(values), rcond=None)[0] / scale
    residual = np.abs(np.array(rows) @ solved - np.array(values)).max()
    if residual > 0.02:
        return None
    seconds = 180 * 3600 / math.pi
    units = [1, 1, 1, seconds, seconds, seconds, 1e6]
    return [round(value * u, digits) + 0.0 for value, u, digits in zip(solved, units, [4, 4, 4, 7, 7, 7, 6])]


shifts, numbers, fitted = [], {}, {}


def shift_numbers(base, place, factory):
    """Numbers of the shifts from a geographic system in an area, the most accurate first; what needs a grid is left out."""
    crs, offset, unit = base
    PROJ.proj_operation_factory_context_set_area_of_interest(context, factory, *place)
    found = []
    listed = PROJ.proj_create_operations(context, crs, WGS84, factory)
    for index in range(PROJ.proj_list_get_count(listed)):
        operation = PROJ.proj_list_get(context, listed, index)
        if PROJ.proj_coordoperation_has_ballpark_transformation(context, operation):
            continue
        accuracy = PROJ.proj_coordoperation_get_accuracy(context, operation)
        name = PROJ.proj_get_name(operation).decode()
        place_name = c.c_char_p()
        PROJ.proj_get_area_of_use(context, operation, *[c.byref(c.c_double()) for _ in range(4)], c.byref(place_name))
        at_sea = b"- offshore" in (place_name.value or b"")
        if (crs, name) not in fitted:
            plain = PROJ.proj_normalize_for_visualization(context, operation)
            has_grid = PROJ.proj_coordoperation_get_grid_used_count(context, operation)
            fitted[crs, name] = None if has_grid or not plain else helmert(plain, crs, offset, unit)
        found.append((at_sea, accuracy if accuracy >= 0 else 999, index, fitted[crs, name], area(operation)))
    PROJ.proj_list_destroy(listed)
    result = []
    for _, accuracy, _, values, (west, south, east, north) in sorted(found, key=lambda entry: entry[:3]):
        if values is None:
            continue
        entry = tuple(values) + (accuracy,) + tuple(round(v, 2) for v in (south, west, north, east))
        if entry not in numbers:
            numbers[entry] = len(shifts)
            shifts.append(entry)
        result.append(numbers[entry])
    return result


def definition(crs):
    text = PROJ.proj_as_proj_string(context, crs, PROJ_4, None)
    if not text:
        return None
    # proj4rs takes a meridian's name for radians: the reader adds its degrees itself.
    words = [f"+pm={meridian(crs):.13g}" if word.startswith("+pm=") else word for word in text.decode().split()]
    return " ".join(word for word in words if word not in ("+no_defs", "+type=crs", "+wktext"))


def points(code, out):
    """Five points of a system's area: the code, x and y, and the latitude and longitude that PROJ gives."""
    crs = epsg(code)
    west, south, east, north = area(crs)
    east += 360 if east < west else 0
    back = PROJ.proj_normalize_for_visualization(
        context, PROJ.proj_create_crs_to_crs_from_pj(context, crs, WGS84, None, None)
    )
    for across, up in [(0.5, 0.5), (0.3, 0.3), (0.7, 0.3), (0.3, 0.7), (0.7, 0.7)]:
        lon, lat = west + across * (east - west), south + up * (north - south)
        lon -= 360 if lon > 180 else 0
        there = PROJ.proj_trans(back, -1, Coordinate(lon, lat, 0, math.inf))
        here = PROJ.proj_trans(back, FORWARD, Coordinate(there.x, there.y, 0, math.inf))
        if all(map(math.isfinite, (there.x, there.y, here.x, here.y))):
            out.writerow([code, repr(there.x), repr(there.y), f"{here.y:.9f}", f"{here.x:.9f}"])


def main():
    database = sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True)
    factory = PROJ.proj_create_operation_factory_context(context, None)
    PROJ.proj_operation_factory_context_set_spatial_criterion(context, factory, PARTIAL)
    PROJ.proj_operation_factory_context_set_grid_availability_use(context, factory, DISCARD_WITHOUT_GRID)
    left_out = set(open(sys.argv[3]).read().split()) if len(sys.argv) > 3 else set()
    lines, bases = [], {}
    systems = """select g.code, datum_code, coalesce(min(u.conv_factor), 0.017453292519943295) from geodetic_crs g join axis a on a.coordinate_system_code = g.coordinate_system_code
        join unit_of_measure u on u.code = a.uom_code and u.type = 'angle' where g.auth_name='EPSG' and g.type like 'geographic%'
        and a.auth_name = 'EPSG' and g.code < 65536 group by g.code order by 1"""
    for code, datum, unit in database.execute(systems).fetchall():
        crs, unit = epsg(code), math.degrees(unit)
        text = definition(crs)
        if not text:
            continue
        bases[code] = (crs, meridian(crs), unit)
        found = shift_numbers(bases[code], area(crs), factory)
        angle = f" +angle={unit:.15g}" if abs(unit - 1) > 1e-12 else ""
        lines.append(("g", int(code), datum, found, text + angle))
    for code, base, conversion in database.execute(
        "select code, geodetic_crs_code, conversion_code from projected_crs where auth_name='EPSG' and geodetic_crs_auth_name='EPSG' and code < 65536"
    ).fetchall():
        crs = epsg(code)
        text = definition(crs)
        if not text or base not in bases:
            continue
        found = shift_numbers(bases[base], area(crs), factory)
        lines.append(("p", int(code), base, conversion, found, text))
    if len(sys.argv) > 2:
        with open(sys.argv[2], "w") as out:
            for line in lines:
                points(line[1], csv.writer(out, lineterminator="\n"))
    text = "".join("s " + " ".join(f"{v:.10g}" for v in entry) + "\n" for entry in shifts)
    for kind, code, *rest, found, words in sorted(lines, key=lambda line: line[:2]):
        if str(code) in left_out:
            continue
        text += " ".join([kind, str(code), *map(str, rest), ",".join(map(str, found)) or "-", words]) + "\n"
    with open(sys.argv[1], "wb") as out:
        out.write(zlib.compress(text.encode(), 9) if sys.argv[1].endswith(".zz") else text.encode())


main()
