//! The file with the key that a vehicle shares with its ground.

use crate::error::LinkError;
use cssa::files::FileError;
use cssa_wire::{KEY, Key};
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Most bytes of a key file.
const MAX_FILE: u64 = 1024;

/// Reads a key file: 64 hexadecimal digits.
///
/// # Errors
/// A file that cannot be read or holds something else; where its owner does not let this program's user read it, how to.
pub fn read_key(path: &Path) -> Result<Key, LinkError> {
    let text = cssa::files::read_text(path, MAX_FILE).map_err(|error| match error {
        FileError::System { cause, .. } if cause.kind() == ErrorKind::PermissionDenied => {
            LinkError::KeyOfAnother(path.into())
        }
        other => other.into(),
    })?;
    Key::from_hexadecimal(&text).ok_or_else(|| LinkError::NoKey(path.into()))
}

/// What a folder's files have where their group is the folder's.
const SET_GROUP_ID: u32 = 0o2000;

/// Writes a new key, from the system's random numbers, that only its owner can read; in a folder whose files belong to
/// its group (set-group-ID, as `/etc/cssa`), that group, too.
///
/// # Errors
/// A file that is there already or cannot be written.
pub fn write_new_key(path: &Path) -> Result<(), LinkError> {
    let write = || -> io::Result<()> {
        let mut key = [0; KEY];
        File::open("/dev/urandom")?.read_exact(&mut key)?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        fill(file, path, &key).inspect_err(|_| {
            // Half a key would stand in the way of the next one.
            std::fs::remove_file(path).ok();
        })
    };
    write().map_err(|cause| LinkError::Port { port: path.display().to_string(), cause })?;
    Ok(cssa::files::sync_folder_of(path)?)
}

fn fill(mut file: File, path: &Path, key: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if folder.metadata()?.permissions().mode() & SET_GROUP_ID != 0 {
        file.set_permissions(Permissions::from_mode(0o640))?;
    }
    writeln!(file, "{}", cssa::bundle::hexadecimal(key))?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Result;

    fn mode(path: &Path) -> io::Result<u32> {
        Ok(path.metadata()?.permissions().mode() & 0o7777)
    }

    #[test]
    fn a_key_is_its_owners_and_in_a_shared_folder_its_groups() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let own = folder.path().join("own.key");
        write_new_key(&own)?;
        assert_eq!(mode(&own)?, 0o600);
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o2755))?;
        let shared = folder.path().join("shared.key");
        write_new_key(&shared)?;
        assert_eq!(mode(&shared)?, 0o640);
        assert_ne!(read_key(&own)?, read_key(&shared)?);
        Ok(())
    }
}
