//! Keys on the curve P-256 in PEM, as `openssl genpkey` and `openssl pkey -pubout` write them.

use crate::error::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cssa::bundle::hexadecimal;
use cssa::files::{self, FileError};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The largest file of a key, in bytes.
const MAX_KEY: u64 = 1 << 16;
/// What stands before the point in the DER of a public key on P-256 (RFC 5480): its algorithm, its curve.
const HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// An uncompressed point: 4 and two coordinates.
const POINT: usize = 65;
/// Characters of a line of PEM.
const LINE: usize = 64;

/// A private key, ready to sign.
#[derive(Debug)]
pub struct PrivateKey {
    path: PathBuf,
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

/// Whose signatures are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; POINT]);

impl PrivateKey {
    /// Reads a key in PKCS #8, without a password.
    pub fn read(path: &Path) -> Result<Self> {
        let text = files::read(path, MAX_KEY)?;
        let refused = |problem: String| Error::from(FileError::content(path, problem));
        let key = PrivatePkcs8KeyDer::from_pem_slice(&text).map_err(|_| {
            refused("is no private key in PKCS #8 without a password: openssl pkcs8 -topk8 -nocrypt -in KEY makes one of others".into())
        })?;
        let random = SystemRandom::new();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.secret_pkcs8_der(), &random).map_err(|error| {
                refused(format!(
                    "is no key on P-256: {error}; openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 makes one"
                ))
            })?;
        Ok(Self { path: path.into(), pair, random })
    }

    pub(super) fn sign(&self, content: &[u8]) -> Result<Vec<u8>> {
        let signature = self.pair.sign(&self.random, content);
        let signature = signature.map_err(|_| FileError::content(&self.path, "cannot sign: no random numbers"))?;
        Ok(signature.as_ref().to_vec())
    }

    /// Its other half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut point = [0; POINT];
        point.copy_from_slice(self.pair.public_key().as_ref());
        PublicKey(point)
    }
}

impl PublicKey {
    /// Reads a public key.
    pub fn read(path: &Path) -> Result<Self> {
        let text = files::read(path, MAX_KEY)?;
        let key = SubjectPublicKeyInfoDer::from_pem_slice(&text).ok();
        let point = key.as_ref().and_then(|key| key.strip_prefix(&HEAD)).and_then(|point| point.try_into().ok());
        let refused =
            || FileError::content(path, "is no public key on P-256 in PEM: openssl pkey -in KEY -pubout makes one");
        Ok(Self(point.ok_or_else(refused)?))
    }

    pub(super) fn accepts(&self, content: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, self.0).verify(content, signature).is_ok()
    }

    /// What signatures call it: SHA-256 over its PEM.
    pub(super) fn hint(&self) -> String {
        hexadecimal(&Sha256::digest(self.pem()))
    }

    /// As a file has it.
    #[must_use]
    pub fn pem(&self) -> String {
        let encoded = STANDARD.encode([HEAD.as_slice(), &self.0].concat());
        let lines = encoded.as_bytes().chunks(LINE).map(|line| String::from_utf8_lossy(line));
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.collect::<Vec<_>>().join("\n"))
    }
}
