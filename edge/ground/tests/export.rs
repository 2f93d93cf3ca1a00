//! `ground export` as a user runs it, into GeoParquet and STAC.

use anyhow::{Context, Result, ensure};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt32Type};
use arrow_array::{Array, RecordBatch};
use cssa::trust::Reason;
use cssa_wire::{Caption, CaptionPacket, Corner, Down, DownPacket, Footprint, Position, Report};
use ground::Message;
use ground::archive::{Archive, Provenance};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use std::fs::File;
use std::path::Path;
use std::process::Command;

/// An archive with a caption that has time, place and footprint, one without a footprint, one without a place, one without a time.
fn archive(path: &Path) -> Result<()> {
    let mut archive = Archive::open(path)?;
    let caption = |sequence, time, place: Option<(f64, f64)>| Caption {
        sequence,
        time,
        position: place.and_then(|(latitude, longitude)| Position::new(latitude, longitude)),
        text: format!("river number {sequence}"),
        ..Caption::default()
    };
    let captions = vec![
        caption(3, 1_763_928_000, Some((48.0, 16.5))),
        caption(4, 1_763_928_001, Some((-33.5, -70.25))),
        caption(5, 1_763_928_002, None),
        caption(6, 0, Some((48.0, 16.5))),
    ];
    archive.keep("uav", &CaptionPacket { vehicle: 12, bundle: 0xbeef, decimals: 5, captions })?;
    let corners = [(127, -95), (127, 95), (-127, 95), (-127, -95)].map(|(north, east)| Corner { north, east });
    archive.keep_footprints("uav", 12, &[Footprint { number: 3, accuracy: 12, step: 71, corners }])?;
    Ok(())
}

fn export(archive: &Path, format: &str, out: &Path, more: &[&str]) -> Result<String> {
    let mut ground = Command::new(env!("CARGO_BIN_EXE_ground"));
    ground.args(["export", "--format", format, "--archive"]).arg(archive).arg("--out").arg(out).args(more);
    let output = ground.output()?;
    let told = String::from_utf8(output.stderr)?;
    ensure!(output.status.success(), "{told}");
    Ok(told)
}

#[test]
fn geoparquet_has_each_caption_with_both_geometries() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (captions, out) = (folder.path().join("captions.gpkg"), folder.path().join("captions.parquet"));
    archive(&captions)?;
    export(&captions, "geoparquet", &out, &[])?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(&out)?)?;
    let metadata = builder.metadata().file_metadata().key_value_metadata().context("metadata")?;
    let geo = metadata.iter().find(|pair| pair.key == "geo").and_then(|pair| pair.value.as_deref()).context("geo")?;
    let geo: Value = serde_json::from_str(geo)?;
    assert_eq!((&geo["version"], &geo["primary_column"]), (&json!("1.1.0"), &json!("geometry")));
    assert_eq!(geo["columns"]["geometry"]["geometry_types"], json!(["Point"]));
    assert_eq!(geo["columns"]["geometry"]["bbox"], json!([-70.25, -33.5, 16.5, 48.0]));
    assert_eq!(geo["columns"]["footprint"]["covering"]["bbox"]["ymax"], json!(["footprint_bbox", "ymax"]));
    let batches: Vec<RecordBatch> = builder.build()?.collect::<Result<_, _>>()?;
    let [rows] = batches.as_slice() else { anyhow::bail!("{} batches", batches.len()) };
    let column = |name: &str| rows.column_by_name(name).with_context(|| name.to_owned());
    assert_eq!(column("sequence")?.as_primitive::<UInt32Type>().values(), &[3, 4, 5, 6]);
    let nulls = |name: &str| -> Result<Vec<usize>> {
        let column = column(name)?;
        Ok((0..4).filter(|&n| column.is_null(n)).collect())
    };
    assert_eq!(nulls("geometry")?, [2]);
    assert_eq!(nulls("bbox")?, [2]);
    assert_eq!(nulls("footprint")?, [1, 2, 3]);
    assert_eq!(nulls("time")?, [3]);
    // WKB: byte order, type 1, longitude, latitude.
    let point: Vec<u8> = [&[1, 1, 0, 0, 0][..], &(-70.25_f64).to_le_bytes(), &(-33.5_f64).to_le_bytes()].concat();
    assert_eq!(column("geometry")?.as_binary::<i32>().value(1), point);
    let bounds = column("footprint_bbox")?.as_struct();
    let side = |name: &str| {
        Ok::<_, anyhow::Error>(bounds.column_by_name(name).context("a side")?.as_primitive::<Float64Type>().value(0))
    };
    assert!(side("xmin")? < 16.5 && side("xmax")? > 16.5 && side("ymin")? < 48.0 && side("ymax")? > 48.0);
    assert_eq!(column("accuracy")?.as_primitive::<Float64Type>().value(0), 12.0);
    let first = std::fs::read(&out)?;
    export(&captions, "geoparquet", &out, &[])?;
    assert_eq!(std::fs::read(&out)?, first, "the same captions give the same bytes");
    export(&captions, "geoparquet", &out, &["--words", "nothing"])?;
    assert_eq!(ParquetRecordBatchReaderBuilder::try_new(File::open(&out)?)?.metadata().file_metadata().num_rows(), 0);
    Ok(())
}

#[test]
fn stac_items_lead_to_the_scene_and_the_model() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (captions, out) = (folder.path().join("captions.gpkg"), folder.path().join("captions.json"));
    archive(&captions)?;
    let told = export(
        &captions,
        "stac",
        &out,
        &["--scene", "scenes/{vehicle}/{sequence}.tif", "--model", "models/{bundle}.json"],
    )?;
    assert!(told.contains("1 captions without a time are left out"), "{told}");
    let found: Value = serde_json::from_slice(&std::fs::read(&out)?)?;
    let items = found["features"].as_array().context("features")?;
    assert_eq!(items.len(), 3);
    assert_eq!(items[0]["geometry"]["type"], "Polygon");
    assert_eq!(items[1]["geometry"], json!({"type": "Point", "coordinates": [-70.25, -33.5]}));
    assert_eq!(items[1]["bbox"], json!([-70.25, -33.5, -70.25, -33.5]));
    assert!(items[2]["geometry"].is_null() && items[2].get("bbox").is_none(), "{}", items[2]);
    assert_eq!(items[0]["properties"]["description"], "river number 3");
    assert_eq!(items[0]["properties"]["datetime"], "2025-11-23T20:00:00.000Z");
    let links: Vec<_> =
        items[0]["links"].as_array().context("links")?.iter().map(|link| (&link["rel"], &link["href"])).collect();
    let rel = json!("derived_from");
    assert_eq!(links, [(&rel, &json!("scenes/12/3.tif")), (&rel, &json!("models/beef.json"))]);
    export(&captions, "stac", &out, &[])?;
    let found: Value = serde_json::from_slice(&std::fs::read(&out)?)?;
    let scene = found["features"][0]["links"][0]["href"].as_str().context("href")?;
    assert!(scene.starts_with("urn:cssa:scene:12-3-"), "{scene}");
    let refused = export(&captions, "csv", &out, &["--scene", "x"]);
    assert!(refused.is_err_and(|said| said.to_string().contains("expected --format stac")));
    Ok(())
}

#[test]
fn a_dash_is_standard_output_and_placeholders_are_known_ones() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let captions = folder.path().join("captions.gpkg");
    archive(&captions)?;
    let run = |format: &str, more: &[&str]| {
        let mut ground = Command::new(env!("CARGO_BIN_EXE_ground"));
        ground.args(["export", "--archive"]).arg(&captions).args(["--out", "-", "--format", format]).args(more);
        ground.current_dir(folder.path()).output()
    };
    let csv = run("csv", &[])?;
    assert!(csv.status.success() && csv.stderr.is_empty());
    // What the archive has besides is named: a dark camera is no silence.
    let dark = Down::Report(Report::of_run(9, Reason::Dark, 1_763_928_003, 40));
    let dark = Message::of(&DownPacket { vehicle: 12, bundle: 7, body: dark }).context("a message")?;
    Archive::open(&captions)?.keep_message("uav", &dark, &[1], Provenance::Anybody)?;
    let csv = run("csv", &[])?;
    let told = String::from_utf8(csv.stderr)?;
    assert!(csv.status.success() && told.contains("frames outside (runs: 1)"), "{told}");
    let text = String::from_utf8(csv.stdout)?;
    assert!(text.starts_with("sender,vehicle,") && text.lines().count() == 5, "{text}");
    let footprints = run("geojson", &["--layer", "footprints"])?;
    assert!(String::from_utf8(footprints.stderr)?.contains("frames outside (runs: 1)"));
    let footprints: Value = serde_json::from_slice(&footprints.stdout)?;
    assert_eq!(footprints["features"].as_array().map(Vec::len), Some(1));
    assert!(!folder.path().join("-").exists());
    for option in ["--scene", "--model"] {
        let refused = run("stac", &[option, "scenes/{date}.tif"])?;
        let said = String::from_utf8(refused.stderr)?;
        assert!(
            !refused.status.success() && refused.stdout.is_empty() && said.contains("has {date}.tif, expected"),
            "{said}"
        );
    }
    Ok(())
}

/// Captions that were acknowledged are nowhere else.
#[test]
fn an_archive_is_not_written_over() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (captions, link) = (folder.path().join("captions.gpkg"), folder.path().join("link.csv"));
    archive(&captions)?;
    std::os::unix::fs::symlink("captions.gpkg", &link)?;
    let before = std::fs::read(&captions)?;
    for out in [&captions, &link, &folder.path().join("captions.gpkg-wal")] {
        let told = export(&captions, "csv", out, &[]).err().context("was written")?.to_string();
        ensure!(told.contains("would be written over"), "{told}");
        let mut ask = Command::new(env!("CARGO_BIN_EXE_ground"));
        let asked = ask.args(["ask", "--picture", "1", "--archive"]).arg(&captions).arg("--out").arg(out).output()?;
        ensure!(!asked.status.success() && String::from_utf8(asked.stderr)?.contains("would be written over"));
    }
    ensure!(std::fs::read(&captions)? == before);
    Ok(())
}
