//! An archive that several programs share: what another one has just kept is news for this one, too.

use super::{Archive, Origin};
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

/// The highest number of a vehicle's captions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Highest {
    pub(crate) sequence: u32,
    /// It came within that time.
    pub(crate) is_lately: bool,
}

impl Archive {
    /// The highest number of the captions that are here.
    pub(crate) fn highest_caption(&self, of: &Origin) -> Result<Option<Highest>> {
        let asked = "SELECT sequence, received FROM captions WHERE vehicle = ?1 AND (vehicle > 0 OR sender = ?2)
             ORDER BY sequence DESC LIMIT 1";
        let (vehicle, sender) = of.columns();
        let found = self.rows(asked, params![vehicle, sender], |row| Ok((row.get(0)?, row.get::<String>(1)?)))?;
        let highest = |(sequence, received): (u32, String)| Highest { sequence, is_lately: is_lately(&received) };
        Ok(found.into_iter().next().map(highest))
    }
}
