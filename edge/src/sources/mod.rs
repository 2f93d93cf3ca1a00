//! Where frames come from. A source runs in a thread of its own and gives one frame after the other.

mod files;
mod pipe;
mod scene;
mod tiler;

pub use self::files::{FolderSource, ListSource};
pub use self::pipe::{PipeSource, Running, end};
pub use self::scene::SceneSource;
pub use self::tiler::{Tile, tiles};

use super::config::{SourceConfig, TilerConfig};
use anyhow::Result;
use cssa_wire::Position;
use image::RgbImage;

/// One image to caption.
#[derive(Debug)]
pub struct Frame {
    /// What it is called in reports.
    pub name: String,
    /// Names it where it could come again after a restart.
    pub key: Option<String>,
    /// Its pixels, or why there are none.
    pub pixels: Result<RgbImage, String>,
    /// Where it was taken, by its own tags.
    pub position: Option<Position>,
    /// When it was taken, by its own tags, in seconds since 1970.
    pub time: Option<u32>,
}

/// What a source has now.
#[derive(Debug)]
pub enum Next {
    /// A frame.
    Frame(Frame),
    /// Nothing at the moment: ask again in a while.
    Nothing,
    /// Nothing any more.
    End,
}

/// Gives frames.
pub trait Source: Send {
    /// The next frame. `settled` says of a key whether its frame needs no second look.
    fn next(&mut self, settled: &dyn Fn(&str) -> bool) -> Result<Next>;

    /// Whether frames come when they come, and are lost where nobody takes them.
    fn is_live(&self) -> bool {
        false
    }

    /// The command behind the source, where there is one.
    fn command(&self) -> Option<Running> {
        None
    }

    /// Whether a settled frame with this key can never come again.
    fn is_gone(&self, _key: &str) -> bool {
        false
    }
}

/// The source that a configuration asks for.
pub fn open(source: &SourceConfig, tiler: TilerConfig) -> Result<Box<dyn Source>> {
    Ok(match source {
        SourceConfig::Folder { path, watch } => Box::new(FolderSource::new(path, *watch, tiler)),
        SourceConfig::List { path } => Box::new(ListSource::read(path, tiler)?),
        SourceConfig::Pipe { command, live, restart } => Box::new(PipeSource::new(command, *live, *restart)),
        SourceConfig::Scenes { paths } => Box::new(SceneSource::new(paths, tiler)),
    })
}
