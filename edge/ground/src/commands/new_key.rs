//! A new key for a vehicle as the command that brings it up, wrapped.

use super::vehicle_key::{VehicleKey, read_keys};
use anyhow::{Context, Result, ensure};
use cssa_link::read_key;
use cssa_wire::Command;
use std::path::Path;

/// The command by which `vehicle` gets the key in a file, under the one that it has.
pub(super) fn wrapped(path: &Path, keys: &[VehicleKey], vehicle: u16) -> Result<Command> {
    let new = read_key(path)?;
    let keys = read_keys(keys)?.context("--key: expected the file with the key that the vehicle has now")?;
    let current = keys.only_of(vehicle);
    let expected =
        || format!("--key: expected one key of vehicle {vehicle}, which it has now, as --key {vehicle}=PATH");
    let current = current.with_context(expected)?;
    ensure!(new != *current, "{}: is the key that --key names, expected another one (ground key)", path.display());
    Ok(current.wrap(&new, vehicle)?)
}
