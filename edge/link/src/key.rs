//! The file with the key that a vehicle shares with its ground.

use crate::error::LinkError;
use cssa_wire::{KEY, Key};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Most bytes of a key file.
const MAX_FILE: u64 = 1024;

/// Reads a key file: 64 hexadecimal digits.
///
/// # Errors
/// A file that cannot be read or holds something else.
pub fn read_key(path: &Path) -> Result<Key, LinkError> {
    let text = cssa::files::read_text(path, MAX_FILE)?;
    Key::from_hexadecimal(&text).ok_or_else(|| LinkError::NoKey(path.into()))
}

/// Writes a new key, from the system's random numbers, that only its owner can read.
///
/// # Errors
/// A file that is there already or cannot be written.
pub fn write_new_key(path: &Path) -> Result<(), LinkError> {
    let write = || -> io::Result<()> {
        let mut key = [0; KEY];
        File::open("/dev/urandom")?.read_exact(&mut key)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        writeln!(file, "{}", cssa::bundle::hexadecimal(&key))?;
        file.sync_all()
    };
    write().map_err(|cause| LinkError::Port { port: path.display().to_string(), cause })?;
    Ok(cssa::files::sync_folder_of(path)?)
}
