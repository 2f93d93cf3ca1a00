//! `ground export`: an archive's captions in the forms that others read.

use anyhow::{Context, Result, ensure};
use cssa::files;
use ground::archive::Archive;
use ground::{Links, Place, Stac, csv, footprints_geojson, geojson, geoparquet, placed, stac};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// What stands for it as a file.
const STANDARD_OUTPUT: &str = "-";

/// Options of `ground export`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ground export --archive captions.gpkg --format geojson --words runway --out runways.json
      Writes the captions with this word as points.
  ground export --archive captions.gpkg --format csv --out -
      Prints a table of all captions.
  ground export --archive captions.gpkg --format stac \\
    --scene 'scenes/{vehicle}/{sequence}.tif' --out items.json
      Writes STAC items, each with a link to the scene that it was made of.")]
pub(crate) struct ExportOptions {
    /// Archive: a GeoPackage file or postgres://USER:PASSWORD@HOST/DATABASE.
    #[arg(long)]
    archive: Place,
    /// Output format. geoparquet has captions and footprints in one table; stac is an ItemCollection.
    #[arg(long, value_enum)]
    format: Format,
    /// Geometries: captions as points, or, with geojson, the footprints of their images as polygons.
    #[arg(long, value_enum, default_value = "captions")]
    layer: Layer,
    /// Only captions that contain all of these words. Default: all captions.
    #[arg(long)]
    words: Option<String>,
    /// With stac: address of the scene that a caption is derived from. {vehicle}, {sequence} and {time} are replaced by
    /// the caption's.
    #[arg(long, value_name = "ADDRESS", value_parser = |given: &str| template(given, &["vehicle", "sequence", "time"]))]
    scene: Option<String>,
    /// With stac: address of the model's STAC item. {bundle} is replaced by the bundle's id.
    #[arg(long, value_name = "ADDRESS", value_parser = |given: &str| template(given, &["bundle"]))]
    model: Option<String>,
    /// Output file. -: standard output.
    #[arg(long)]
    out: PathBuf,
}

/// What to write.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// RFC 7946.
    Geojson,
    /// RFC 4180, with a header.
    Csv,
    /// GeoParquet 1.1.
    Geoparquet,
    /// STAC 1.1 items.
    Stac,
}

/// Of which geometries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Layer {
    /// Points.
    Captions,
    /// Polygons.
    Footprints,
}

/// Writes the archive's captions in another form.
pub(crate) fn export(options: &ExportOptions) -> Result<()> {
    if options.out != Path::new(STANDARD_OUTPUT) {
        files::check_writable(&options.out)?;
        options.archive.check_is_not(&options.out)?;
    }
    let is_stac = matches!(options.format, Format::Stac);
    ensure!(is_stac || options.scene.is_none(), "--scene: only STAC items name their scene, expected --format stac");
    ensure!(is_stac || options.model.is_none(), "--model: only STAC items name their model, expected --format stac");
    if options.layer == Layer::Footprints {
        return export_footprints(options);
    }
    let archive = Archive::read_at(&options.archive)?;
    let captions = archive.captions(options.words.as_deref())?;
    let bytes = match options.format {
        Format::Geojson => serde_json::to_vec_pretty(&geojson(&captions)).context("GeoJSON")?,
        Format::Csv => csv(&captions)?,
        Format::Geoparquet => geoparquet(&placed(&captions, &archive.footprints()?))?,
        Format::Stac => {
            let links = Links { scene: options.scene.clone(), model: options.model.clone() };
            let Stac { collection, without_time } = stac(&placed(&captions, &archive.footprints()?), &links);
            if without_time > 0 {
                tracing::warn!("{without_time} captions without a time are left out: a STAC item has one");
            }
            serde_json::to_vec_pretty(&collection).context("STAC")?
        }
    };
    warn_of_reports(&archive, &options.archive)?;
    write(&options.out, &bytes, captions.len(), "captions")
}

/// Says how many runs of frames outside were reported, which no form has.
fn warn_of_reports(archive: &Archive, place: &Place) -> Result<()> {
    let runs = archive.reports(u32::MAX)?.len();
    if runs > 0 {
        tracing::warn!(
            "not in it: what was reported of runs of frames outside (runs: {runs}), table reports of {place}"
        );
    }
    Ok(())
}

fn export_footprints(options: &ExportOptions) -> Result<()> {
    ensure!(
        matches!(options.format, Format::Geojson),
        "--layer footprints: expected --format geojson; GeoParquet and STAC have footprints beside the captions, CSV has none"
    );
    ensure!(options.words.is_none(), "--layer footprints: all footprints are written, expected no --words");
    let archive = Archive::read_at(&options.archive)?;
    let footprints = archive.footprints()?;
    let bytes = serde_json::to_vec_pretty(&footprints_geojson(&footprints)).context("GeoJSON")?;
    warn_of_reports(&archive, &options.archive)?;
    write(&options.out, &bytes, footprints.len(), "footprints")
}

fn write(out: &Path, bytes: &[u8], count: usize, of: &str) -> Result<()> {
    if out == Path::new(STANDARD_OUTPUT) {
        let mut stdout = std::io::stdout().lock();
        return match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            // A reader that has enough, such as head.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            written => written.context("standard output"),
        };
    }
    files::write(out, bytes)?;
    tracing::info!("{}: {count} {of}", out.display());
    Ok(())
}

/// An address with placeholders, all of which are known: one that is not would stand in every item as it is.
fn template(given: &str, known: &[&str]) -> Result<String, String> {
    let mut rest = given;
    while let Some(at) = rest.find(['{', '}']) {
        let name = rest[at..].strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let Some((_, after)) = name.filter(|(name, _)| known.contains(name)) else {
            let expected: Vec<String> = known.iter().map(|name| format!("{{{name}}}")).collect();
            return Err(format!("has {}, expected no placeholder but {}", &rest[at..], expected.join(", ")));
        };
        rest = after;
    }
    Ok(given.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_placeholders_are_taken() {
        let known = ["vehicle", "sequence"];
        for given in ["", "s3://a/b.tif", "{vehicle}", "a/{vehicle}/{sequence}.tif"] {
            assert_eq!(template(given, &known), Ok(given.to_owned()));
        }
        for given in ["{time}", "{vehicle", "vehicle}", "{}", "{{vehicle}}", "{vehicle}{Sequence}"] {
            let said = template(given, &known).expect_err(given);
            assert!(said.ends_with("expected no placeholder but {vehicle}, {sequence}"), "{said}");
        }
    }
}
