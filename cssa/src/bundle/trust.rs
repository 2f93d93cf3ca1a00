//! What a bundle knows of its own trustworthiness: the manifest's table `trust`, `trust.safetensors` and `object-groups.txt`.

use super::hexadecimal;
use super::names::BATCHED;
use crate::files::FileError;
use crate::model::Model;
use crate::objects::ObjectGroups;
use crate::trust::neighbours::FAR;
use crate::trust::{Calibration, Familiarity, ImageLimits, Neighbours};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Name of the statistics.
pub const TRUST: &str = "trust.safetensors";
/// Name of the object groups.
pub const OBJECT_GROUPS: &str = "object-groups.txt";

/// What the statistics' file calls the SHA-256 of the groups that the bits of its tensor `objects` count. Absent in bundles that were
/// made before it.
const GROUPS_SHA256: &str = "object-groups-sha256";
/// The numbers of looks that a bundle has regressions for.
const LOOKS: [&str; 4] = ["1", "2", "4", "8"];
/// The largest distance that can be a limit: a hundred times what a train image has leaves nothing outside.
const MAX_DISTANCE: f32 = 100.0;

/// The manifest's part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustManifest {
    /// The parts of datasets that confidence and limits were fitted on, `name split`: none that the model has trained on.
    pub fitted_on: Vec<String>,
    /// Their images.
    pub images: usize,
    /// Share of these images that are outside.
    pub outside: f64,
    /// Mahalanobis distance of the mean memory, over √d, beyond which an image is outside.
    pub distance: f32,
    /// What pixels show at most and at least.
    pub image: ImageLimits,
    /// Confidence by the number of looks.
    pub calibration: BTreeMap<String, Calibration>,
}

/// All that confidence, familiarity and the choice among looks take.
#[derive(Clone, Debug, PartialEq)]
pub struct Trust {
    /// The manifest's part.
    pub manifest: TrustManifest,
    /// The train images' mean memories as a whole.
    pub familiarity: Familiarity,
    /// And one by one, with what their captions name.
    pub neighbours: Neighbours,
    /// Which words name the same object.
    pub groups: ObjectGroups,
    /// The file that the groups came from.
    pub groups_text: String,
}

impl TrustManifest {
    /// Fails with the key whose value cannot be, and what was expected.
    pub(super) fn validate(&self, format: u32) -> Result<(), String> {
        let Self { images, outside, distance, image, calibration, .. } = self;
        if format < BATCHED {
            return Err(format!(
                "format is {format} and there is a table trust, expected format {BATCHED} or no such table"
            ));
        }
        if *images == 0 {
            return Err("trust.images is 0, expected 1 or more".into());
        }
        if !(0.0..=1.0).contains(outside) {
            return Err(format!("trust.outside is {outside}, expected 0 to 1"));
        }
        if !(*distance > 0.0 && *distance <= MAX_DISTANCE) {
            return Err(format!("trust.distance is {distance}, expected more than 0 and at most {MAX_DISTANCE}"));
        }
        if let Err((key, found, most)) = image.validate() {
            return Err(format!("trust.image.{key} is {found}, expected at most {most}"));
        }
        if !calibration.keys().map(String::as_str).eq(LOOKS) {
            let found = calibration.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(format!("trust.calibration has {found:?}, expected {:?}", LOOKS.join(", ")));
        }
        Ok(())
    }
}

impl Trust {
    /// The regressions for a number of looks, where there are any.
    #[must_use]
    pub fn calibration(&self, looks: usize) -> Option<&Calibration> {
        self.manifest.calibration.get(&looks.to_string())
    }

    /// The statistics' file.
    pub fn to_bytes(&self) -> Result<Vec<u8>, safetensors::SafeTensorError> {
        let width = self.familiarity.mean().len();
        let float = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let parts =
            [float(self.familiarity.mean()), float(self.familiarity.whitening()), float(self.familiarity.distances())];
        let vectors: Vec<u8> = self.neighbours.vectors().iter().map(|&value| value as u8).collect();
        let images = vectors.len() / width.max(1);
        let objects = self.neighbours.objects();
        let view = |dtype, shape: &[usize], bytes| TensorView::new(dtype, shape.to_vec(), bytes);
        let tensors = [
            ("mean", view(Dtype::F32, &[width], &parts[0])?),
            ("whitening", view(Dtype::F32, &[width, width], &parts[1])?),
            ("distances", view(Dtype::F32, &[parts[2].len() / 4], &parts[2])?),
            ("neighbours", view(Dtype::I8, &[images, width], &vectors)?),
            ("objects", view(Dtype::U8, &[images, objects.len() / images.max(1)], objects)?),
        ];
        let groups = hexadecimal(&Sha256::digest(&self.groups_text));
        safetensors::serialize(tensors, Some(HashMap::from([(GROUPS_SHA256.to_owned(), groups)])))
    }

    /// Reads the statistics' and the groups' file, which the paths name in errors. Every extent and number is checked.
    pub(super) fn read(
        manifest: &TrustManifest,
        model: &Model,
        (path, bytes): (&Path, &[u8]),
        (groups_path, groups): (&Path, Vec<u8>),
    ) -> Result<Self, FileError> {
        let wrong = |problem: String| FileError::content(path, problem);
        let file =
            SafeTensors::deserialize(bytes).map_err(|error| wrong(format!("is not a safetensors file: {error}")))?;
        let groups_text =
            String::from_utf8(groups).map_err(|_| FileError::content(groups_path, "is not UTF-8 text"))?;
        let groups = ObjectGroups::parse(&groups_text);
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| wrong(error.to_string()))?;
        let made_with = header.metadata().as_ref().and_then(|metadata| metadata.get(GROUPS_SHA256));
        let found = hexadecimal(&Sha256::digest(&groups_text));
        if let Some(expected) = made_with.filter(|&expected| *expected != found) {
            let problem = format!("has SHA-256 {found}, {TRUST} was made with the table of {expected}");
            return Err(FileError::content(groups_path, problem));
        }
        let width = model.width;
        let tensor = |name: &str, dtype: Dtype, expected: &[usize]| {
            let tensor = file.tensor(name).map_err(|_| wrong(format!("tensor {name} is missing")))?;
            let (found, shape) = (tensor.dtype(), tensor.shape().to_vec());
            if found != dtype || shape != expected {
                let problem = format!("tensor {name} is {found:?} {shape:?}, expected {dtype:?} {expected:?}");
                return Err(wrong(problem));
            }
            Ok(tensor.data().to_vec())
        };
        let floats = |name: &str, shape: &[usize]| {
            let data = tensor(name, Dtype::F32, shape)?;
            let (values, _) = data.as_chunks::<4>();
            Ok::<_, FileError>(values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect::<Vec<f32>>())
        };
        let (mean, whitening) = (floats("mean", &[width])?, floats("whitening", &[width, width])?);
        let distances = floats("distances", &[manifest.images])?;
        let familiarity = Familiarity::new(mean, whitening, distances, manifest.distance)
            .map_err(|error| wrong(error.to_string()))?;
        let images = file.tensor("neighbours").map_or(0, |tensor| tensor.shape().first().copied().unwrap_or_default());
        let vectors = tensor("neighbours", Dtype::I8, &[images, width])?.into_iter().map(|byte| byte as i8).collect();
        let objects = tensor("objects", Dtype::U8, &[images, groups.count().div_ceil(8)])?;
        let neighbours = Neighbours::new(width, vectors, groups.count(), objects)
            .ok_or_else(|| wrong(format!("tensor neighbours has {images} images, expected {FAR} or more")))?;
        Ok(Self { manifest: manifest.clone(), familiarity, neighbours, groups, groups_text })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Entry, Manifest};
    use super::*;
    use crate::trust::calibration::{CAPTION_INPUTS, OBJECT_INPUTS};
    use std::error::Error;

    type Done = Result<(), Box<dyn Error>>;

    const WIDTH: usize = 2;

    fn default_manifest() -> Result<String, FileError> {
        crate::files::read_text(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/bundle/manifest.toml"),
            1 << 20,
        )
    }

    fn trust() -> Result<Trust, Box<dyn Error>> {
        let calibration = Calibration { object: [0; OBJECT_INPUTS + 1], caption: [0; CAPTION_INPUTS + 1] };
        let manifest = TrustManifest {
            fitted_on: vec!["own dev".into()],
            images: 3,
            outside: 0.05,
            distance: 1.5,
            image: ImageLimits {
                white: 60,
                contrast: 20,
                clipped: 200,
                veil: Some(900),
                fineness: 900,
                sharpness: 500,
                steadiness: 90,
            },
            calibration: LOOKS.map(|looks| (looks.to_owned(), calibration)).into(),
        };
        let groups_text = "road roads\nriver rivers\n".to_owned();
        let groups = ObjectGroups::parse(&groups_text);
        let neighbours = Neighbours::new(WIDTH, vec![100; 40 * WIDTH], groups.count(), vec![3; 40]).ok_or("no fit")?;
        let familiarity = Familiarity::new(vec![0.0; 2], vec![1.0, 0.0, 0.5, 1.0], vec![0.5, 1.0, 1.5], 1.5)?;
        Ok(Trust { manifest, familiarity, neighbours, groups, groups_text })
    }

    fn read(trust: &Trust, bytes: &[u8], groups: &str) -> Result<Trust, Box<dyn Error>> {
        let mut model = Manifest::parse(Path::new("manifest.toml"), &default_manifest()?)?.model;
        model.width = WIDTH;
        let groups = (Path::new(OBJECT_GROUPS), groups.as_bytes().to_vec());
        Ok(Trust::read(&trust.manifest, &model, (Path::new(TRUST), bytes), groups)?)
    }

    #[test]
    fn statistics_are_read_as_they_were_written() -> Done {
        let trust = trust()?;
        let bytes = trust.to_bytes()?;
        assert_eq!(read(&trust, &bytes, &trust.groups_text)?, trust);
        assert_eq!(Entry::of(&bytes), Entry::of(&trust.to_bytes()?), "the same statistics are the same bytes");
        Ok(())
    }

    /// A table with its lines in another order has every bit of `objects` mean another object.
    #[test]
    fn another_table_of_groups_is_refused() -> Done {
        let trust = trust()?;
        let refused = read(&trust, &trust.to_bytes()?, "river rivers\nroad roads\n");
        let refused = refused.err().ok_or("another table was taken")?.to_string();
        assert!(refused.contains("object-groups.txt: has SHA-256") && refused.contains("trust.safetensors was made"));
        Ok(())
    }

    #[test]
    fn tensors_that_cannot_be_are_refused_by_name() -> Done {
        let trust = trust()?;
        let float = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        type Case<'a> = (&'a str, Dtype, &'a [usize], Vec<u8>, &'a str);
        let cases: [Case<'_>; 8] = [
            ("neighbours", Dtype::I8, &[2, 40], vec![1; 80], "tensor neighbours is I8 [2, 40], expected I8 [2, 2]"),
            ("neighbours", Dtype::U8, &[40, 2], vec![1; 80], "tensor neighbours is U8 [40, 2], expected I8 [40, 2]"),
            ("objects", Dtype::U8, &[20, 2], vec![1; 40], "tensor objects is U8 [20, 2], expected U8 [40, 1]"),
            ("mean", Dtype::F32, &[1], float(&[0.0]), "tensor mean is F32 [1], expected F32 [2]"),
            ("distances", Dtype::F32, &[2], float(&[1.0; 2]), "tensor distances is F32 [2], expected F32 [3]"),
            (
                "distances",
                Dtype::F32,
                &[3],
                float(&[-1.0, 1.0, 1.0]),
                "the distances are none, below 0 or not ascending",
            ),
            ("whitening", Dtype::F32, &[2, 2], float(&[0.0; 4]), "the whitening has no more than 0 on its diagonal"),
            ("whitening", Dtype::F32, &[2, 2], float(&[f32::NAN; 4]), "the whitening has a number that is not finite"),
        ];
        let bytes = trust.to_bytes()?;
        for (name, dtype, shape, data, expected) in cases {
            let file = SafeTensors::deserialize(&bytes)?;
            let other = |(known, view)| if known == name { None } else { Some((known, view)) };
            let mut tensors: Vec<(String, TensorView<'_>)> = file.tensors().into_iter().filter_map(other).collect();
            tensors.push((name.to_owned(), TensorView::new(dtype, shape.to_vec(), &data)?));
            let refused = read(&trust, &safetensors::serialize(tensors, None)?, &trust.groups_text);
            let refused = refused.err().ok_or_else(|| format!("{expected}: taken"))?.to_string();
            assert!(refused.starts_with("trust.safetensors: ") && refused.contains(expected), "{refused} / {expected}");
        }
        Ok(())
    }

    #[test]
    fn values_of_the_manifest_that_cannot_be_are_refused_by_key() -> Done {
        let text = default_manifest()?;
        let parse = |text: &str| Manifest::parse(Path::new("manifest.toml"), text);
        assert!(parse(&text).is_ok());
        let cases = [
            ("distance = ", "distance = -1.0", "trust.distance is -1, expected more than 0 and at most 100"),
            ("distance = ", "distance = 1e30", "trust.distance is 1000000000000000000000000000000, expected"),
            ("distance = ", "distance = nan", "trust.distance is NaN, expected"),
            ("white = ", "white = 60000", "trust.image.white is 60000, expected at most 255"),
            ("veil = ", "veil = 1001", "trust.image.veil is 1001, expected at most 1000"),
            (
                "[trust.calibration.1]",
                "[trust.calibration.abc]",
                "trust.calibration has \"2, 4, 8, abc\", expected \"1, 2, 4, 8\"",
            ),
            ("images = ", "images = 0", "trust.images is 0, expected 1 or more"),
            ("outside = ", "outside = 7.5", "trust.outside is 7.5, expected 0 to 1"),
            ("format = ", "format = 2", "format is 2 and there is a table trust, expected format 3"),
        ];
        for (begin, to, expected) in cases {
            // The table `trust` is the last one.
            let from = text.lines().rfind(|line| line.starts_with(begin)).ok_or(begin)?;
            assert_eq!(text.lines().filter(|line| *line == from).count(), 1, "{from}");
            let changed: String = text.lines().flat_map(|line| [if line == from { to } else { line }, "\n"]).collect();
            let refused = parse(&changed).err().ok_or_else(|| format!("{to}: taken"))?.to_string();
            assert!(refused.starts_with("manifest.toml: ") && refused.contains(expected), "{refused} / {expected}");
        }
        Ok(())
    }
}
