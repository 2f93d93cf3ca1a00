//! A new key that comes over the link: here, where the keys are, a packet with one is taken and carried out.

use super::Downlink;
use crate::error::Result;
use cssa_wire::{Command, Key};

impl Downlink {
    /// Takes a packet with a new key under the key `by`, and carries it out, in one transaction; whether the packet is new.
    pub(super) fn take_new_key(&mut self, number: (u32, u8, u32), command: &Command, by: &Key) -> Result<bool> {
        // A commit that failed may have reached the disk all the same.
        self.follow_store()?;
        let Some(keys) = &self.keys else { return Ok(false) };
        let offered = keys.offered(command, by, self.config.vehicle);
        let is_new = self.store.take_new_key(number, command, offered.as_ref().map_err(|why| *why))?;
        if is_new {
            let outcome = offered.map_or_else(|why| why, |_| "it is taken, and used once the ground speaks under it");
            tracing::info!("a new key by command {} of station {}: {outcome}", number.2, number.1);
        }
        self.follow_store()?;
        Ok(is_new)
    }

    /// The keys are those of the configuration and the store.
    fn follow_store(&mut self) -> Result<()> {
        let new = self.store.new_key()?;
        self.keys = self.keys.as_ref().map(|keys| keys.under(new.as_ref()));
        Ok(())
    }
}
