//! The archive as STAC 1.1 items: an ItemCollection, an item for each caption whose image has a time.
//!
//! An item's geometry is what the image shows, else its place, else null. `description` has the words; two `derived_from` links lead to the
//! scene, of which the vehicle has sent the words alone, and to the model that said them.

use super::archive::Archived;
use super::geoparquet::Placed;
use cssa::bundle::hexadecimal;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What an archive's captions are as STAC.
#[derive(Clone, Debug, PartialEq)]
pub struct Stac {
    /// The ItemCollection.
    pub collection: Value,
    /// Captions without a time, which STAC cannot have.
    pub without_time: usize,
}

/// Where items' links lead.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// Addresses of scenes, in which `{vehicle}`, `{sequence}` and `{time}` stand for the caption's; a URN where there are none.
    pub scene: Option<String>,
    /// Addresses of models' STAC items, in which `{bundle}` stands for the bundle's id; a URN where there are none.
    pub model: Option<String>,
}

/// The items.
#[must_use]
pub fn stac(captions: &[Placed<'_>], links: &Links) -> Stac {
    let items: Vec<Value> =
        captions.iter().filter_map(|placed| placed.0.time.as_deref().map(|time| item(placed, time, links))).collect();
    let without_time = captions.len() - items.len();
    Stac { collection: json!({"type": "FeatureCollection", "features": items}), without_time }
}

fn item((caption, footprint): &Placed<'_>, time: &str, links: &Links) -> Value {
    let place = caption.longitude.zip(caption.latitude);
    let (geometry, bbox) = match (footprint, place) {
        (Some(footprint), _) => {
            let side = |axis: usize, of: fn(f64, f64) -> f64| footprint.ring.iter().map(|at| at[axis]).reduce(of);
            let sides = [side(0, f64::min), side(1, f64::min), side(0, f64::max), side(1, f64::max)];
            (json!({"type": "Polygon", "coordinates": [footprint.ring]}), Some(json!(sides)))
        }
        (None, Some((x, y))) => (json!({"type": "Point", "coordinates": [x, y]}), Some(json!([x, y, x, y]))),
        (None, None) => (Value::Null, None),
    };
    let (vehicle, sequence) = (caption.vehicle, caption.sequence);
    let mut properties = json!({
        "datetime": time,
        "description": caption.caption,
        "created": caption.received,
        "cssa:vehicle": vehicle,
        "cssa:sequence": sequence,
        "cssa:sender": caption.sender,
        "cssa:priority": caption.priority,
        "cssa:bundle": caption.bundle,
    });
    let accuracy = footprint.map(|footprint| json!(footprint.accuracy));
    let known = [
        ("cssa:confidence", caption.confidence.map(|confidence| json!(confidence))),
        ("cssa:outside", caption.outside.as_ref().map(|reason| json!(reason))),
        ("cssa:accuracy", accuracy),
    ];
    known.into_iter().filter_map(|(name, value)| Some((name, value?))).for_each(|(name, value)| {
        properties[name] = value;
    });
    let mut item = json!({
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [],
        "id": id(caption),
        "geometry": geometry,
        "properties": properties,
        "links": [
            {
                "rel": "derived_from",
                "href": scene(caption, time, links),
                "title": format!("the scene of caption {sequence} aboard vehicle {vehicle}"),
            },
            {
                "rel": "derived_from",
                "href": links.model.as_deref().map_or_else(
                    || format!("urn:cssa:bundle:{}", caption.bundle),
                    |model| model.replace("{bundle}", &caption.bundle),
                ),
                "title": format!("the model, bundle {}", caption.bundle),
            },
        ],
        "assets": {},
    });
    if let Some(bbox) = bbox {
        item["bbox"] = bbox;
    }
    item
}

fn scene(caption: &Archived, time: &str, links: &Links) -> String {
    let (vehicle, sequence) = (caption.vehicle.to_string(), caption.sequence.to_string());
    links.scene.as_deref().map_or_else(
        || format!("urn:cssa:scene:{}", id(caption)),
        |scene| scene.replace("{vehicle}", &vehicle).replace("{sequence}", &sequence).replace("{time}", time),
    )
}

/// One name for each caption of an archive, the same in every export.
fn id(caption: &Archived) -> String {
    let mut digest = Sha256::new();
    for part in [&caption.sender, caption.time.as_deref().unwrap_or_default(), &caption.caption] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    format!("{}-{}-{}", caption.vehicle, caption.sequence, &hexadecimal(&digest.finalize())[..12])
}
