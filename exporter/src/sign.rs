//! Signs manifests with minisign, so that `edge` can tell whose bundle it loads.

use crate::error::{At, Error, PASSWORD, Result};
use cssa::files;
use minisign::{PublicKey, SecretKey, SecretKeyBox};
use std::io::Cursor;
use std::path::Path;

/// A secret key, ready to sign.
pub struct Signer(SecretKey);

impl Signer {
    /// Reads a secret key as `minisign -G` writes it; one with a password takes it from `MINISIGN_PASSWORD`.
    pub fn read(path: &Path) -> Result<Self> {
        let text = files::read_text(path, 1 << 16)?;
        let boxed = || SecretKeyBox::from_string(&text).map_err(|cause| Error::NoKey { path: path.into(), cause });
        let key = match std::env::var(PASSWORD) {
            Ok(password) => boxed()?.into_secret_key(Some(password)),
            Err(_) => boxed()?.into_unencrypted_secret_key(),
        };
        key.map(Self).map_err(|cause| Error::LockedKey { path: path.into(), cause })
    }

    /// The detached signature of `content`, as a `.minisig` file holds it.
    pub fn sign(&self, content: &[u8]) -> Result<Vec<u8>> {
        let key = PublicKey::from_secret_key(&self.0).at(|| "the secret key has no public one".into())?;
        let comment = "cssa bundle manifest";
        let signature = minisign::sign(Some(&key), &self.0, Cursor::new(content), Some(comment), Some(comment))?;
        Ok(signature.into_string().into_bytes())
    }
}
