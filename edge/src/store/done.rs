//! Which frames are settled.

use super::attempts::ATTEMPTS;
use super::{DONE, Store};
use crate::error::Result;
use redb::{ReadableDatabase, ReadableTable};

impl Store {
    /// Whether a frame is settled.
    pub fn is_done(&self, key: &str) -> Result<bool> {
        self.file.with(|database| Ok(database.begin_read()?.open_table(DONE)?.get(key)?.is_some()))
    }

    /// Forgets settled frames that `gone` says can never come again. It is asked while others go on with the store.
    pub fn forget(&self, gone: impl Fn(&str) -> bool) -> Result<()> {
        let known = self.file.with(|database| {
            let (read, mut known) = (database.begin_read()?, Vec::new());
            for entry in read.open_table(DONE)?.iter()? {
                known.push(entry?.0.value().to_owned());
            }
            for entry in read.open_table(ATTEMPTS)?.iter()? {
                known.push(entry?.0.value().to_owned());
            }
            Ok(known)
        })?;
        let gone: Vec<String> = known.into_iter().filter(|key| gone(key)).collect();
        if gone.is_empty() {
            return Ok(());
        }
        self.file.with(|database| {
            let write = database.begin_write()?;
            {
                let (mut done, mut attempts) = (write.open_table(DONE)?, write.open_table(ATTEMPTS)?);
                for key in &gone {
                    done.remove(key.as_str())?;
                    attempts.remove(key.as_str())?;
                }
            }
            Ok(write.commit()?)
        })
    }
}
