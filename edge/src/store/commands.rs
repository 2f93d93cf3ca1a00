//! The ground's commands, from when they are taken until they are carried out: a command is taken in the transaction that marks its
//! number as used, and carried out, answered and remembered in another, so that whatever happens it is done, and answered, once.

use super::Store;
use super::answers::{Answered, Number, keep};
use super::asks::{take_ask, take_missing};
use super::database::{Refusal, pack, unpack};
use crate::error::Result;
use crate::orders::Orders;
use cssa_wire::{Command, CommandResult, FAILED, Up};
use redb::{ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction};

/// Commands that were taken and are not carried out, as they came.
pub(super) const PENDING: TableDefinition<u64, &[u8]> = TableDefinition::new("commands");
/// The orders that stand.
pub(super) const ORDERS: TableDefinition<(), &[u8]> = TableDefinition::new("orders");

/// Commands that wait at most.
const MAX_PENDING: u64 = 64;

/// A command that is not carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// Its place in the store.
    pub place: u64,
    /// The packet that it came with.
    pub number: Number,
    /// What is to be done.
    pub command: Command,
}

impl Store {
    /// The command that came first of those that are not carried out, but for one that takes long.
    pub fn next_command(&self, except: Option<u64>) -> Result<Option<Pending>> {
        self.file.with(|database| {
            let pending = database.begin_read()?.open_table(PENDING)?;
            let mut all = pending.iter()?;
            let first = all.find(|entry| entry.as_ref().is_ok_and(|(place, _)| Some(place.value()) != except));
            first
                .transpose()?
                .map(|(place, bytes)| {
                    let (number, command) = unpack(bytes.value())?;
                    Ok(Pending { place: place.value(), number, command })
                })
                .transpose()
        })
    }

    /// A command is carried out: with its answer and the orders that stand from now on.
    pub fn carried_out(&self, pending: &Pending, answered: &Answered, orders: &Orders) -> Result<()> {
        self.file.with(|database| {
            let write = database.begin_write()?;
            // One that is not there any more was carried out, in a try whose commit had failed.
            if write.open_table(PENDING)?.remove(pending.place)?.is_some() {
                keep(&write, answered, &Up::Command(pending.command.clone()))?;
            }
            write.open_table(ORDERS)?.insert((), pack(orders)?.as_slice())?;
            Ok(write.commit()?)
        })
    }

    /// The orders that stand.
    pub fn orders(&self) -> Result<Orders> {
        self.file.with(|database| {
            let kept = database.begin_read()?.open_table(ORDERS)?.get(())?;
            Ok(kept.map(|bytes| unpack(bytes.value())).transpose()?.unwrap_or_default())
        })
    }
}

/// Takes what a new packet asks for, within the transaction that takes its number.
pub(super) fn take(write: &WriteTransaction, number: Number, body: &Up) -> Result<(), Refusal> {
    match body {
        Up::Acknowledge(_) => Ok(()),
        Up::Ask(ask) => take_ask(write, number, ask),
        Up::Missing(missing) => take_missing(write, number, missing),
        Up::Command(command) => {
            let mut pending = write.open_table(PENDING)?;
            if pending.len()? >= MAX_PENDING {
                let full = Answered::new(number, CommandResult::Refused(FAILED), "too many commands wait");
                return keep(write, &full, body);
            }
            let place = pending.last()?.map_or(0, |(place, _)| place.value() + 1);
            pending.insert(place, pack(&(number, command))?.as_slice())?;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, Result};
    use cssa_wire::Down;
    use std::collections::BTreeMap;

    #[test]
    fn a_command_is_carried_out_and_answered_once_whatever_starts() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let none = BTreeMap::new();
        let take = |store: &Store, counter, command| {
            store.apply_acknowledgement((7, 1, counter), &Up::Command(command), &none).map(|taken| taken.is_some())
        };
        let store = Store::open(folder.path(), 100)?;
        assert!(take(&store, 5, Command::Pause)? && take(&store, 6, Command::Resume)?);
        assert!(!take(&store, 5, Command::Pause)?, "a replay");
        drop(store);
        // A power cut before it is carried out, and one after.
        let store = Store::open(folder.path(), 100)?;
        let first = store.next_command(None)?.context("a command")?;
        assert_eq!((first.number, &first.command), ((1, 5), &Command::Pause));
        assert_eq!(store.answer_to((1, 5))?, None, "it is not done");
        let (done, orders) =
            (Answered::new((1, 5), CommandResult::Done, ""), Orders { paused: true, ..Orders::default() });
        (0..2).try_for_each(|_| store.carried_out(&first, &done, &orders))?;
        drop(store);
        let store = Store::open(folder.path(), 100)?;
        assert_eq!((store.orders()?, store.answer_to((1, 5))?), (orders.clone(), Some(done)));
        let second = store.next_command(None)?.context("a command")?;
        assert_eq!((second.number, &second.command), ((1, 6), &Command::Resume), "in the order in which they came");
        let refused = Answered::new((1, 6), CommandResult::Refused(FAILED), &"\u{fc}".repeat(40));
        store.carried_out(&second, &refused, &orders)?;
        assert_eq!(store.next_command(None)?, None);
        let Down::Answer(answer) = refused.body() else { anyhow::bail!("{refused:?}") };
        assert_eq!(answer.value.len(), 64, "whole characters, as many as fit");
        Ok(())
    }

    #[test]
    fn commands_are_bounded_and_all_are_answered() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let (store, none) = (Store::open(folder.path(), 100)?, BTreeMap::new());
        for counter in 0..70 {
            store.apply_acknowledgement((7, 1, counter), &Up::Command(Command::Pause), &none)?;
        }
        let last = store.answer_to((1, 69))?.context("an answer")?;
        assert_eq!(last.result, CommandResult::Refused(FAILED));
        let mut carried_out = 0;
        while let Some(pending) = store.next_command(None)? {
            let done = Answered::new(pending.number, CommandResult::Done, "");
            store.carried_out(&pending, &done, &Orders::default())?;
            carried_out += 1;
        }
        assert_eq!(carried_out, MAX_PENDING);
        for counter in 0..70 {
            assert!(store.answer_to((1, counter))?.is_some(), "{counter}");
        }
        Ok(())
    }
}
