//! The archive in forms that everything reads.

use super::archive::Archived;
use super::error::Result;
use serde_json::{Value, json};

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

/// CSV (RFC 4180) with a header line.
pub fn csv(captions: &[Archived]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for caption in captions {
        writer.serialize(caption)?;
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
            sequence: 3,
            time: "2025-11-23T20:00:00Z".into(),
            caption: "a \"bridge\", wide".into(),
            score: 0.5,
            priority: 1,
            bundle: "beef".into(),
            latitude: Some(48.25),
            longitude: Some(-16.5),
        };
        vec![Archived { latitude: None, longitude: None, sequence: 2, ..known.clone() }, known]
    }

    #[test]
    fn both_forms_say_everything() -> Result<()> {
        let json = geojson(&captions());
        assert_eq!(json["features"][1]["geometry"]["coordinates"], json!([-16.5, 48.25]));
        assert!(json["features"][0]["geometry"].is_null());
        let csv = String::from_utf8(csv(&captions())?)?;
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines[0], "sender,sequence,time,caption,score,priority,bundle,latitude,longitude");
        assert_eq!(lines[2], "uav,3,2025-11-23T20:00:00Z,\"a \"\"bridge\"\", wide\",0.5,1,beef,48.25,-16.5");
        Ok(())
    }
}
