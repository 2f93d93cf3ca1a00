//! Named FP32 tensors in `.safetensors` files. FP16 and BF16 are widened when read; nothing is trusted before its
//! bounds are checked.

use crate::files::{self, FileError};
use crate::parameters::Parameter;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Largest file that is read: the training state of any model that the bounds of [`crate::model`] make sense for.
const MAX_FILE: u64 = 1 << 34;

/// An array with its shape, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// The product of `shape` many values.
    pub data: Vec<f32>,
}

impl Array {
    /// An array of this shape; `None` where the number of values differs from the shape's.
    #[must_use]
    pub fn new(shape: &[usize], data: Vec<f32>) -> Option<Self> {
        let matches = shape.iter().product::<usize>() == data.len();
        matches.then(|| Self { shape: shape.to_vec(), data })
    }
}

/// The tensors of one file, which errors name.
#[derive(Clone, Debug)]
pub struct Tensors {
    path: PathBuf,
    arrays: BTreeMap<String, Array>,
}

impl Tensors {
    /// Reads all floating-point tensors of a file; integers (counters of BatchNorm) are left out.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        Self::parse(path, &files::read(path, MAX_FILE)?)
    }

    /// As [`Tensors::read`], from the file's bytes; `path` is what errors name.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, FileError> {
        let file = SafeTensors::deserialize(bytes)
            .map_err(|error| FileError::content(path, format!("is not a safetensors file: {error}")))?;
        let mut arrays = BTreeMap::new();
        for (name, view) in file.iter() {
            if let Some(data) = widen(&view) {
                arrays.insert(name.to_owned(), Array { shape: view.shape().to_vec(), data });
            }
        }
        Ok(Self { path: path.into(), arrays })
    }

    /// Tensors that another reader found in the file `path`.
    #[must_use]
    pub fn new(path: &Path, arrays: BTreeMap<String, Array>) -> Self {
        Self { path: path.into(), arrays }
    }

    /// The file they came from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.arrays.keys().map(String::as_str)
    }

    /// The tensors whose names begin with `prefix`, without it.
    #[must_use]
    pub fn without_prefix(self, prefix: &str) -> Self {
        let stripped = |(name, array): (String, Array)| Some((name.strip_prefix(prefix)?.to_owned(), array));
        Self { arrays: self.arrays.into_iter().filter_map(stripped).collect(), ..self }
    }

    /// A tensor by name; the error names the file and the tensor.
    pub fn get(&self, name: &str) -> Result<&Array, FileError> {
        self.arrays.get(name).ok_or_else(|| FileError::content(&self.path, format!("tensor {name} is missing")))
    }

    /// The tensors of `parameters` with their shapes checked, in order: the first that is missing, has another shape or a value that is no
    /// finite number is named. `strip` is taken off the parameters' names before they are looked up.
    pub fn take(mut self, parameters: &[Parameter], strip: &str) -> Result<Vec<(String, Array)>, FileError> {
        let mut found = Vec::with_capacity(parameters.len());
        for parameter in parameters {
            let name = parameter.name.strip_prefix(strip).unwrap_or(&parameter.name);
            let shape = &self.get(name)?.shape;
            if *shape != parameter.shape {
                let problem = format!("tensor {name} has shape {shape:?}, expected {:?}", parameter.shape);
                return Err(FileError::content(&self.path, problem));
            }
            if let Some(array) = self.arrays.remove(name) {
                if let Some(at) = array.data.iter().position(|value| !value.is_finite()) {
                    let problem = format!("tensor {name} has {} at {at}, expected finite numbers", array.data[at]);
                    return Err(FileError::content(&self.path, problem));
                }
                found.push((parameter.name.clone(), array));
            }
        }
        Ok(found)
    }
}

/// Writes tensors as FP32, whole or not at all.
pub fn write<'a>(path: &Path, tensors: impl IntoIterator<Item = (&'a str, &'a Array)>) -> Result<(), FileError> {
    let bytes: Vec<(&str, &[usize], Vec<u8>)> = tensors
        .into_iter()
        .map(|(name, array)| (name, array.shape.as_slice(), array.data.iter().flat_map(|x| x.to_le_bytes()).collect()))
        .collect();
    let mut views = Vec::with_capacity(bytes.len());
    for (name, shape, data) in &bytes {
        let view = TensorView::new(Dtype::F32, shape.to_vec(), data)
            .map_err(|error| FileError::content(path, format!("tensor {name}: {error}")))?;
        views.push((*name, view));
    }
    let whole = safetensors::serialize(views, None).map_err(|error| FileError::content(path, error))?;
    files::write(path, &whole)
}

fn widen(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let bytes = view.data();
    match view.dtype() {
        Dtype::F32 => Some(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()),
        Dtype::F16 => Some(bytes.chunks_exact(2).map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()).collect()),
        Dtype::BF16 => Some(bytes.chunks_exact(2).map(|b| half::bf16::from_le_bytes([b[0], b[1]]).to_f32()).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::Init;

    #[test]
    fn the_first_missing_or_misshapen_tensor_is_named() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("w.safetensors");
        let array = Array { shape: vec![2, 1], data: vec![1.0, -2.0] };
        write(&path, [("a", &array)])?;
        let parameter =
            |name: &str, shape: &[usize]| Parameter { name: name.into(), shape: shape.to_vec(), start: Init::Backbone };
        let read = Tensors::read(&path)?;
        assert_eq!(read.clone().take(&[parameter("p.a", &[2, 1])], "p.")?, [("p.a".to_owned(), array)]);
        let error = read.clone().take(&[parameter("b", &[1])], "").map_err(|e| e.to_string());
        assert!(error.is_err_and(|e| e.contains("w.safetensors: tensor b is missing")));
        let error = read.take(&[parameter("a", &[1, 2])], "").map_err(|e| e.to_string());
        assert!(error.is_err_and(|e| e.ends_with("tensor a has shape [2, 1], expected [1, 2]")));
        std::fs::write(&path, b"\xff\xff\xff\xff\xff\xff\xff\xff{}")?;
        assert!(Tensors::read(&path).is_err());
        Ok(())
    }
}
