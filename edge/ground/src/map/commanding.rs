//! Commands from the page: only for whoever has the token that `ground map` printed, and never from a page of another origin.

use crate::archive::Archive;
use crate::database::Place;
use crate::error::{Error, Result};
use axum::http::{HeaderMap, header};
use cssa_wire::Command;
use serde::Deserialize;
use std::fs::File;
use std::io::Read;
use subtle::ConstantTimeEq;

/// Random bytes of a token.
const TOKEN: usize = 16;

/// Who may command through the page, and where commands are put.
#[derive(Debug)]
pub struct Commanding {
    archive: Place,
    token: String,
}

/// A command of the page.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Given {
    vehicle: u16,
    action: Action,
}

/// A picture that the page asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// The row of its caption.
    row: i64,
    /// Its longer side in pixels at most.
    pixels: u16,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Action {
    /// In thousandths.
    Threshold(u16),
    Pause,
    Resume,
    SelfTest,
    Status,
}

impl Commanding {
    /// Commands go into the archive at a place, which is opened to be written only for them; the token is new.
    pub fn new(archive: Place) -> Result<Self> {
        let mut random = [0; TOKEN];
        File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut random)).map_err(Error::Server)?;
        Ok(Self { archive, token: random.iter().map(|byte| format!("{byte:02x}")).collect() })
    }

    /// What a request has after `Authorization: Bearer`.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Whether a request is from whoever has the token, and from no other page.
    pub(super) fn is_allowed(&self, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let (host, origin) = (text(header::HOST).unwrap_or_default(), headers.get(header::ORIGIN));
        let is_own = origin.is_none_or(|origin| origin.as_bytes() == format!("http://{host}").as_bytes());
        let token = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        is_own && bool::from(token.as_bytes().ct_eq(self.token.as_bytes()))
    }

    /// Puts a command into the archive; gives its row.
    pub(super) fn give(&self, Given { vehicle, action }: Given) -> Result<i64> {
        let command = match action {
            Action::Threshold(thousandths) => Command::SetThreshold { thousandths },
            Action::Pause => Command::Pause,
            Action::Resume => Command::Resume,
            Action::SelfTest => Command::SelfTest,
            Action::Status => Command::StatusNow,
        };
        Archive::open_at(&self.archive)?.give_command(vehicle, &command)
    }

    /// Asks for a picture; gives its row.
    pub(super) fn ask(&self, Wanted { row, pixels }: Wanted) -> Result<i64> {
        Archive::open_at(&self.archive)?.ask_picture(row, pixels, None)
    }
}
