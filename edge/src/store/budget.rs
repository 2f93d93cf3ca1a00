//! What is left of the bytes that may be queued.

use super::Store;
use crate::error::Result;
use redb::{Durability, ReadableDatabase, TableDefinition};

/// What was left of the bytes that may be queued.
pub(super) const BUDGET: TableDefinition<(), (u32, u32)> = TableDefinition::new("budget");

/// What was left of the bytes that may be queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// So many.
    pub bytes: u32,
    /// When, seconds since 1970.
    pub utc: u32,
}

impl Store {
    /// The budget as it was kept last.
    pub fn budget(&self) -> Result<Option<Budget>> {
        self.file.with(|database| {
            let kept = database.begin_read()?.open_table(BUDGET)?.get(())?;
            Ok(kept.map(|kept| kept.value()).map(|(bytes, utc)| Budget { bytes, utc }))
        })
    }

    /// Keeps what is left of the budget; it is on the disk with what is queued next.
    pub fn keep_budget(&self, budget: Budget) -> Result<()> {
        self.file.with(|database| {
            let mut write = database.begin_write()?;
            write.set_durability(Durability::None)?;
            write.open_table(BUDGET)?.insert((), (budget.bytes, budget.utc))?;
            Ok(write.commit()?)
        })
    }
}
