//! Where frames come from. A source runs in a thread of its own and gives one frame after the other.

mod file_sequence;
mod folder;
mod image_file;
mod key;
mod ledger;
mod list;
mod pipe;
mod retries;
mod scene;
mod source;
mod taken;
#[cfg(test)]
mod tests;
mod tiler;
mod zone;

pub use self::folder::{Folder, FolderSource};
pub use self::image_file::{Cutting, time_of_file};
pub(crate) use self::key::{plain, unread};
pub use self::ledger::Ledger;
pub use self::list::ListSource;
pub use self::pipe::{Pipe, PipeSource, Survey, survey};
pub use self::scene::SceneSource;
pub use self::source::{Frame, Next, Running, Source, kill};
pub use self::taken::Taken;
pub use self::tiler::{Tile, Tiles, tiles};

use super::config::{SourceConfig, TilerConfig};
use super::error::{Error, Result};

/// The source that a configuration asks for.
pub fn open(source: &SourceConfig, tiler: TilerConfig) -> Result<Box<dyn Source>> {
    taken::count_from_now();
    let cutting = Cutting { tiler, memory: source.memory() };
    Ok(match source {
        SourceConfig::Folder { path, watch, after, .. } => {
            let folder = Folder { path: path.clone(), watch: *watch, after: after.clone() };
            Box::new(FolderSource::new(folder, cutting))
        }
        SourceConfig::List { path, .. } => Box::new(ListSource::read(path, cutting)?),
        SourceConfig::Pipe { command, live, restart, .. } => {
            Box::new(PipeSource::new(Pipe { command: command.clone(), live: *live, restart: *restart }))
        }
        SourceConfig::Scenes { paths, .. } => Box::new(SceneSource::new(paths, cutting)),
        SourceConfig::Own { .. } => return Err(Error::NoSource),
    })
}

/// A source that a program brings; frames whose time nothing tells count from here on.
pub(crate) fn started(source: Box<dyn Source>) -> Box<dyn Source> {
    taken::count_from_now();
    source
}
