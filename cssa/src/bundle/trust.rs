//! What a bundle knows of its own trustworthiness: the manifest's table `trust`, `trust.safetensors` and `object-groups.txt`.

use crate::files::FileError;
use crate::model::Model;
use crate::objects::ObjectGroups;
use crate::trust::{Calibration, Familiarity, ImageLimits, Neighbours};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Name of the statistics.
pub const TRUST: &str = "trust.safetensors";
/// Name of the object groups.
pub const OBJECT_GROUPS: &str = "object-groups.txt";

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
        safetensors::serialize(tensors, None)
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
        let tensor = |name: &str, dtype: Dtype| {
            let found = file.tensor(name).map_err(|_| wrong(format!("tensor {name} is missing")))?;
            if found.dtype() != dtype {
                return Err(wrong(format!("tensor {name} is of type {:?}, expected {dtype:?}", found.dtype())));
            }
            Ok(found)
        };
        let floats = |name: &str| {
            let (values, _) = tensor(name, Dtype::F32)?.data().as_chunks::<4>();
            Ok::<_, FileError>(values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect::<Vec<f32>>())
        };
        let mean = floats("mean")?;
        if mean.len() != model.width {
            return Err(wrong(format!("tensor mean has {} values, expected {}", mean.len(), model.width)));
        }
        let familiarity = Familiarity::new(mean, floats("whitening")?, floats("distances")?, manifest.distance)
            .map_err(|error| wrong(error.to_string()))?;
        let groups_text =
            String::from_utf8(groups).map_err(|_| FileError::content(groups_path, "is not UTF-8 text"))?;
        let parsed = ObjectGroups::parse(&groups_text);
        let vectors = tensor("neighbours", Dtype::I8)?.data().iter().map(|&byte| byte as i8).collect();
        let objects = tensor("objects", Dtype::U8)?.data().to_vec();
        let neighbours = Neighbours::new(model.width, vectors, parsed.count(), objects).ok_or_else(|| {
            wrong(format!("neighbours and objects do not fit a width of {} and {} groups", model.width, parsed.count()))
        })?;
        Ok(Self { manifest: manifest.clone(), familiarity, neighbours, groups: parsed, groups_text })
    }
}
