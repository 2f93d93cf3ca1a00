//! The store's tables.

use super::database::Refusal;
use super::entry::QUEUE;
use super::{CONTACT, COUNTERS, DONE, REPORT_SEQUENCE, REPORTS, SEQUENCE};
use super::{answers, asks, attempts, budget, change, commands, delta, footprints, keys};
use redb::WriteTransaction;

/// Makes those that are not there.
pub(super) fn make(write: &WriteTransaction) -> Result<(), Refusal> {
    write.open_table(QUEUE)?;
    write.open_table(DONE)?;
    write.open_table(COUNTERS)?;
    write.open_table(SEQUENCE)?;
    write.open_table(keys::WINDOWS)?;
    write.open_table(keys::NEW_KEY)?;
    write.open_table(CONTACT)?;
    write.open_table(REPORTS)?;
    write.open_table(REPORT_SEQUENCE)?;
    write.open_table(footprints::FOOTPRINTS)?;
    write.open_table(budget::BUDGET)?;
    write.open_table(change::CHANGES)?;
    write.open_table(commands::PENDING)?;
    write.open_table(answers::PACKETS)?;
    write.open_table(commands::ORDERS)?;
    write.open_table(asks::ASKS)?;
    write.open_table(asks::PICTURES)?;
    write.open_table(delta::PARTS)?;
    write.open_table(delta::CRC)?;
    write.open_table(attempts::ATTEMPTS)?;
    Ok(())
}
