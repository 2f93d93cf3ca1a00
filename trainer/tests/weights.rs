//! Weights files of `torch.save`, as fixtures/weights holds them.

use anyhow::Result;
use std::path::{Path, PathBuf};
use trainer::weights;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/weights").join(name)
}

#[test]
fn both_formats_of_torch_save_are_read() -> Result<()> {
    for name in ["archive.pth", "stream.pth"] {
        let tensors = weights::read(&fixture(name))?;
        let weight = tensors.get("conv.weight")?;
        assert_eq!(
            (weight.shape.as_slice(), weight.data.as_slice()),
            (&[2, 3][..], &[0.0, 0.25, 0.5, 0.75, 1.0, 1.25][..])
        );
        assert_eq!(tensors.get("bn.running_var")?.data, [0.5, 2.0]);
        let transposed = tensors.get("fc.weight")?;
        assert_eq!(
            (transposed.shape.as_slice(), transposed.data.as_slice()),
            (&[2, 3][..], &[0.0, 2.0, 4.0, 1.0, 3.0, 5.0][..])
        );
        assert!(tensors.get("bn.num_batches_tracked").is_err(), "{name}: a counter is no weight");
    }
    Ok(())
}

#[test]
fn a_file_of_python_2_is_read_without_its_prefix() -> Result<()> {
    let tensors = weights::read(&fixture("python2.pth"))?;
    let (tensors, prefix) = weights::without_prefix(tensors, &["conv.weight", "conv.bias"])?;
    assert_eq!(prefix.as_deref(), Some("module.encoder_q."));
    let weight = tensors.get("conv.weight")?;
    assert_eq!(
        (weight.shape.as_slice(), weight.data.as_slice()),
        (&[2, 3][..], &[0.0, 0.25, 0.5, 0.75, 1.0, 1.25][..])
    );
    assert_eq!(tensors.get("conv.bias")?.data, [0.5, 2.0]);
    Ok(())
}

#[test]
fn the_content_says_what_a_file_is_and_not_its_ending() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let safetensors = folder.path().join("model.bin");
    let array = cssa::tensors::Array { shape: vec![2], data: vec![1.0, 2.0] };
    cssa::tensors::write(&safetensors, [("w", &array)])?;
    assert_eq!(weights::read(&safetensors)?.get("w")?.data, [1.0, 2.0]);
    for name in ["archive.pth", "stream.pth", "python2.pth"] {
        let path = folder.path().join(name).with_extension("safetensors");
        std::fs::copy(fixture(name), &path)?;
        weights::read(&path)?;
    }
    let page = folder.path().join("resnet50.pth");
    std::fs::write(&page, "<!DOCTYPE html><title>Sign in</title>")?;
    let said = weights::read(&page).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(said.contains("resnet50.pth: is a page of HTML"), "{said}");
    Ok(())
}

#[test]
fn damaged_files_are_errors_that_name_the_file() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for name in ["archive.pth", "stream.pth", "python2.pth"] {
        let bytes = std::fs::read(fixture(name))?;
        let path = folder.path().join(name);
        let read = |bytes: &[u8]| -> Result<bool> {
            std::fs::write(&path, bytes)?;
            match weights::read(&path) {
                Ok(_) => Ok(true),
                Err(error) => {
                    assert!(format!("{error:#}").contains(name), "{error:#}");
                    Ok(false)
                }
            }
        };
        for length in 0..bytes.len() {
            assert!(!read(&bytes[..length])?, "{name}: {length} of {} bytes were taken for a whole file", bytes.len());
        }
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << (place % 8);
            read(&changed)?;
        }
    }
    Ok(())
}
