//! Who made a bundle: a detached minisign signature (Ed25519 over BLAKE2b) of the manifest, which names every other file by
//! its SHA-256.

use crate::files::{self, FileError};
use minisign_verify::{PublicKey, Signature};
use std::path::Path;

/// Name of the signature's file.
pub const SIGNATURE: &str = "manifest.toml.minisig";

/// Whose bundles are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted(PublicKey);

impl Trusted {
    /// Reads a public key as minisign writes it (`minisign.pub`).
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let text = files::read_text(path, 1 << 16)?;
        let key = PublicKey::decode(&text)
            .or_else(|_| PublicKey::from_base64(text.trim()))
            .map_err(|error| FileError::content(path, format!("is no minisign public key: {error}")))?;
        Ok(Self(key))
    }

    /// Checks the signature of a manifest; `path` is what errors name.
    pub fn check(&self, path: &Path, manifest: &[u8], signature: Option<&[u8]>) -> Result<(), FileError> {
        let refused = |problem: String| Err(FileError::content(path, problem));
        let Some(signature) = signature else {
            return refused(format!("is not signed, expected {SIGNATURE} beside it"));
        };
        let decoded = std::str::from_utf8(signature).ok().and_then(|text| Signature::decode(text).ok());
        let Some(decoded) = decoded else { return refused(format!("{SIGNATURE} is no minisign signature")) };
        match self.0.verify(manifest, &decoded, false) {
            Ok(()) => Ok(()),
            Err(error) => refused(format!("its signature is not valid under the trusted key: {error}")),
        }
    }
}
