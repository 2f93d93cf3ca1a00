//! OpenSSF Model Signing 1.0 (<https://github.com/ossf/model-signing-spec>) with a bare key: `model.sig` beside a bundle's files is a Sigstore
//! bundle 0.3, whose DSSE envelope holds an in-toto statement that names every file by its SHA-256. No network, no certificate.
//!
//! All files of the folder are signed, the card and the STAC item, too; minisign's signature stands for the manifest alone, and flies.

mod key;

pub use key::{PrivateKey, PublicKey};

use crate::error::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cssa::bundle::hexadecimal;
use cssa::files::{self, FileError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The signature's file.
pub const MODEL_SIGNATURE: &str = "model.sig";
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE: &str = "https://model_signing/signature/v1.0";
/// What no signature is about: itself, and what git adds.
const IGNORED: [&str; 5] = [MODEL_SIGNATURE, ".git", ".gitattributes", ".github", ".gitignore"];
/// Limits of what is read: bytes of a signature, files of a folder, folders in each other.
const MAX_SIGNATURE: u64 = 4 << 20;
const MAX_FILES: usize = 10_000;
const MAX_DEPTH: usize = 16;

/// SHA-256 by the files' names, relative to the folder, with `/` between folders.
type Digests = BTreeMap<String, [u8; 32]>;

/// Signs all files of a folder, and writes `model.sig` into it.
///
/// # Errors
/// A folder without a file, or with more of them than a signature that [`check`] reads can name.
pub fn sign(folder: &Path, key: &PrivateKey) -> Result<()> {
    let digests = digests(folder, &IGNORED.map(str::to_owned))?;
    if digests.is_empty() {
        return Err(FileError::content(folder, "has no file, expected a model's").into());
    }
    let whole = folder.canonicalize().map_err(Error::Folder)?;
    let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let statement = json!({
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": hexadecimal(&root(digests.values()))}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": false, "ignore_paths": IGNORED},
            "resources": digests
                .iter()
                .map(|(name, digest)| json!({"name": name, "algorithm": "sha256", "digest": hexadecimal(digest)}))
                .collect::<Vec<_>>()
        }
    });
    let payload = statement.to_string().into_bytes();
    let signature = key.sign(&authenticated(&payload))?;
    let bundle = json!({
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": key.public().hint()}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": STANDARD.encode(&payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": STANDARD.encode(signature), "keyid": ""}]
        }
    });
    let text = bundle.to_string();
    if text.len() as u64 > MAX_SIGNATURE {
        let problem = format!("the signature of {} files has more than {MAX_SIGNATURE} bytes", digests.len());
        return Err(FileError::content(folder, problem).into());
    }
    Ok(files::write(&folder.join(MODEL_SIGNATURE), text.as_bytes())?)
}

/// What a signature covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covered {
    /// Files that are as they were signed.
    pub files: usize,
    /// What its signer left out, beside the signature and what git adds: nothing is known of it.
    pub left_out: Vec<String>,
}

/// Checks `model.sig` of a folder and every file in it.
///
/// # Errors
/// Where the signature is another key's or damaged, or a file differs, is missing, or is not signed: it is named.
pub fn check(folder: &Path, key: &PublicKey) -> Result<Covered> {
    let path = folder.join(MODEL_SIGNATURE);
    if path.is_symlink() {
        return Err(FileError::content(&path, "is a link, expected the signature itself").into());
    }
    let statement = Statement::read(&path, key)?;
    let (signed, predicate) = (statement.digests(&path)?, &statement.predicate.serialization);
    let ignored: Vec<String> =
        IGNORED.iter().map(|name| (*name).to_owned()).chain(predicate.ignore_paths.iter().cloned()).collect();
    let found = digests(folder, &ignored)?;
    for (name, expected) in &signed {
        let place = folder.join(name);
        let problem = match found.get(name) {
            None => "is signed and missing".to_owned(),
            Some(digest) if digest != expected => {
                format!("has SHA-256 {}, {MODEL_SIGNATURE} expects {}", hexadecimal(digest), hexadecimal(expected))
            }
            Some(_) => continue,
        };
        return Err(FileError::content(&place, problem).into());
    }
    if let Some(name) = found.keys().find(|name| !signed.contains_key(*name)) {
        let problem = format!("is not signed, expected only files that {MODEL_SIGNATURE} names");
        return Err(FileError::content(&folder.join(name), problem).into());
    }
    let left_out = predicate.ignore_paths.iter().filter(|path| !IGNORED.contains(&path.as_str())).cloned().collect();
    Ok(Covered { files: signed.len(), left_out })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SigstoreBundle {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Envelope,
}

/// Of a bare key: whoever has a certificate signs in another way.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Material {
    public_key: Hint,
    #[serde(default, rename = "tlogEntries")]
    _log: serde::de::IgnoredAny,
    #[serde(default, rename = "timestampVerificationData")]
    _timestamps: serde::de::IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hint {
    #[serde(default)]
    hint: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    sig: String,
    #[serde(default, rename = "keyid")]
    _key: serde::de::IgnoredAny,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Deserialize)]
struct Subject {
    digest: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Predicate {
    serialization: Serialization,
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Serialization {
    method: String,
    hash_type: String,
    #[serde(default)]
    ignore_paths: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Resource {
    name: String,
    algorithm: String,
    digest: String,
}

impl Statement {
    /// Reads what is signed, once the signature is checked.
    fn read(path: &Path, key: &PublicKey) -> Result<Self> {
        let refused = |problem: String| Error::from(FileError::content(path, problem));
        let text = files::read(path, MAX_SIGNATURE)?;
        let bundle: SigstoreBundle = serde_json::from_slice(&text)
            .map_err(|error| refused(format!("is no Sigstore bundle with a public key: {error}")))?;
        let differs = |what: &str, found: &str, expected: &str| {
            if found == expected { Ok(()) } else { Err(refused(format!("{what} is {found:?}, expected {expected:?}"))) }
        };
        let envelope = &bundle.dsse_envelope;
        differs("mediaType", &bundle.media_type, MEDIA_TYPE)?;
        differs("payloadType", &envelope.payload_type, PAYLOAD_TYPE)?;
        if let Some(hint) = bundle.verification_material.public_key.hint.filter(|hint| *hint != key.hint()) {
            return Err(refused(format!("is signed with the key {hint}, expected {}", key.hint())));
        }
        let decoded = |text: &str| STANDARD.decode(text).map_err(|error| refused(format!("is no base64: {error}")));
        let [signature] = envelope.signatures.as_slice() else {
            return Err(refused(format!("has {} signatures, expected one", envelope.signatures.len())));
        };
        let payload = decoded(&envelope.payload)?;
        if !key.accepts(&authenticated(&payload), &decoded(&signature.sig)?) {
            return Err(refused("its signature is not valid under the key".into()));
        }
        let statement: Self = serde_json::from_slice(&payload)
            .map_err(|error| refused(format!("signs no statement about a model: {error}")))?;
        differs("_type", &statement.kind, STATEMENT_TYPE)?;
        differs("predicateType", &statement.predicate_type, PREDICATE_TYPE)?;
        differs("serialization.method", &statement.predicate.serialization.method, "files")?;
        differs("serialization.hash_type", &statement.predicate.serialization.hash_type, "sha256")?;
        Ok(statement)
    }

    /// The files that it names; they make up the subject's digest.
    fn digests(&self, path: &Path) -> Result<Digests> {
        let refused = |problem: String| Error::from(FileError::content(path, problem));
        let (mut signed, mut in_order) = (Digests::new(), Vec::new());
        for Resource { name, algorithm, digest } in &self.predicate.resources {
            let digest = sha256_of(digest).filter(|_| algorithm == "sha256");
            let Some(digest) = digest else {
                return Err(refused(format!("has no SHA-256 of {name:?}")));
            };
            in_order.push(digest);
            if signed.insert(name.clone(), digest).is_some() {
                return Err(refused(format!("names {name:?} twice")));
            }
        }
        let [Subject { digest }] = self.subject.as_slice() else {
            return Err(refused(format!("has {} subjects, expected one", self.subject.len())));
        };
        if digest.get("sha256").and_then(|digest| sha256_of(digest)) != Some(root(in_order.iter())) {
            return Err(refused("its subject is another model than its files make".into()));
        }
        Ok(signed)
    }
}

/// What is signed of a payload: DSSE's pre-authentication encoding.
fn authenticated(payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// The model's digest: that of all its files' digests, one behind the other.
fn root<'a>(digests: impl Iterator<Item = &'a [u8; 32]>) -> [u8; 32] {
    let mut hash = Sha256::new();
    digests.for_each(|digest| hash.update(digest));
    hash.finalize().into()
}

fn sha256_of(text: &str) -> Option<[u8; 32]> {
    let pairs = text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    let bytes: Vec<u8> = pairs.collect::<Option<_>>()?;
    bytes.try_into().ok().filter(|_| text.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

/// The files of a folder, but for those that are ignored, by name or as part of a folder. A link is refused, whatever its name is.
fn digests(folder: &Path, ignored: &[String]) -> Result<Digests> {
    let (mut found, mut folders) = (Digests::new(), vec![(folder.to_path_buf(), String::new(), 0)]);
    while let Some((place, prefix, depth)) = folders.pop() {
        let entries = std::fs::read_dir(&place).map_err(FileError::system(&place, "cannot be read"))?;
        for entry in entries {
            let entry = entry.map_err(FileError::system(&place, "cannot be read"))?;
            let refused = |problem: &str| Error::from(FileError::content(&entry.path(), problem));
            let name = entry.file_name().into_string().map_err(|_| refused("its name is not UTF-8"))?;
            let name = format!("{prefix}{name}");
            let kind = entry.file_type().map_err(FileError::system(&entry.path(), "cannot be looked at"))?;
            match () {
                () if kind.is_symlink() => {
                    return Err(refused("is a link, expected a file: it is what it leads to today"));
                }
                () if ignored.contains(&name) => {}
                () if kind.is_file() => drop(found.insert(name, digest(&entry.path())?)),
                () if kind.is_dir() && depth < MAX_DEPTH => folders.push((entry.path(), format!("{name}/"), depth + 1)),
                () if kind.is_dir() => {
                    return Err(refused(&format!("lies in more than {MAX_DEPTH} folders, expected no more")));
                }
                () => return Err(refused("is neither a file nor a folder, expected what can be signed")),
            }
            if found.len() > MAX_FILES {
                return Err(FileError::content(folder, format!("has more than {MAX_FILES} files")).into());
            }
        }
    }
    Ok(found)
}

fn digest(path: &PathBuf) -> Result<[u8; 32]> {
    let mut file = File::open(path).map_err(FileError::system(path, "cannot be opened"))?;
    let (mut hash, mut piece) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut piece).map_err(FileError::system(path, "cannot be read"))? {
            0 => return Ok(hash.finalize().into()),
            count => hash.update(&piece[..count]),
        }
    }
}

#[cfg(test)]
mod tests;
