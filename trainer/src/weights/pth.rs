//! `torch.save` of a `state_dict`: a ZIP archive with `data.pkl` and a file a storage (since torch 1.6), or before that five
//! pickles and the storages in one stream.

use super::pickle::{self, Result, TensorValue, Value};
use crate::error::{Error, StateDictError, ensure};
use cssa::tensors::{Array, Tensors};
use half::{bf16, f16};
use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;

const ZIP: &[u8] = b"PK";
/// Keys under which checkpoints keep the `state_dict` beside other things.
const WRAPPERS: [&str; 5] = ["state_dict", "model", "model_state_dict", "net", "module"];

/// Reads the floating-point tensors of the bytes of a `.pth` file; `path` is what errors name.
pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Tensors, Error> {
    let found = if bytes.starts_with(ZIP) { zipped(bytes) } else { stream(bytes) };
    let arrays = found.map_err(|source| Error::StateDict { path: path.into(), source })?;
    Ok(Tensors::new(path, arrays))
}

fn zipped(bytes: &[u8]) -> Result<BTreeMap<String, Array>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes))?;
    let names: Vec<String> = archive.file_names().map(|name| Ok(name?.into_owned())).collect::<Result<_>>()?;
    let place = names.into_iter().find(|name| name.ends_with("/data.pkl")).ok_or("it has no data.pkl")?;
    let folder = place.trim_end_matches("data.pkl").to_owned();
    let mut entry = |name: &str| -> Result<Vec<u8>> {
        let missing = |source| StateDictError::Missing { name: name.into(), source };
        let mut file = archive.by_name(name).map_err(missing)?;
        ensure!(
            file.size() <= bytes.len() as u64,
            StateDictError::Malformed(format!("{name} is larger than the file"))
        );
        let mut content = Vec::new();
        Read::by_ref(&mut file).take(bytes.len() as u64).read_to_end(&mut content)?;
        Ok(content)
    };
    let pickled = entry(&place)?;
    let (value, _) = pickle::read(&pickled)?;
    let mut storages = BTreeMap::new();
    for (_, tensor) in tensors(&value)? {
        if !storages.contains_key(&tensor.key) {
            storages.insert(tensor.key.clone(), entry(&format!("{folder}data/{}", tensor.key))?);
        }
    }
    arrays(&value, &storages)
}

/// Magic number, protocol version, system information, the object, the keys of the storages in their order, then each storage:
/// its number of elements and its bytes.
fn stream(bytes: &[u8]) -> Result<BTreeMap<String, Array>> {
    let (_, rest) = pickle::read(bytes)?;
    let (_, rest) = pickle::read(rest)?;
    let (_, rest) = pickle::read(rest)?;
    let (value, rest) = pickle::read(rest)?;
    let (keys, mut rest) = pickle::read(rest)?;
    let Value::Sequence(keys) = keys else { return Err("it has no list of storages".into()) };
    let elements: BTreeMap<String, String> =
        tensors(&value)?.into_iter().map(|(_, tensor)| (tensor.key.clone(), tensor.element.clone())).collect();
    let mut storages = BTreeMap::new();
    for key in keys {
        let Value::Text(key) = key else { return Err("a storage without a key".into()) };
        let (count, after) = rest.split_first_chunk().ok_or("it is cut off")?;
        let strayed = || StateDictError::Malformed(format!("storage {key} belongs to no tensor"));
        let width = width(elements.get(&key).ok_or_else(strayed)?)?;
        let count = usize::try_from(u64::from_le_bytes(*count)).ok();
        let length = count.and_then(|count| count.checked_mul(width)).ok_or("a storage is too large")?;
        let (content, after) = after.split_at_checked(length).ok_or("it is cut off")?;
        storages.insert(key, content.to_vec());
        rest = after;
    }
    arrays(&value, &storages)
}

/// The tensors of a `state_dict`, or of one inside a checkpoint.
fn tensors(value: &Value) -> Result<Vec<(&str, &TensorValue)>> {
    let Value::Dictionary(entries) = value else { return Err("it is no dictionary".into()) };
    let inside = entries.iter().find(|(key, value)| {
        matches!((key, value), (Value::Text(name), Value::Dictionary(_)) if WRAPPERS.contains(&name.as_str()))
    });
    if let Some((_, inside)) = inside {
        return tensors(inside);
    }
    Ok(entries
        .iter()
        .filter_map(|(key, value)| match (key, value) {
            (Value::Text(name), Value::Tensor(tensor)) => Some((name.as_str(), tensor)),
            _ => None,
        })
        .collect())
}

fn arrays(value: &Value, storages: &BTreeMap<String, Vec<u8>>) -> Result<BTreeMap<String, Array>> {
    let mut found = BTreeMap::new();
    for (name, tensor) in tensors(value)? {
        let storage = storages.get(&tensor.key).ok_or_else(|| "its storage is missing".into());
        let array = storage.and_then(|storage| array(tensor, storage));
        let wrong = |source| StateDictError::Tensor { name: name.into(), source: Box::new(source) };
        if let Some(array) = array.map_err(wrong)? {
            found.insert(name.to_owned(), array);
        }
    }
    Ok(found)
}

fn width(element: &str) -> Result<usize> {
    match element.strip_prefix("torch.").unwrap_or(element) {
        "FloatStorage" | "IntStorage" => Ok(4),
        "HalfStorage" | "BFloat16Storage" | "ShortStorage" => Ok(2),
        "DoubleStorage" | "LongStorage" => Ok(8),
        "ByteStorage" | "CharStorage" | "BoolStorage" => Ok(1),
        other => Err(StateDictError::Malformed(format!("elements of type {other} are not known"))),
    }
}

/// The tensor's values row-major; nothing for one of integers.
fn array(tensor: &TensorValue, storage: &[u8]) -> Result<Option<Array>> {
    let value: fn(&[u8]) -> f32 = match tensor.element.strip_prefix("torch.").unwrap_or(&tensor.element) {
        "FloatStorage" => |b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
        "HalfStorage" => |b| f16::from_le_bytes([b[0], b[1]]).to_f32(),
        "BFloat16Storage" => |b| bf16::from_le_bytes([b[0], b[1]]).to_f32(),
        "DoubleStorage" => |b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32,
        _ => return Ok(None),
    };
    let width = width(&tensor.element)?;
    ensure!(tensor.size.len() == tensor.stride.len(), "size and stride differ in length".into());
    let count = tensor.size.iter().try_fold(1i64, |count, &extent| count.checked_mul(extent).filter(|_| extent >= 0));
    let count = count.ok_or("its size is impossible")?;
    ensure!(
        count as usize <= storage.len() / width || count == 0,
        StateDictError::Malformed(format!("its size {:?} exceeds its storage", tensor.size))
    );
    let mut data = Vec::with_capacity(count as usize);
    let mut index = vec![0i64; tensor.size.len()];
    for _ in 0..count {
        let along = index
            .iter()
            .zip(&tensor.stride)
            .try_fold(tensor.offset, |at, (&i, &stride)| i.checked_mul(stride).and_then(|step| at.checked_add(step)));
        let start = usize::try_from(along.ok_or("its stride is impossible")?)?.checked_mul(width).ok_or("too far")?;
        let bytes = storage.get(start..start + width).ok_or("it reaches beyond its storage")?;
        data.push(value(bytes));
        for (place, &extent) in index.iter_mut().zip(&tensor.size).rev() {
            *place += 1;
            if *place < extent {
                break;
            }
            *place = 0;
        }
    }
    let shape = tensor.size.iter().map(|&extent| extent as usize).collect();
    Ok(Some(Array { shape, data }))
}
