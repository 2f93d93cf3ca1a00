//! Files and systems, held against GDAL and PROJ.

use super::keys::Keys;
use super::system::System;
use super::*;
use anyhow::{Context, Result, ensure};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Degrees to which places are those of GDAL.
const AGREES: f64 = 1e-6;

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/cases/geo")
}

fn differs(found: Place, latitude: f64, longitude: f64) -> f64 {
    let across = (found.longitude - longitude + 540.0).rem_euclid(360.0) - 180.0;
    (found.latitude - latitude).abs().max(across.abs() * latitude.to_radians().cos())
}

#[test]
fn every_file_lies_where_gdal_has_it() -> Result<()> {
    let right = fs::read_to_string(cases().join("right.json"))?;
    let right: BTreeMap<String, Option<(f64, f64)>> = serde_json::from_str(&right)?;
    ensure!(right.len() == 31, "{} files", right.len());
    let mut wrong = Vec::new();
    for (name, right) in right {
        let mut file = File::open(cases().join(&name))?;
        let found = Georeference::read(&mut file).and_then(|georeference| georeference.locate((64.0, 64.0)));
        let agrees = match (&found, right) {
            (Ok(found), Some((latitude, longitude))) => differs(*found, latitude, longitude) < AGREES,
            (Err(problem), None) => !problem.to_string().is_empty(),
            _ => false,
        };
        if !agrees {
            wrong.push(format!("{name}: {found:?}, expected {right:?}"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Systems of which a point of `points` (code, x, y, latitude, longitude) lies elsewhere or nowhere.
fn elsewhere(points: &str) -> Result<BTreeMap<u16, String>> {
    let mut wrong = BTreeMap::new();
    for line in points.lines() {
        let fields: Vec<&str> = line.split(',').collect();
        let &[code, x, y, latitude, longitude] = fields.as_slice() else { anyhow::bail!("{line}") };
        let (code, latitude, longitude): (u16, f64, f64) = (code.parse()?, latitude.parse()?, longitude.parse()?);
        let projected = System::read(&Keys::of(&[(1024, 1), (3072, code)]));
        let system = projected.or_else(|_| System::read(&Keys::of(&[(1024, 2), (2048, code)])));
        let found = system.and_then(|system| system.locate((x.parse().unwrap_or(0.0), y.parse().unwrap_or(0.0))));
        match found {
            Ok(found) if differs(found, latitude, longitude) < AGREES / 10.0 => {}
            Ok(found) => {
                wrong.insert(code, format!("wrong by {}: {line}", differs(found, latitude, longitude)));
            }
            Err(problem) => {
                wrong.entry(code).or_insert(format!("none: {problem}"));
            }
        }
    }
    Ok(wrong)
}

#[test]
fn systems_lie_where_proj_has_them() -> Result<()> {
    let points = fs::read_to_string(cases().join("systems.csv"))?;
    let wrong = elsewhere(&points)?;
    ensure!(wrong.is_empty(), "{wrong:#?}");
    ensure!(points.lines().count() > 500);
    Ok(())
}

/// `POINTS` is what `epsg/generate.py` writes; the systems that are wrong are listed in the file `WRONG`.
#[test]
#[ignore = "for the table's making"]
fn all_systems_lie_where_proj_has_them() -> Result<()> {
    let points = fs::read_to_string(std::env::var("POINTS")?)?;
    let wrong = elsewhere(&points)?;
    let lines: Vec<String> = wrong.iter().map(|(code, why)| format!("{code} {why}")).collect();
    fs::write(std::env::var("WRONG")?, lines.join("\n"))?;
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn damage_is_never_worse_than_no_place(
        name in prop::sample::select(vec![
            "g04_ntf_paris_4807_grads.tif", "g08_rotated_utm.tif", "g14_user_defined_utm_no_epsg.tif", "g15_lv95_2056.tif",
            "g33_six_tiepoints_with_scale.tif", "g42_geog_units_grad_key.tif",
        ]),
        changes in prop::collection::vec((0usize..2048, any::<u8>()), 1..12),
        end in 0usize..20_000,
    ) {
        let mut bytes = fs::read(cases().join(name)).unwrap_or_default();
        let length = bytes.len();
        for (at, value) in changes {
            // GDAL writes the directory at the file's begin or its end.
            let place = if at % 2 == 0 { at / 2 } else { length - 1 - at / 2 };
            bytes[place] = value;
        }
        bytes.truncate(end.max(1));
        let found = Georeference::read(&mut std::io::Cursor::new(bytes));
        if let Ok(place) = found.and_then(|georeference| georeference.locate((64.0, 64.0))) {
            prop_assert!(place.latitude.abs() <= 90.0 && place.longitude.abs() <= 180.0);
        }
    }
}

#[test]
fn what_cannot_be_transformed_is_named() -> Result<()> {
    let problem = |keys: &[(u16, u16)]| -> Result<String> {
        let system = System::read(&Keys::of(keys));
        Ok(system.err().context("a system")?.to_string())
    };
    assert_eq!(
        problem(&[(1024, 1), (3072, 29_702)])?,
        "coordinate system: EPSG:29702, not known here: Projection not found"
    );
    assert!(problem(&[(1024, 2), (2048, 9999)])?.contains("EPSG:9999"));
    assert!(problem(&[(1024, 3), (2048, 4978)])?.contains("model type 3"));
    assert!(problem(&[(1024, 1), (3072, 32_633), (3076, 9999)])?.contains("unit of length EPSG:9999"));
    assert!(problem(&[(1024, 1), (3072, 32_767), (3075, 3)])?.contains("method 3"));
    Ok(())
}

/// Geographic systems by another meridian than Greenwich's, their twins on the same datum, the meridian and the unit of angle in degrees.
const TWINS: [(u16, u16, f64, f64); 10] = [
    (4801, 4149, 7.439583333333, 1.0),
    (4803, 4207, -9.131906111111, 1.0),
    (4804, 4257, 106.8077194444, 1.0),
    (4810, 4297, 2.33722917, 0.9),
    (4811, 4304, 2.33722917, 0.9),
    (4816, 4223, 2.33722917, 0.9),
    (4817, 4273, 10.72291666667, 1.0),
    (4818, 4156, -17.66666666667, 1.0),
    (4904, 4666, -9.131906111111, 1.0),
    (5229, 5228, -17.66666666667, 1.0),
];

/// A datum has one place for a point, whatever meridian its longitude is counted from.
#[test]
fn other_meridians_have_the_places_of_greenwich() -> Result<()> {
    let of = |code: u16| System::read(&Keys::of(&[(1024, 2), (2048, code)])).map_err(anyhow::Error::from);
    for (code, twin, meridian, unit) in TWINS {
        let (system, greenwich) = (of(code)?, of(twin)?);
        let areas = epsg::geographic(code).context("no such system")?.shifts;
        ensure!(!areas.is_empty(), "{code} has no shift");
        for [south, west, north, east] in areas.into_iter().map(|shift| shift.area) {
            for (down, across) in
                (0..=10).flat_map(|down| (0..=10).map(move |across| (f64::from(down), f64::from(across))))
            {
                let (latitude, longitude) =
                    (south + (north - south) * down / 10.0, west + (east - west) * across / 10.0);
                let found = system.locate(((longitude - meridian) / unit, latitude / unit));
                let right = greenwich.locate((longitude, latitude));
                if let (Ok(found), Ok(right)) = (found, right) {
                    let apart = differs(found, right.latitude, right.longitude);
                    ensure!(apart < AGREES, "EPSG:{code} at {latitude}, {longitude}: {apart} from EPSG:{twin}");
                }
            }
        }
    }
    Ok(())
}

/// PROJ has one shift for all of such a system where its twin by Greenwich has others by area: it would be up to 20 m off.
#[test]
fn systems_that_miss_their_twins_shifts_have_no_place_and_are_named() -> Result<()> {
    // Monte Mario, Bogota, MGI, Batavia and Gunung Segara by Rome, Bogota, Ferro and Jakarta.
    let geographic = [4806, 4802, 4805, 4813, 4820];
    let projected = [
        26_591, 26_592, 2934, 5329, 5330, 21_100, 31_251, 31_252, 31_253, 31_281, 31_282, 31_283, 31_288, 31_289,
        31_290, 31_291, 31_292, 31_293,
    ];
    let systems = geographic.map(|code| (2, 2048, code)).into_iter().chain(projected.map(|code| (1, 3072, code)));
    for (model, key, code) in systems {
        let problem =
            System::read(&Keys::of(&[(1024, model), (key, code)])).err().with_context(|| format!("EPSG:{code}"))?;
        assert_eq!(problem.to_string(), format!("coordinate system: EPSG:{code}, not known here"));
    }
    for twin in [4265, 4218, 4312, 4211, 4613] {
        assert!(System::read(&Keys::of(&[(1024, 2), (2048, twin)])).is_ok(), "EPSG:{twin}");
    }
    Ok(())
}

#[test]
fn degrees_beyond_the_earth_are_no_place() -> Result<()> {
    let system = System::read(&Keys::of(&[(1024, 2), (2048, 4326)]))?;
    assert!(system.locate((200.0, 20.0)).is_ok_and(|found| differs(found, 20.0, -160.0) < 1e-9));
    for outside in [(500_000.0, 5_000_000.0), (16.0, 90.1), (361.0, 0.0), (f64::NAN, 0.0), (f64::INFINITY, 1.0)] {
        assert!(system.locate(outside).is_err(), "{outside:?}");
    }
    let zone = System::read(&Keys::of(&[(1024, 1), (3072, 32_633)]))?;
    for outside in [(1e12, 5e6), (f64::NAN, 5e6), (5e5, 1e9)] {
        assert!(zone.locate(outside).is_err(), "{outside:?}");
    }
    let codes: BTreeSet<u16> = [32_633, 3857, 2056].into();
    assert!(codes.iter().all(|&code| System::read(&Keys::of(&[(1024, 1), (3072, code)])).is_ok()));
    Ok(())
}
