//! What changed between two bundles, file by file: a tensor is described against the tensor of the same name in the earlier
//! graph, wherever it lies there.

use crate::error::Result;
use cssa::bundle::{self, Change, Delta};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

/// Writes the delta from one bundle to another; gives its size in bytes.
pub fn write(earlier: &Path, new: &Path, out: &Path) -> Result<u64> {
    cssa::files::check_writable(out)?;
    cssa::files::check_is_other(out, [earlier, new])?;
    let (earlier, new) = (bundle::contents(earlier)?, bundle::contents(new)?);
    Ok(Delta::between(&earlier, &new, |_, earlier, new| change(earlier, new)).write(out)?)
}

/// How `new` comes of `earlier`: both ONNX graphs, or anything else.
fn change(earlier: &[u8], new: &[u8]) -> Change {
    let known: BTreeMap<&str, Range<usize>> = tensors(earlier).into_iter().collect();
    let mut change = Change::default();
    let (mut done, mut passed) = (0, 0);
    for (name, place) in tensors(new) {
        let Some(old) = known.get(name).filter(|old| old.len() == place.len()) else { continue };
        // What lies between two tensors (shapes, names, nodes) is most often the same as before.
        let (gap, old_gap) = (done..place.start, passed..old.start);
        if gap.len() == old_gap.len() {
            change.push(old_gap.start, &earlier[old_gap], &new[gap], &[]);
        } else {
            change.push(0, &[], &[], &new[gap]);
        }
        change.push(old.start, &earlier[old.clone()], &new[place.clone()], &[]);
        (done, passed) = (place.end, old.end);
    }
    let (rest, old_rest) = (&new[done..], &earlier[passed..]);
    if rest.len() == old_rest.len() {
        change.push(passed, old_rest, rest, &[]);
    } else {
        change.push(0, &[], &[], rest);
    }
    change
}

/// Fields of the protocol buffers that lead to a constant's values (onnx.proto).
const GRAPH: u64 = 7;
const INITIALIZER: u64 = 5;
const NAME: u64 = 8;
const RAW_DATA: u64 = 9;

/// Names and places of the constants of an ONNX file, in its order; none where it is no such file.
fn tensors(file: &[u8]) -> Vec<(&str, Range<usize>)> {
    let parts = |range: Range<usize>, wanted: u64| {
        let all = fields(file, range).unwrap_or_default();
        all.into_iter().filter(move |(field, _)| *field == wanted).map(|(_, range)| range)
    };
    let constants = parts(0..file.len(), GRAPH).flat_map(|graph| parts(graph, INITIALIZER));
    let found = constants.filter_map(|constant| {
        let name = std::str::from_utf8(&file[parts(constant.clone(), NAME).next()?]).ok()?;
        Some((name, parts(constant, RAW_DATA).next()?))
    });
    found.collect()
}

/// The length-delimited fields of a message; `None` where it is none.
fn fields(file: &[u8], mut range: Range<usize>) -> Option<Vec<(u64, Range<usize>)>> {
    let mut found = Vec::new();
    let number = |range: &mut Range<usize>| {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = *file.get(range.start).filter(|_| range.start < range.end)?;
            range.start += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    };
    while range.start < range.end {
        let tag = number(&mut range)?;
        let length = match tag & 7 {
            0 => {
                number(&mut range)?;
                continue;
            }
            1 => 8,
            2 => usize::try_from(number(&mut range)?).ok()?,
            5 => 4,
            _ => return None,
        };
        let end = range.start.checked_add(length).filter(|end| *end <= range.end)?;
        if tag & 7 == 2 {
            found.push((tag >> 3, range.start..end));
        }
        range.start = end;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{self, Graph};
    use anyhow::Result;
    use cssa::bundle::{Contents, Delta, MANIFEST};

    fn graph(weight: f32, further: bool) -> Vec<u8> {
        let mut graph = Graph::new("a");
        graph.floats("weight", &[4], &[weight, 2.0, 3.0, 4.0]);
        if further {
            graph.floats("further", &[2], &[5.0, 6.0]);
        }
        graph.floats("last", &[1], &[7.0]);
        graph::bytes(&graph.finish())
    }

    #[test]
    fn constants_are_found_where_they_lie() {
        let file = graph(1.0, false);
        let found = tensors(&file);
        assert_eq!(found.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["weight", "last"]);
        assert_eq!(file[found[1].1.clone()], 7f32.to_le_bytes());
        assert!(tensors(b"no graph at all").is_empty());
    }

    #[test]
    fn a_delta_gives_the_new_bundle_or_says_why_not() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.delta");
        let bundle = fixtures::bundle();
        let earlier = bundle::contents(&bundle)?;
        let mut new = earlier.clone();
        let encoder = new.get_mut("encoder.onnx").expect("an encoder");
        let (_, place) = tensors(encoder).into_iter().max_by_key(|(_, place)| place.len()).expect("a tensor");
        encoder[place.start] ^= 1;
        let text = String::from_utf8(new[MANIFEST].clone())?;
        let entries = ["encoder.onnx"].map(|name| bundle::Entry::of(&new[name]).sha256);
        let manifest: bundle::Manifest = toml::from_str(&text)?;
        let text = text.replace(&manifest.files["encoder.onnx"].sha256, &entries[0]);
        new.insert(MANIFEST.into(), text.into_bytes());
        let bytes = Delta::between(&earlier, &new, |_, earlier, new| change(earlier, new)).write(&path)?;
        assert!(bytes < 100_000, "{bytes} bytes");
        let delta = Delta::read(&path)?;
        assert!(delta.apply(&path, &earlier, None)? == new);
        let refused = delta.apply(&path, &new, None).map_err(|error| error.to_string());
        assert!(refused.is_err_and(|error| error.contains("is a delta from the bundle whose manifest")));
        let mut damaged = earlier.clone();
        damaged.get_mut("decoder.onnx").expect("a decoder")[1000] ^= 1;
        let refused = delta.apply(&path, &damaged, None).map_err(|error| error.to_string());
        assert!(refused.is_err_and(|error| error.contains("decoder.onnx")));
        Ok(())
    }

    #[test]
    fn graphs_with_other_constants_come_back_exactly() {
        for (a, b) in [(graph(1.0, false), graph(1.5, true)), (graph(1.0, true), graph(2.0, false))] {
            let [earlier, new] = [a, b].map(|file| Contents::from([("encoder.onnx".to_owned(), file)]));
            let delta = Delta::between(&earlier, &new, |_, earlier, new| change(earlier, new));
            assert_eq!(delta.rebuilt("encoder.onnx", &earlier), Ok(new["encoder.onnx"].clone()));
        }
    }
}
