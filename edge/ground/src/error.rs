//! What goes wrong on the ground: with archives and bundles, with the link, and with what is written and shown of them.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why packets are not received and kept, or their captions not shown or exported. Its text leaves out that of its source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A bundle, a key or another file that cannot be used.
    #[error(transparent)]
    File(#[from] cssa::files::FileError),
    /// A folder of bundles that cannot be listed.
    #[error("{}: {cause}", folder.display())]
    Folder {
        /// Its path.
        folder: PathBuf,
        /// What the operating system says.
        cause: io::Error,
    },
    /// There is no bundle to decode packets with.
    #[error("no bundle in {0:?}")]
    NoBundle(Vec<PathBuf>),
    /// Two bundles have one id: their packets cannot be told apart.
    #[error("{}: another bundle has its id {id:04x}, too", bundle.display())]
    SharedId {
        /// The second of them.
        bundle: PathBuf,
        /// The id.
        id: u16,
    },
    /// An archive that cannot be opened, read or written.
    #[error("{}: {cause}", archive.display())]
    Archive {
        /// Its path.
        archive: PathBuf,
        /// What SQLite says; its own source says the same in other words.
        cause: rusqlite::Error,
    },
    /// An archive that the operating system does not open.
    #[error("{}: cannot be opened: {cause}", archive.display())]
    Unopened {
        /// Its path.
        archive: PathBuf,
        /// What the operating system says.
        cause: io::Error,
    },
    /// A folder in place of an archive.
    #[error("{}: is a folder, expected a file", .0.display())]
    ArchiveFolder(PathBuf),
    /// A new archive whose tables cannot be made.
    #[error("{}: cannot be made: {cause}", archive.display())]
    NewArchive {
        /// Its path.
        archive: PathBuf,
        /// What SQLite says.
        cause: rusqlite::Error,
    },
    /// A database that is something else.
    #[error("{}: is no archive of captions, expected a new file or one", .0.display())]
    NoArchive(PathBuf),
    /// An archive whose tables are those of an earlier version.
    #[error("{}: an archive of an earlier version: export it, and begin a new one", .0.display())]
    EarlierArchive(PathBuf),
    /// A row of an archive that is not what this program writes.
    #[error("{}: {what} cannot be read: {cause}", archive.display())]
    Unread {
        /// The archive's path.
        archive: PathBuf,
        /// What the row holds.
        what: &'static str,
        /// What is wrong with it.
        cause: serde_json::Error,
    },
    /// Too many commands that no vehicle has answered.
    #[error("{}: {most} commands have no outcome yet: receive with --key, so that they go out", archive.display())]
    CommandsFull {
        /// The archive's path.
        archive: PathBuf,
        /// How many there may be.
        most: u32,
    },
    /// A port that does not open or work.
    #[error(transparent)]
    Link(#[from] cssa_link::LinkError),
    /// Something that cannot be packed for a vehicle.
    #[error(transparent)]
    Packet(#[from] cssa_wire::WireError),
    /// A station that has used all its numbers.
    #[error("station {0} has no number left, which a vehicle would take: name another one with --station")]
    StationSpent(u8),
    /// Captions that cannot be written as CSV.
    #[error(transparent)]
    Csv(#[from] csv::Error),
    /// An address at which the map cannot be served.
    #[error("{address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The map's server cannot be started, or fails.
    #[error(transparent)]
    Server(io::Error),
}

/// What this crate's functions give.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

pub(crate) use cssa::errors::chain;
