//! What goes wrong on the ground: with archives and bundles, with the link, and with what is written and shown of them.

use crate::database::{DatabaseError, Place};
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
    #[error("{archive}: {cause}")]
    Archive {
        /// Where it is.
        archive: Place,
        /// What the database says; its own source says the same in other words.
        cause: DatabaseError,
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
    #[error("{archive}: cannot be made: {cause}")]
    NewArchive {
        /// Where.
        archive: Place,
        /// What the database says.
        cause: DatabaseError,
    },
    /// A database that is something else.
    #[error("{0}: is no archive of captions, expected a new file or database, or one")]
    NoArchive(Place),
    /// An archive whose tables are those of an earlier version.
    #[error("{0}: an archive of an earlier version: export it, and begin a new one")]
    EarlierArchive(Place),
    /// A database whose tables are those of a later version.
    #[error("{0}: an archive of a later version: use a ground program of that one")]
    LaterArchive(Place),
    /// A row of an archive that is not what this program writes.
    #[error("{archive}: {what} cannot be read: {cause}")]
    Unread {
        /// Where the archive is.
        archive: Place,
        /// What the row holds.
        what: &'static str,
        /// What is wrong with it.
        cause: serde_json::Error,
    },
    /// Too many commands that no vehicle has answered.
    #[error("{archive}: {most} commands have no outcome yet: receive with --key, so that they go out")]
    CommandsFull {
        /// Where the archive is.
        archive: Place,
        /// How many there may be.
        most: u32,
    },
    /// Too many pictures that have not come.
    #[error(
        "{archive}: {most} pictures are asked for and have not come yet: receive with --key, so that the requests go out"
    )]
    PicturesFull {
        /// Where the archive is.
        archive: Place,
        /// How many there may be.
        most: u32,
    },
    /// A caption that is not there.
    #[error("{archive}: there is no caption in row {row}")]
    NoCaption {
        /// Where the archive is.
        archive: Place,
        /// Its row.
        row: i64,
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
    /// Captions that cannot be written as GeoParquet.
    #[error("GeoParquet: {0}")]
    GeoParquet(String),
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

impl Error {
    /// Whether waiting helps, however long: an archive's server is away.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Archive { cause, .. } if cause.is_passing())
    }
}

/// What this crate's functions give.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

pub(crate) use cssa::errors::chain;
