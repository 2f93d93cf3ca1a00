//! Where frames come from. A source runs in a thread of its own and gives one frame after the other.

mod files;
mod key;
mod pipe;
mod scene;
mod source;
mod tiler;

pub use self::files::{Folder, FolderSource, ListSource};
pub use self::pipe::{Pipe, PipeSource};
pub use self::scene::SceneSource;
pub use self::source::{Frame, Next, Running, Source, kill};
pub use self::tiler::{Tile, Tiles, tiles};

use super::config::{SourceConfig, TilerConfig};
use super::error::Result;

/// The source that a configuration asks for.
pub fn open(source: &SourceConfig, tiler: TilerConfig) -> Result<Box<dyn Source>> {
    Ok(match source {
        SourceConfig::Folder { path, watch, .. } => {
            Box::new(FolderSource::new(Folder { path: path.clone(), watch: *watch }, tiler))
        }
        SourceConfig::List { path, .. } => Box::new(ListSource::read(path, tiler)?),
        SourceConfig::Pipe { command, live, restart, .. } => {
            Box::new(PipeSource::new(Pipe { command: command.clone(), live: *live, restart: *restart }))
        }
        SourceConfig::Scenes { paths, .. } => Box::new(SceneSource::new(paths, tiler)),
    })
}
