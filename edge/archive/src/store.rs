//! Files, HTTP servers and S3 buckets behind one door: what a location is, its identity, its bytes by ranges.

use crate::error::{Error, Result};
use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::http::HttpBuilder;
use object_store::path::Path as Key;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt};
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};
use tokio::runtime::Runtime;
use url::Url;

/// Longest wait for one answer of a server.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Opens locations; connections to a server are kept.
pub struct Stores {
    runtime: Arc<Runtime>,
    open: Mutex<HashMap<String, Arc<dyn ObjectStore>>>,
}

/// A place that is open: a file or folder, or a key of a store.
#[derive(Clone)]
pub(crate) enum Place {
    File(PathBuf),
    Object { store: Arc<dyn ObjectStore>, key: Key, runtime: Arc<Runtime>, name: String },
}

/// How large a source is, and what changes with its content.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) bytes: u64,
    pub(crate) version: String,
}

impl Stores {
    /// Stores as the environment says: `AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL` and so on.
    ///
    /// # Errors
    /// The system gives no threads.
    pub fn new() -> Result<Self> {
        // Another part of the process may have chosen already: either will do.
        let _chosen = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| Error::System(error.to_string()))?;
        Ok(Self { runtime: Arc::new(runtime), open: Mutex::default() })
    }

    pub(crate) fn place(&self, location: &str) -> Result<Place> {
        let Some((scheme, _)) = location.split_once("://") else { return Ok(Place::File(location.into())) };
        let odd = |problem: String| Error::table(location, problem);
        let url = Url::parse(location).map_err(|error| odd(format!("is no URL: {error}")))?;
        if scheme == "file" {
            return url.to_file_path().map(Place::File).map_err(|()| odd("names no file of this machine".into()));
        }
        let host = url.host_str().unwrap_or_default();
        let (name, key) = match scheme {
            "s3" => (format!("s3://{host}"), url.path()),
            "http" | "https" => (url[..url::Position::BeforePath].to_owned(), url.path()),
            _ => return Err(odd("expected a path, file://, http://, https:// or s3://".into())),
        };
        let key = Key::from_url_path(key).map_err(|error| odd(error.to_string()))?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let store = match open.get(&name) {
            Some(store) => Arc::clone(store),
            None => {
                let client = ClientOptions::new().with_allow_http(true).with_timeout(TIMEOUT);
                let failed = |error| Error::store(location, "opened", &error);
                let store: Arc<dyn ObjectStore> = if scheme == "s3" {
                    let s3 = AmazonS3Builder::from_env().with_bucket_name(host).with_client_options(client);
                    Arc::new(s3.build().map_err(failed)?)
                } else {
                    Arc::new(HttpBuilder::new().with_url(&name).with_client_options(client).build().map_err(failed)?)
                };
                open.insert(name, Arc::clone(&store));
                store
            }
        };
        Ok(Place::Object { store, key, runtime: Arc::clone(&self.runtime), name: location.into() })
    }
}

impl Place {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Object { name, .. } => name.clone(),
        }
    }

    pub(crate) fn child(&self, name: &str) -> Self {
        match self {
            Self::File(path) => Self::File(path.join(name)),
            Self::Object { store, key, runtime, name: own } => Self::Object {
                store: Arc::clone(store),
                key: name.split('/').fold(key.clone(), |key, part| key.join(part)),
                runtime: Arc::clone(runtime),
                name: format!("{}/{name}", own.trim_end_matches('/')),
            },
        }
    }

    pub(crate) fn identity(&self) -> Result<Identity> {
        match self {
            Self::File(path) => {
                let data = path.metadata().map_err(|error| Error::system(&self.name(), "read", &error))?;
                let time = data.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
                Ok(Identity { bytes: data.len(), version: format!("{}", time.unwrap_or_default().as_nanos()) })
            }
            Self::Object { store, key, runtime, name } => {
                let data = runtime.block_on(store.head(key)).map_err(|error| Error::store(name, "read", &error))?;
                let time = data.last_modified.timestamp_micros();
                Ok(Identity { bytes: data.size, version: data.e_tag.unwrap_or_else(|| time.to_string()) })
            }
        }
    }

    /// The bytes of a range; of a server that answers with others, an error.
    pub(crate) fn range(&self, range: Range<u64>) -> Result<Bytes> {
        match self {
            Self::File(_) => Ok(self.read()?.slice(range.start as usize..range.end as usize)),
            Self::Object { store, key, runtime, name } => {
                let length = range.end - range.start;
                let found = runtime.block_on(store.get_range(key, range));
                let bytes = found.map_err(|error| Error::store(name, "read in ranges", &error))?;
                if bytes.len() as u64 == length {
                    return Ok(bytes);
                }
                let cause = format!("the server gave {} bytes, expected {length}", bytes.len());
                Err(Error::Store { place: name.clone(), action: "read in ranges", cause })
            }
        }
    }

    pub(crate) fn read(&self) -> Result<Bytes> {
        match self {
            Self::File(path) => {
                std::fs::read(path).map(Bytes::from).map_err(|error| Error::system(&self.name(), "read", &error))
            }
            Self::Object { store, key, runtime, name } => {
                let whole = runtime.block_on(async { store.get(key).await?.bytes().await });
                whole.map_err(|error| Error::store(name, "read", &error))
            }
        }
    }

    /// Makes a folder that is written to; of a bucket, looks whether it answers.
    pub(crate) fn prepare(&self) -> Result<()> {
        match self {
            Self::File(path) => {
                let failed = |error: cssa::files::FileError| match error {
                    cssa::files::FileError::System { cause, .. } => Error::system(&self.name(), "written", &cause),
                    error => Error::Store { place: self.name(), action: "written", cause: cssa::errors::chain(&error) },
                };
                cssa::files::create_folder(path).map_err(failed)?;
                cssa::files::check_writable(&path.join("captions.parquet")).map_err(failed)
            }
            Self::Object { .. } => self.names().map(drop),
        }
    }

    /// Whole under its name, or not at all: a file is flushed and renamed, an object is there when its upload is complete.
    pub(crate) fn write(&self, bytes: Vec<u8>) -> Result<()> {
        match self {
            Self::File(path) => {
                let failed = |cause: String| Error::Store { place: self.name(), action: "written", cause };
                let folder = path.parent().unwrap_or(Path::new("."));
                cssa::files::create_folder(folder).map_err(|error| failed(cssa::errors::chain(&error)))?;
                cssa::files::write(path, &bytes).map_err(|error| failed(cssa::errors::chain(&error)))
            }
            Self::Object { store, key, runtime, name } => {
                let put = runtime.block_on(store.put(key, bytes.into()));
                put.map(drop).map_err(|error| Error::store(name, "written", &error))
            }
        }
    }

    /// As [`Self::write`], by way of a folder that goes later: a process that is killed leaves nothing beside the file.
    pub(crate) fn write_through(&self, work: &Self, bytes: Vec<u8>) -> Result<()> {
        let (Self::File(path), Self::File(folder)) = (self, work) else { return self.write(bytes) };
        let hidden = folder.join("whole");
        Self::File(hidden.clone()).write(bytes)?;
        let failed = |error| Error::Store { place: self.name(), action: "written", cause: cssa::errors::chain(&error) };
        cssa::files::rename(&hidden, path).map_err(failed)
    }

    /// The names in a folder, or below a prefix up to the next slash.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        match self {
            Self::File(path) => {
                let Ok(entries) = std::fs::read_dir(path) else { return Ok(Vec::new()) };
                Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
            }
            Self::Object { store, key, runtime, name } => {
                let all = runtime.block_on(store.list(Some(key)).try_collect::<Vec<_>>());
                let all = all.map_err(|error| Error::store(name, "listed", &error))?;
                let own = |data: &object_store::ObjectMeta| {
                    data.location.prefix_match(key)?.next().map(|part| part.as_ref().to_owned())
                };
                Ok(all.iter().filter_map(own).collect())
            }
        }
    }

    pub(crate) fn remove(&self) -> Result<()> {
        match self {
            Self::File(path) => {
                let gone = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
                gone.map_err(|error| Error::system(&self.name(), "removed", &error))
            }
            Self::Object { store, key, runtime, name } => {
                runtime.block_on(store.delete(key)).map_err(|error| Error::store(name, "removed", &error))
            }
        }
    }
}
