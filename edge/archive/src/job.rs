//! A shard, from its tiles to its file.
//!
//! The file's name is `captions-SHARD-of-SHARDS-ROWS-SOURCES.parquet`. ROWS is a hash of the shard's rows, the options and the bundle; SOURCES one
//! of what each source is: length, and ETag or time of change. A file that is there and whole is not made again, but for its rows with an
//! error; one of other SOURCES gives way to the new one. Up to then rows are kept in parts of [`PART`] in the folder `.work-…` beside it: a
//! process that is killed loses at most so many.

use crate::error::{Error, Result};
use crate::output::{self, Row};
use crate::pipeline::{self, Model, Pace};
use crate::reader::Reader;
use crate::store::{Place, Stores};
use crate::tile::Tile;
use cssa::bundle::hexadecimal;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Rows of a part.
const PART: usize = 256;

/// What a process has to do.
#[derive(Clone, Debug)]
pub struct Job<'a> {
    /// Its tiles.
    pub tiles: &'a [Tile],
    /// Which shard, of how many.
    pub shard: (u32, u32),
    /// A folder, or `s3://BUCKET/PREFIX`.
    pub out: &'a str,
    /// SHA-256 of the bundle's manifest.
    pub bundle: &'a str,
    /// What else changes captions, as text.
    pub options: &'a str,
    /// How tiles come and go.
    pub pace: Pace,
}

/// What became of a shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The file.
    pub file: String,
    /// Rows that this run captioned.
    pub captioned: usize,
    /// Rows that had their caption already.
    pub kept: usize,
    /// All other rows of the file, without a caption, by reason; those of earlier runs too, where they were not tried again.
    pub failed: BTreeMap<String, usize>,
}

impl Job<'_> {
    /// Does it. `open` loads the model, where there is anything to caption; `seen` hears of each row, with its error.
    ///
    /// # Errors
    /// An output that cannot be written, a model that does not load ([`Error::Load`]), [`Error::Stopped`]. What is wrong with a tile is in
    /// the outcome.
    pub fn run<'m>(
        &self,
        stores: &Arc<Stores>,
        open: impl FnOnce() -> Result<Box<Model<'m>>>,
        stop: &AtomicBool,
        seen: &mut dyn FnMut(&Tile, Option<&Error>),
    ) -> Result<Outcome> {
        let out = stores.place(self.out)?;
        out.prepare()?;
        let (rows_name, name) = self.names(stores);
        let file = out.child(&name);
        let work = out.child(&format!(".work-{name}"));
        let mut rows: Vec<Option<Row>> = self.existing(&file);
        let kept_parts = work.names()?;
        for (k, chunk) in self.tiles.chunks(PART).enumerate() {
            let part = part_name(k);
            let range = k * PART..k * PART + chunk.len();
            if kept_parts.contains(&part) && rows[range.clone()].iter().any(Option::is_none) {
                let found = self.rows_of(&work.child(&part), chunk);
                found.into_iter().zip(range).for_each(|(row, n)| rows[n] = rows[n].take().or(Some(row)));
            }
        }
        let todo: Vec<usize> = (0..rows.len()).filter(|n| rows[*n].is_none()).collect();
        let mut outcome = Outcome { file: file.name(), ..Outcome::default() };
        let is_there = file.identity().is_ok();
        if !todo.is_empty() {
            let mut model = open()?;
            let tiles: Vec<&Tile> = todo.iter().map(|n| &self.tiles[*n]).collect();
            let reader = Reader::new(Arc::clone(stores));
            let mut reasons = BTreeMap::<String, usize>::new();
            pipeline::run(&reader, &tiles, self.pace, self.bundle, stop, &mut *model, &mut |n, row, error| {
                seen(tiles[n], error);
                if let Some(error) = error {
                    *reasons.entry(error.reason().into()).or_default() += 1;
                }
                rows[todo[n]] = Some(row);
                let k = todo[n] / PART;
                // The last row of a part that was missing: all of it is known now.
                if todo.get(n + 1).is_none_or(|next| next / PART != k) {
                    let end = ((k + 1) * PART).min(rows.len());
                    let part: Vec<Row> = rows[k * PART..end].iter().flatten().cloned().collect();
                    work.child(&part_name(k)).write(output::write(&part)?)?;
                }
                Ok(())
            })?;
            outcome.captioned = todo.len() - reasons.values().sum::<usize>();
            outcome.failed = reasons;
        }
        let rows: Vec<Row> = rows.into_iter().flatten().collect();
        let earlier = rows.iter().filter(|row| row.error.is_some()).count() - outcome.failed.values().sum::<usize>();
        if earlier > 0 {
            outcome.failed.insert("failed before this start, tried again by the next".into(), earlier);
        }
        outcome.kept = rows.len() - outcome.captioned - outcome.failed.values().sum::<usize>();
        if !todo.is_empty() || !is_there {
            file.write_through(&work, output::write(&rows)?)?;
        }
        self.clean(&out, &work, &rows_name, &name);
        Ok(outcome)
    }

    /// What the file's name begins with whatever its sources are, and the name.
    fn names(&self, stores: &Stores) -> (String, String) {
        let (shard, shards) = self.shard;
        let mut rows = Sha256::new();
        rows.update(format!("1\n{}\n{}\n{shard}/{shards}\n", self.bundle, self.options));
        let mut sources = Sha256::new();
        let mut last = "";
        for tile in self.tiles {
            rows.update(tile.line());
            if *tile.source != *last {
                last = &tile.source;
                let identity = stores.place(last).and_then(|place| place.identity());
                let said = identity.map_or("absent".into(), |known| format!("{} {}", known.bytes, known.version));
                sources.update(format!("{last}\0{said}\n"));
            }
        }
        let short = |hash: Sha256| hexadecimal(&hash.finalize()[..8]);
        let first = format!("captions-{shard:05}-of-{shards:05}-{}", short(rows));
        let name = format!("{first}-{}.parquet", short(sources));
        (first, name)
    }

    /// The captioned rows of a file that is there.
    fn existing(&self, file: &Place) -> Vec<Option<Row>> {
        let none = || vec![None; self.tiles.len()];
        if file.identity().is_err() {
            return none();
        }
        let rows = self.rows_of(file, self.tiles);
        if rows.is_empty() { none() } else { rows.into_iter().map(|row| row.error.is_none().then_some(row)).collect() }
    }

    /// The rows of a file, where it has those of all these tiles; else none, and that is said.
    fn rows_of(&self, file: &Place, tiles: &[Tile]) -> Vec<Row> {
        let found = file.read().and_then(|bytes| output::read(&file.name(), bytes)).and_then(|rows| {
            let same = rows.iter().map(|row| &row.id).eq(tiles.iter().map(|tile| &tile.id));
            let problem = "has other rows than this shard";
            if same { Ok(rows) } else { Err(Error::table(&file.name(), problem)) }
        });
        found.unwrap_or_else(|error| {
            tracing::warn!("{error}: it is made again");
            Vec::new()
        })
    }

    /// What is not needed beside a finished file: its parts, and files of the same rows from sources as they were.
    fn clean(&self, out: &Place, work: &Place, rows_name: &str, name: &str) {
        let parts = work.names().unwrap_or_default();
        let mut gone: Vec<Place> = match work {
            Place::File(path) if path.is_dir() => vec![work.clone()],
            Place::File(_) => Vec::new(),
            Place::Object { .. } => parts.iter().map(|part| work.child(part)).collect(),
        };
        let earlier = out.names().unwrap_or_default();
        let is_earlier = |found: &&String| found.contains(rows_name) && !found.ends_with(name);
        for found in earlier.iter().filter(is_earlier) {
            let place = out.child(found);
            match &place {
                Place::Object { .. } if found.starts_with(".work-") => {
                    gone.extend(place.names().unwrap_or_default().iter().map(|part| place.child(part)));
                }
                _ => gone.push(place),
            }
        }
        for place in gone {
            if let Err(error) = place.remove() {
                tracing::warn!("{error}");
            }
        }
    }
}

fn part_name(number: usize) -> String {
    format!("part-{number:06}.parquet")
}
