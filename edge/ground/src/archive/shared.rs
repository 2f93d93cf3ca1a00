//! An archive that several programs share: what another one has just kept is news for this one, too.

use super::Archive;
use crate::error::Result;
use crate::geopackage::datetime;
use rusqlite::params;
use std::time::Duration;

/// Within this time they hear the same packet.
pub(crate) const SHARED: Duration = Duration::from_secs(60);

/// Whether something was received within that time, as the archive has it.
pub(super) fn is_lately(received: &str) -> bool {
    received > datetime(cssa::clock::now().saturating_sub(SHARED.as_secs() as u32)).as_str()
}

impl Archive {
    /// Whether a caption of a vehicle's number came within that time.
    pub(crate) fn came_lately(&self, vehicle: u16, sequence: u32) -> Result<bool> {
        let asked = "SELECT max(received) FROM captions WHERE vehicle = ?1 AND sequence = ?2";
        let received = self.rows(asked, params![vehicle, sequence], |row| row.get::<Option<String>>(0))?;
        Ok(received.iter().flatten().any(|received| is_lately(received)))
    }
}
