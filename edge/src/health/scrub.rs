//! Looks through the model's files in the background for bits that flipped: every file against its SHA-256 in the manifest, and
//! every tensor of a graph against the CRC-32 that it had when it was loaded, so that the damage has a name.

use crate::error::{Error, Result};
use cssa::bundle::{Bundle, DECODER, ENCODER, MANIFEST, hexadecimal};
use cssa_graph::onnx::ModelProto;
use prost::Message;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Read at once; between two reads the thread rests, so that captions do not wait for the disk.
const PIECE: usize = 1 << 18;
const REST: Duration = Duration::from_millis(5);

/// What the files of a bundle were when it was loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct Scrubber {
    files: Vec<Scrubbed>,
}

#[derive(Clone, Debug, PartialEq)]
struct Scrubbed {
    path: PathBuf,
    sha256: String,
    /// CRC-32 of each tensor, for graphs.
    tensors: BTreeMap<String, u32>,
}

impl Scrubber {
    /// Remembers a bundle that has just been checked; `.cssa` files are looked at as a whole.
    pub fn new(bundle: &Bundle) -> Result<Self> {
        if bundle.folder.is_file() {
            let sha256 = hash(&bundle.folder, Duration::ZERO)?;
            return Ok(Self {
                files: vec![Scrubbed { path: bundle.folder.clone(), sha256, tensors: BTreeMap::new() }],
            });
        }
        let mut files = Vec::new();
        for (name, entry) in &bundle.manifest.files {
            let tensors = match name.as_str() {
                ENCODER => tensors(&bundle.encoder)?,
                DECODER => tensors(&bundle.decoder)?,
                _ => BTreeMap::new(),
            };
            files.push(Scrubbed { path: bundle.folder.join(name), sha256: entry.sha256.clone(), tensors });
        }
        let manifest = bundle.folder.join(MANIFEST);
        let sha256 = hash(&manifest, Duration::ZERO)?;
        files.push(Scrubbed { path: manifest, sha256, tensors: BTreeMap::new() });
        Ok(Self { files })
    }

    /// Looks through all files once, `rest` after each piece. The error names the file and the tensors.
    pub fn scrub(&self, rest: Duration) -> Result<()> {
        self.files.iter().try_for_each(|file| file.check(rest))
    }

    /// As [`Scrubber::scrub`], at a pace that disturbs nobody.
    pub fn scrub_slowly(&self) -> Result<()> {
        self.scrub(REST)
    }
}

impl Scrubbed {
    fn check(&self, rest: Duration) -> Result<()> {
        if hash(&self.path, rest)? == self.sha256 {
            return Ok(());
        }
        let damaged = std::fs::read(&self.path).ok().and_then(|bytes| tensors(&bytes).ok()).map(|now| {
            let differs = |(name, crc): &(&String, &u32)| now.get(*name) != Some(*crc);
            self.tensors.iter().filter(differs).map(|(name, _)| name.clone()).collect::<Vec<_>>()
        });
        match damaged.unwrap_or_default() {
            tensors if tensors.is_empty() => Err(Error::Damaged(self.path.clone())),
            tensors => Err(Error::DamagedTensors { graph: self.path.clone(), tensors }),
        }
    }
}

fn hash(path: &Path, rest: Duration) -> Result<String> {
    let mut file = File::open(path).map_err(Error::path(path))?;
    let (mut digest, mut piece) = (Sha256::new(), vec![0; PIECE]);
    loop {
        let read = file.read(&mut piece).map_err(Error::path(path))?;
        if read == 0 {
            return Ok(hexadecimal(&digest.finalize()));
        }
        digest.update(&piece[..read]);
        if !rest.is_zero() {
            std::thread::sleep(rest);
        }
    }
}

fn tensors(graph: &[u8]) -> Result<BTreeMap<String, u32>> {
    let model = ModelProto::decode(graph)?;
    let tensors = model.graph.into_iter().flat_map(|graph| graph.initializer);
    Ok(tensors.map(|tensor| (tensor.name, crc32fast::hash(&tensor.raw_data))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, Result};

    #[test]
    fn a_flipped_bit_in_each_file_is_found_and_named() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let names = [
            "encoder.onnx",
            "decoder.onnx",
            "vocabulary.txt",
            "language-model.bin",
            "trust.safetensors",
            "object-groups.txt",
            "manifest.toml",
        ];
        for name in names {
            std::fs::copy(fixtures::bundle().join(name), folder.path().join(name))?;
        }
        let scrubber = Scrubber::new(&Bundle::read(folder.path())?)?;
        scrubber.scrub(Duration::ZERO)?;
        for name in names {
            let path = folder.path().join(name);
            let mut bytes = std::fs::read(&path)?;
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x10;
            std::fs::write(&path, &bytes)?;
            let error = scrubber.scrub(Duration::ZERO).err().context(name)?.to_string();
            assert!(error.contains(name) && error.contains("damaged"), "{error}");
            assert_eq!(name.ends_with("onnx"), error.contains("damaged in "), "{error}");
            bytes[middle] ^= 0x10;
            std::fs::write(&path, &bytes)?;
        }
        scrubber.scrub(Duration::ZERO)?;
        std::fs::remove_file(folder.path().join("vocabulary.txt"))?;
        assert!(scrubber.scrub(Duration::ZERO).is_err());
        Ok(())
    }
}
