//! The archive in forms that everything reads.

use super::archive::{Archived, ArchivedFootprint};
use super::error::Result;
use serde::Serialize;
use serde_json::{Value, json};
use std::borrow::Cow;

/// GeoJSON (RFC 7946): a feature for each caption, without geometry where its place is not known.
#[must_use]
pub fn geojson(captions: &[Archived]) -> Value {
    let feature = |caption: &Archived| {
        let place = caption.longitude.zip(caption.latitude);
        json!({
            "type": "Feature",
            "geometry": place.map(|(longitude, latitude)| json!({"type": "Point", "coordinates": [longitude, latitude]})),
            "properties": caption,
        })
    };
    json!({"type": "FeatureCollection", "features": captions.iter().map(feature).collect::<Vec<_>>()})
}

/// GeoJSON of footprints: a polygon for each caption that has one. They are a file of their own, as the GeoPackage's layer: programs of
/// geographers give a layer one kind of geometry, and take a GeometryCollection apart or not at all.
#[must_use]
pub fn footprints_geojson(footprints: &[ArchivedFootprint]) -> Value {
    let feature = |footprint: &ArchivedFootprint| {
        json!({
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [footprint.ring]},
            "properties": footprint,
        })
    };
    json!({"type": "FeatureCollection", "features": footprints.iter().map(feature).collect::<Vec<_>>()})
}

/// A line of CSV, which has all its fields whatever is known.
#[derive(Serialize)]
struct Line<'a> {
    sender: Cow<'a, str>,
    vehicle: u16,
    sequence: u32,
    time: Option<&'a str>,
    caption: Cow<'a, str>,
    confidence: Option<f64>,
    outside: Option<Cow<'a, str>>,
    priority: u8,
    bundle: &'a str,
    latitude: Option<f64>,
    longitude: Option<f64>,
    received: &'a str,
    after_start: Option<u32>,
}

impl<'a> From<&'a Archived> for Line<'a> {
    fn from(caption: &'a Archived) -> Self {
        Self {
            sender: as_text(&caption.sender),
            vehicle: caption.vehicle,
            sequence: caption.sequence,
            time: caption.time.as_deref(),
            caption: as_text(&caption.caption),
            confidence: caption.confidence,
            outside: caption.outside.as_deref().map(as_text),
            priority: caption.priority,
            bundle: &caption.bundle,
            latitude: caption.latitude,
            longitude: caption.longitude,
            received: &caption.received,
            after_start: caption.after_start,
        }
    }
}

/// Text that spreadsheets take for text, whoever sent it: a cell that begins as their formulas do gets an apostrophe (OWASP, CSV
/// injection).
fn as_text(cell: &str) -> Cow<'_, str> {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if is_formula { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

/// CSV (RFC 4180) with a header line.
pub fn csv(captions: &[Archived]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for caption in captions {
        writer.serialize(Line::from(caption))?;
    }
    Ok(writer.into_inner().map_err(|failed| csv::Error::from(failed.into_error()))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Result;

    fn captions() -> Vec<Archived> {
        let known = Archived {
            sender: "uav".into(),
            vehicle: 12,
            sequence: 3,
            time: Some("2025-11-23T20:00:00.000Z".into()),
            caption: "a \"bridge\", wide".into(),
            confidence: Some(0.5),
            outside: Some("foggy".into()),
            priority: 1,
            bundle: "beef".into(),
            latitude: Some(48.25),
            longitude: Some(-16.5),
            received: "2025-11-23T20:01:00.000Z".into(),
            after_start: None,
        };
        let unknown = Archived {
            time: None,
            after_start: Some(40),
            latitude: None,
            longitude: None,
            confidence: None,
            outside: None,
            ..known.clone()
        };
        vec![unknown, known]
    }

    #[test]
    fn both_forms_say_everything() -> Result<()> {
        let json = geojson(&captions());
        assert_eq!(json["features"][1]["geometry"]["coordinates"], json!([-16.5, 48.25]));
        assert!(json["features"][0]["geometry"].is_null());
        assert_eq!(json["features"][1]["properties"]["outside"], "foggy");
        assert!(json["features"][0]["properties"].get("confidence").is_none(), "absent where there is none");
        let csv = String::from_utf8(csv(&captions())?)?;
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(
            lines[0],
            "sender,vehicle,sequence,time,caption,confidence,outside,priority,bundle,latitude,longitude,received,after_start"
        );
        assert_eq!(lines[1], "uav,12,3,,\"a \"\"bridge\"\", wide\",,,1,beef,,,2025-11-23T20:01:00.000Z,40");
        assert_eq!(
            lines[2],
            "uav,12,3,2025-11-23T20:00:00.000Z,\"a \"\"bridge\"\", wide\",0.5,foggy,1,beef,48.25,-16.5,2025-11-23T20:01:00.000Z,"
        );
        Ok(())
    }

    #[test]
    fn cells_of_text_are_no_formulas_and_numbers_stay_numbers() -> Result<()> {
        for (text, cell) in [
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("+1", "'+1"),
            ("-2+3", "'-2+3"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\ta", "'\ta"),
            ("a road - and a river", "a road - and a river"),
        ] {
            let named = captions().into_iter().map(|known| Archived {
                sender: text.into(),
                caption: text.into(),
                outside: Some(text.into()),
                ..known
            });
            let csv = csv(&named.collect::<Vec<_>>())?;
            let mut reader = csv::Reader::from_reader(csv.as_slice());
            for record in reader.records() {
                let record = record?;
                assert_eq!([&record[0], &record[4], &record[6]], [cell; 3]);
                assert!(["", "-16.5"].contains(&&record[10]), "{record:?}");
            }
        }
        let returned = as_text("\ra").into_owned();
        assert_eq!(returned, "'\ra");
        Ok(())
    }
}
