//! `--key PATH` and `--key VEHICLE=PATH`.

use anyhow::Result;
use cssa_link::read_key;
use ground::keys::{KeyOwner, Keys};
use std::path::PathBuf;

/// A key's file, and whose key it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VehicleKey {
    owner: KeyOwner,
    path: PathBuf,
}

impl std::str::FromStr for VehicleKey {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let numbered = given.split_once('=').filter(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()));
        let Some((number, path)) = numbered else {
            return Ok(Self { owner: KeyOwner::General, path: given.into() });
        };
        match number.parse() {
            Ok(vehicle @ 1..) if !path.is_empty() => Ok(Self { owner: KeyOwner::Vehicle(vehicle), path: path.into() }),
            _ => Err("expected PATH, or VEHICLE=PATH with a vehicle of 1 to 65535".to_owned()),
        }
    }
}

/// The keys of files; nothing where there are none.
pub(crate) fn read_keys(keys: &[VehicleKey]) -> Result<Option<Keys>> {
    let read = |key: &VehicleKey| Ok((key.owner, read_key(&key.path)?));
    Ok(Keys::owned(keys.iter().map(read).collect::<Result<Vec<_>>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_vehicles_where_a_number_stands_before_it() {
        for (given, owner, path) in [
            ("uav.key", KeyOwner::General, "uav.key"),
            ("12=uav.key", KeyOwner::Vehicle(12), "uav.key"),
            ("12=a=b", KeyOwner::Vehicle(12), "a=b"),
            ("./12=uav.key", KeyOwner::General, "./12=uav.key"),
        ] {
            assert_eq!(given.parse(), Ok(VehicleKey { owner, path: path.into() }), "{given}");
        }
        for given in ["0=uav.key", "65536=uav.key", "12=", "=uav.key"] {
            assert!(given.parse::<VehicleKey>().is_err_and(|error| error.contains("1 to 65535")), "{given}");
        }
    }
}
