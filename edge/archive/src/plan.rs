//! What is to be captioned: the tiles of a table or of STAC items, and each process' share of them.
//!
//! | column | type | |
//! |---|---|---|
//! | `id` | string | once in the table |
//! | `source` | string | a GeoTIFF: a path or URL, relative to the table |
//! | `x`, `y`, `width`, `height` | whole numbers | the tile's pixels; where absent or null: |
//! | `geometry` | WKB, longitude and latitude | its bounds, clipped to the source; where absent or null: the whole source |
//! | `datetime` | timestamp (UTC where it has no zone), or RFC 3339 text | optional |
//!
//! A file that ends in `.json`, `.geojson`, `.ndjson` or `.jsonl` has STAC items: an ItemCollection, one item, or an item a line. Of each item the
//! asset with the role `visual`, else `data`, else the key `visual` is cut into squares.

use crate::error::{Error, Result};
use crate::stac::Cut;
use crate::store::Stores;
use crate::tile::Tile;
use crate::{stac, table};
use std::collections::HashSet;
use std::ops::Range;

/// All tiles, those of one source together.
#[derive(Clone, Debug)]
pub struct Plan {
    tiles: Vec<Tile>,
}

impl Plan {
    /// Reads a table of tiles or STAC items.
    ///
    /// # Errors
    /// What cannot be read, has not the columns, or names a tile twice.
    pub fn read(location: &str, stores: &Stores, cut: Cut) -> Result<Self> {
        let is_stac = [".json", ".geojson", ".ndjson", ".jsonl"].iter().any(|ending| location.ends_with(ending));
        let bytes = stores.place(location)?.read()?;
        let tiles = if is_stac { stac::read(location, &bytes, stores, cut)? } else { table::read(location, bytes)? };
        Self::of(location, tiles)
    }

    /// A plan of these tiles; `name` stands in errors.
    ///
    /// # Errors
    /// A tile that is there twice.
    pub fn of(name: &str, mut tiles: Vec<Tile>) -> Result<Self> {
        let mut ids = HashSet::with_capacity(tiles.len());
        if let Some(twice) = tiles.iter().find(|tile| !ids.insert(tile.id.as_str())) {
            return Err(Error::table(name, format!("the id {:?} is there twice, expected each once", twice.id)));
        }
        drop(ids);
        tiles.sort_by(|a, b| a.source.cmp(&b.source));
        Ok(Self { tiles })
    }

    /// All tiles, by source.
    #[must_use]
    pub fn tiles(&self) -> &[Tile] {
        &self.tiles
    }

    /// The tiles of process `shard` of `shards`, from 0: as many as any other's, but for one, and those of one source together.
    ///
    /// # Errors
    /// A shard that is not one of `shards`.
    pub fn shard(&self, shard: u32, shards: u32) -> Result<&[Tile]> {
        if shard >= shards {
            return Err(Error::table(&format!("shard {shard}/{shards}"), "expected 0 to the number of shards less 1"));
        }
        let at = |n: u32| (self.tiles.len() as u128 * u128::from(n) / u128::from(shards)) as usize;
        let range: Range<usize> = at(shard)..at(shard + 1);
        Ok(&self.tiles[range])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tile::Part;

    #[test]
    fn shards_are_even_keep_sources_together_and_have_each_tile_once() -> Result<()> {
        let tile = |n: u32| Tile {
            id: n.to_string(),
            source: format!("scene{}.tif", n % 7).into(),
            part: Part::Whole,
            datetime: None,
        };
        let plan = Plan::of("test", (0..1000).map(tile).collect())?;
        let (mut seen, mut changes) = (HashSet::new(), 0);
        for shard in 0..3 {
            let tiles = plan.shard(shard, 3)?;
            assert!((333..=334).contains(&tiles.len()));
            seen.extend(tiles.iter().map(|tile| &tile.id));
            changes += tiles.windows(2).filter(|pair| pair[0].source != pair[1].source).count();
        }
        assert_eq!((seen.len(), changes), (1000, 6));
        assert!(plan.shard(3, 3).is_err());
        assert!(Plan::of("test", vec![tile(1), tile(1)]).is_err_and(|error| error.to_string().contains("twice")));
        Ok(())
    }
}
