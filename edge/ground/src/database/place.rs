//! Where an archive is: a file, or a database of a server. A password is in no text of it.

use cssa::files::{self, FileError};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where an archive is.
#[derive(Clone, PartialEq, Eq)]
pub struct Place(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    File(PathBuf),
    Server { url: String, name: String },
}

impl Place {
    /// The file, where it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.0 {
            Kind::File(path) => Some(path),
            Kind::Server { .. } => None,
        }
    }

    /// Refuses to write over the archive, or over what its database keeps beside it.
    ///
    /// # Errors
    /// `out` is one of these files.
    pub fn check_is_not(&self, out: &Path) -> Result<(), FileError> {
        let Some(file) = self.file() else { return Ok(()) };
        let beside = |ending: &str| {
            let mut name = file.canonicalize().unwrap_or_else(|_| file.into()).into_os_string();
            name.push(ending);
            PathBuf::from(name)
        };
        let files: Vec<PathBuf> = ["", "-wal", "-shm", "-journal"].map(beside).into();
        files::check_is_other(out, files.iter().map(PathBuf::as_path))
    }

    /// The URL with its password, where it is a server's.
    pub(crate) fn url(&self) -> Option<&str> {
        match &self.0 {
            Kind::File(_) => None,
            Kind::Server { url, .. } => Some(url),
        }
    }
}

impl From<OsString> for Place {
    fn from(given: OsString) -> Self {
        // Whoever writes such a scheme means a server, whatever is wrong with the rest: that is said when it is asked.
        let schemes = ["postgres", "postgresql"];
        let named = given.to_str().and_then(|text| text.split_once(':'));
        let scheme = named.map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest));
        Self(match scheme.filter(|(scheme, _)| schemes.contains(&scheme.as_str())) {
            Some((scheme, rest)) => {
                let url = format!("{scheme}:{rest}");
                Kind::Server { name: without_password(&url), url }
            }
            None => Kind::File(given.into()),
        })
    }
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Self {
        Self::from(path.as_os_str().to_owned())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::File(path) => path.display().fmt(formatter),
            Kind::Server { name, .. } => formatter.write_str(name),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Place({self})")
    }
}

/// User, host and database of a URL. What may belong to a password is left out, however the URL is wrong.
fn without_password(url: &str) -> String {
    let (kind, rest) = url.split_once("://").unwrap_or(("postgres", ""));
    let (who, at) = rest.rsplit_once('@').map_or(("", rest), |(who, at)| (who, at));
    let user = who.split([':', '?', '/', '@']).next().unwrap_or_default();
    let user = if user.is_empty() { String::new() } else { format!("{user}@") };
    format!("{kind}://{user}{}", at.split('?').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_place_has_a_password() {
        for (url, name) in [
            ("postgres://cssa:secret@db.example:5433/fleet", "postgres://cssa@db.example:5433/fleet"),
            ("postgresql://cssa:secret@db/fleet?sslmode=require", "postgresql://cssa@db/fleet"),
            ("postgres://cssa@/fleet?host=/run/postgresql&password=secret", "postgres://cssa@/fleet"),
            ("postgres://cssa:a@secret/b?c@db/fleet", "postgres://cssa@db/fleet"),
            ("postgres://db/fleet", "postgres://db/fleet"),
        ] {
            let place = Place::from(OsString::from(url));
            assert_eq!((place.to_string(), place.url()), (name.to_owned(), Some(url)));
            assert!(!format!("{place:?}").contains("secret"));
        }
        // A server is meant, and no file is made of what is wrong.
        for mistyped in ["postgres:junk", "POSTGRES://cssa@db/fleet", "PostgreSQL:/db/fleet"] {
            assert_eq!(Place::from(OsString::from(mistyped)).file(), None, "{mistyped}");
        }
        let place = Place::from(Path::new("/srv/captions.gpkg"));
        assert_eq!(
            (place.to_string().as_str(), place.file()),
            ("/srv/captions.gpkg", Some(Path::new("/srv/captions.gpkg")))
        );
    }
}
