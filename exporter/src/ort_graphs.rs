//! Both graphs of a bundle in ONNX Runtime on the CPU, as any other program would run them.

use crate::caches::Caches;
use crate::error::{At, Error, Result, ensure};
use cssa::bundle::{Bundle, DECODER, ENCODER};
use cssa::model::Model;
use cssa::search::Rows;
use cssa_captioner::{Provider, Runtime, Settings, open_session};
use cssa_graph::names;
use ort::session::{Session, SessionInputValue, SessionOutputs};
use ort::value::{DynValue, Tensor, TensorRef};
use std::borrow::Cow;
use std::path::Path;

/// Called with the name and the values of an observed tensor.
pub type Observer = Box<dyn FnMut(&str, &[f32]) -> Result<()> + Send>;

/// Both graphs of a bundle in ONNX Runtime, as any other program would run them: what the exporter calibrates with, and what
/// the captioner's decoder is held against.
pub struct OrtGraphs {
    observer: Option<Observer>,
    model: Model,
    encoder: Session,
    decoder: Session,
    cross: Vec<(String, DynValue)>,
    own: Caches,
    /// Names of the caches and of what they grow by.
    own_names: Vec<(String, String)>,
}

impl OrtGraphs {
    /// Loads both graphs: the encoder as the settings say, the decoder with one thread of the CPU.
    pub fn open(bundle: &Bundle, library: &Path, settings: &Settings) -> Result<Self> {
        if settings.provider != Provider::Cpu {
            return Err(Error::NotOnCpu(settings.provider));
        }
        let one = Settings { threads: 1, ..settings.clone() };
        Ok(Self {
            observer: None,
            model: bundle.manifest.model.clone(),
            encoder: open_session(library, &bundle.folder.join(ENCODER), &bundle.encoder, settings)?,
            decoder: open_session(library, &bundle.folder.join(DECODER), &bundle.decoder, &one)?,
            cross: Vec::new(),
            own: Caches::new(&bundle.manifest.model),
            own_names: own_names(bundle.manifest.model.decoder_layers),
        })
    }

    /// Shows every further float output that the graphs have, of each run, to `observer`: how the exporter sees what is
    /// inside a network.
    pub fn observe(&mut self, observer: Observer) {
        self.observer = Some(observer);
    }

    fn run_encoder(&mut self, image: &[f32]) -> Result<Vec<f32>> {
        let (layers, size) = (self.model.decoder_layers, self.model.image_size);
        let image = TensorRef::from_array_view(([1, 3, size, size], image))?;
        let mut outputs = self.encoder.run(ort::inputs![names::IMAGE => image]).at(|| ENCODER.into())?;
        self.cross.clear();
        for name in (0..layers).flat_map(|layer| [names::cross_key(layer), names::cross_value(layer)]) {
            let value = outputs.remove(&name).ok_or_else(|| missing(ENCODER, &name))?;
            self.cross.push((name, of_one_image(&value)?));
        }
        let memory = outputs.get(names::MEMORY).ok_or_else(|| missing(ENCODER, names::MEMORY))?;
        let memory = memory.try_extract_tensor::<f32>()?.1.to_vec();
        show(&mut self.observer, &outputs)?;
        drop(outputs);
        self.own.clear();
        Ok(memory)
    }

    fn run_decoder(&mut self, rows: Rows<'_>, logits: &mut Vec<f32>) -> Result<()> {
        let (count, vocabulary) = (rows.tokens.len(), self.model.vocabulary);
        ensure!(rows.parents.len() == count, "{count} tokens and {} parents", rows.parents.len());
        ensure!(rows.images.iter().all(|&image| image == 0), "the graphs decode one image at a time");
        ensure!(!self.cross.is_empty(), "no image has been encoded");
        self.own.reorder(rows.position, rows.parents)?;
        let tokens: Vec<i64> = rows.tokens.iter().map(|token| i64::from(token.0)).collect();
        let position = [rows.position as i64];
        let mut inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = vec![
            (names::TOKENS.into(), TensorRef::from_array_view(([count], tokens.as_slice()))?.into()),
            (names::POSITION.into(), TensorRef::from_array_view(([1], position.as_slice()))?.into()),
        ];
        for (name, value) in &self.cross {
            inputs.push((name.as_str().into(), value.into()));
        }
        for (tensor, (name, _)) in self.own_names.iter().enumerate() {
            inputs.push((name.as_str().into(), TensorRef::from_array_view(self.own.values(tensor))?.into()));
        }
        let outputs = self.decoder.run(inputs).at(|| DECODER.into())?;
        for (tensor, (_, name)) in self.own_names.iter().enumerate() {
            let value = outputs.get(name).ok_or_else(|| missing(DECODER, name))?;
            self.own.grow(tensor, value.try_extract_tensor::<f32>()?.1).at(|| DECODER.into())?;
        }
        let found = outputs.get(names::LOGITS).ok_or_else(|| missing(DECODER, names::LOGITS))?;
        logits.clear();
        logits.extend_from_slice(found.try_extract_tensor::<f32>()?.1);
        ensure!(
            logits.len() == count * vocabulary,
            "{DECODER}: {} logits, expected {vocabulary} for each of {count} captions",
            logits.len()
        );
        show(&mut self.observer, &outputs)
    }
}

/// Keys or values as the decoder takes them: without the batch, which is 1.
fn of_one_image(value: &DynValue) -> Result<DynValue> {
    let (shape, values) = value.try_extract_tensor::<f32>()?;
    let shape: Vec<i64> = shape.iter().copied().skip(1).collect();
    Ok(Tensor::from_array((shape, values.to_vec()))?.into_dyn())
}

/// Names of every layer's keys and values and of what they grow by.
fn own_names(layers: usize) -> Vec<(String, String)> {
    let names = |layer| {
        [(names::self_key(layer), names::new_self_key(layer)), (names::self_value(layer), names::new_self_value(layer))]
    };
    (0..layers).flat_map(names).collect()
}

fn show(observer: &mut Option<Observer>, outputs: &SessionOutputs<'_>) -> Result<()> {
    let Some(observer) = observer else { return Ok(()) };
    let own = |name: &str| name == names::MEMORY || name == names::LOGITS || name.starts_with(names::NEW_SELF);
    for (name, value) in outputs.iter().filter(|(name, _)| !own(name)) {
        observer(name, value.try_extract_tensor::<f32>()?.1)?;
    }
    Ok(())
}

fn missing(graph: &'static str, output: &str) -> Error {
    Error::OutputMissing { graph, output: output.into() }
}

/// A runtime gives its own crate's errors.
fn failed(error: Error) -> cssa_captioner::Error {
    cssa_captioner::Error::Runtime(error.to_string())
}

impl Runtime for OrtGraphs {
    fn active(&self) -> String {
        "ort/CPUExecutionProvider".into()
    }

    fn kernel(&self) -> &'static str {
        "onnxruntime"
    }

    /// There is one place, 0.
    fn encode(&mut self, place: usize, image: &[f32]) -> Result<Vec<f32>, cssa_captioner::Error> {
        if place != 0 {
            return Err(cssa_captioner::Error::Unexpected("the graphs decode one image at a time".into()));
        }
        self.run_encoder(image).map_err(failed)
    }

    fn step(&mut self, rows: Rows<'_>, logits: &mut Vec<f32>) -> Result<(), cssa_captioner::Error> {
        self.run_decoder(rows, logits).map_err(failed)
    }
}
