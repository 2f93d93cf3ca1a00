//! STAC items: the scene that each one names, cut into squares.

use crate::error::{Error, Result};
use crate::reader::size;
use crate::store::Stores;
use crate::tile::{Part, Tile, resolved};
use chrono::DateTime;
use cssa_image::Window;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// How the scenes of STAC items are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Pixels of a tile's side.
    pub pixels: u32,
    /// Pixels from one tile's edge to the next one's.
    pub stride: u32,
}

#[derive(Deserialize)]
struct Item {
    id: String,
    properties: Properties,
    assets: BTreeMap<String, Asset>,
}

#[derive(Deserialize)]
struct Properties {
    datetime: Option<String>,
    #[serde(rename = "proj:shape")]
    shape: Option<[u32; 2]>,
}

#[derive(Deserialize)]
struct Asset {
    href: String,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(rename = "proj:shape")]
    shape: Option<[u32; 2]>,
}

pub(crate) fn read(location: &str, bytes: &[u8], stores: &Stores, cut: Cut) -> Result<Vec<Tile>> {
    let odd = |error: serde_json::Error| Error::table(location, format!("is no STAC item or ItemCollection: {error}"));
    let mut values: Vec<Value> = Vec::new();
    for value in serde_json::Deserializer::from_slice(bytes).into_iter::<Value>() {
        match value.map_err(odd)? {
            Value::Object(mut object) if object.contains_key("features") => match object.remove("features") {
                Some(Value::Array(features)) => values.extend(features),
                _ => return Err(Error::table(location, "its features are no list, expected STAC items")),
            },
            item => values.push(item),
        }
    }
    if values.is_empty() {
        return Err(Error::table(location, "has no STAC item"));
    }
    let mut tiles = Vec::new();
    for value in values {
        cut_item(location, serde_json::from_value(value).map_err(odd)?, stores, cut, &mut tiles)?;
    }
    Ok(tiles)
}

fn cut_item(location: &str, item: Item, stores: &Stores, cut: Cut, tiles: &mut Vec<Tile>) -> Result<()> {
    let with_role = |role: &str| item.assets.values().find(|asset| asset.roles.iter().any(|own| own == role));
    let asset = with_role("visual").or_else(|| item.assets.get("visual")).or_else(|| with_role("data"));
    let missing = || Error::table(location, format!("item {:?} has no asset visual or with the role data", item.id));
    let asset = asset.ok_or_else(missing)?;
    let source = resolved(location, &asset.href);
    let datetime = item.properties.datetime.as_deref().and_then(|time| DateTime::parse_from_rfc3339(time).ok());
    let datetime = datetime.map(|time| time.timestamp_micros());
    let found = match asset.shape.or(item.properties.shape) {
        Some([height, width]) => Ok((width, height)),
        None => size(stores, &source),
    };
    let source: std::sync::Arc<str> = source.into();
    let Ok((width, height)) = found else {
        // The reader says why, for this scene alone.
        tiles.push(Tile { id: item.id, source, part: Part::Whole, datetime });
        return Ok(());
    };
    for y in starts(height, cut) {
        for x in starts(width, cut) {
            let window = Window { x, y, width: cut.pixels.min(width), height: cut.pixels.min(height) };
            let id = format!("{}/{x}-{y}", item.id);
            tiles.push(Tile { id, source: source.clone(), part: Part::Pixels(window), datetime });
        }
    }
    Ok(())
}

/// Where tiles begin; the last one ends at the edge.
fn starts(length: u32, Cut { pixels, stride }: Cut) -> impl Iterator<Item = u32> {
    let last = length.saturating_sub(pixels);
    (0..last).step_by(stride.max(1) as usize).chain([last])
}
