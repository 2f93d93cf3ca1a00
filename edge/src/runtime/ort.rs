//! ONNX Runtime, loaded when the program runs: from PyPI's wheel, from a Jetson's, from a distribution.

use super::caches::Caches;
use super::share::{Placement, Work};
use super::{Encoder, Part, Provider, Runtime, Seen, Settings, names};
use anyhow::{Context, Result, anyhow, ensure};
use cssa::bundle::{Bundle, DECODER, ENCODER};
use cssa::model::Model;
use cssa::search::Rows;
use ort::environment::Environment;
use ort::ep::{self, ExecutionProvider};
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session, SessionInputValue, SessionOutputs};
use ort::value::{DynValue, TensorRef};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Called with the name and the values of an observed tensor.
pub type Observer = Box<dyn FnMut(&str, &[f32])>;

/// Where libonnxruntime is: `ORT_DYLIB_PATH`, beside the program, in this checkout's `target/onnxruntime`, or in the
/// system's library folders.
#[must_use]
pub fn find_library() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        return Some(path.into());
    }
    let program = std::env::current_exe().ok();
    let mut folders: Vec<PathBuf> =
        program.iter().flat_map(|program| program.ancestors().skip(1).take(4)).map(Into::into).collect();
    folders.extend(folders.clone().iter().map(|folder| folder.join("onnxruntime")));
    let paths = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&paths));
    folders.extend(
        ["/usr/local/lib", "/usr/lib", "/usr/lib/aarch64-linux-gnu", "/usr/lib/x86_64-linux-gnu"].map(Into::into),
    );
    folders.into_iter().find_map(|folder| library_in(&folder))
}

/// `libonnxruntime.so` in a folder, or the one with the highest version behind its name, as the wheels have it.
fn library_in(folder: &Path) -> Option<PathBuf> {
    const NAME: &str = "libonnxruntime.so";
    let plain = folder.join(NAME);
    if plain.is_file() {
        return Some(plain);
    }
    let versioned = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.strip_prefix(NAME).is_some_and(|version| version.starts_with('.')) && path.is_file()
    };
    std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).filter(versioned).max()
}

/// Whether a session writes down where its nodes run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Profile {
    None,
    Kept,
}

/// An ONNX graph in ONNX Runtime; errors name its path.
fn open_session(
    library: &Path,
    path: &Path,
    graph: &[u8],
    (provider, profile): (Provider, Profile),
    threads: usize,
    engines: Option<&Path>,
) -> Result<Session> {
    let environment = environment(library)?;
    let mut builder = Session::builder(&environment)?
        .with_optimization_level(GraphOptimizationLevel::All)
        .map_err(|error| anyhow!("{error}"))?
        .with_intra_threads(threads)
        .map_err(|error| anyhow!("{error}"))?
        // Its threads leave the cores to the decoder as soon as the encoder is through.
        .with_config_entry("session.force_spinning_stop", "1")
        .map_err(|error| anyhow!("{error}"))?;
    let providers = match provider {
        Provider::Cpu => vec![],
        Provider::Cuda => vec![required(ep::CUDA::default())?],
        // Without a flag for a precision TensorRT 10 takes the graph's, as TensorRT 11, which has none, always does.
        Provider::Tensorrt => {
            let mut tensorrt = ep::TensorRT::default();
            if let Some(engines) = engines {
                tensorrt = tensorrt.with_engine_cache(true).with_engine_cache_path(engines.display());
            }
            vec![required(tensorrt)?, required(ep::CUDA::default())?]
        }
    };
    if profile == Profile::Kept {
        let folder = std::env::temp_dir().join(format!("edge-{}-{}", std::process::id(), graph.len()));
        builder = builder.with_profiling(folder).map_err(|error| anyhow!("{error}"))?;
    }
    if !providers.is_empty() {
        builder = builder.with_execution_providers(providers).map_err(|error| anyhow!("{error}"))?;
    }
    builder.commit_from_memory(graph).with_context(|| format!("{}: ONNX Runtime cannot load it", path.display()))
}

/// ONNX Runtime allows one environment a process: the first library that was opened stays.
fn environment(library: &Path) -> Result<Environment> {
    static OPENED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    let shown = library.display();
    if let Some((path, environment)) = opened.as_ref() {
        ensure!(path == library, "{shown} cannot join {}, which is loaded already", path.display());
        return Ok(environment.clone());
    }
    let builder = ort::init_from(library).map_err(|error| anyhow!("{shown}: {error}"))?;
    let environment = builder.build().with_context(|| format!("{shown}"))?;
    *opened = Some((library.into(), environment.clone()));
    Ok(environment)
}

/// A provider that must be there: registering it otherwise fails in silence.
fn required<P: ExecutionProvider + Into<ep::ExecutionProviderDispatch>>(
    provider: P,
) -> Result<ep::ExecutionProviderDispatch> {
    ensure!(P::is_available()?, "{} is not in this ONNX Runtime", P::NAME);
    Ok(provider.into().error_on_failure())
}

/// `encoder.onnx` in ONNX Runtime.
pub(super) struct OrtEncoder {
    session: Session,
    model: Model,
    provider: Provider,
    share: Option<f64>,
}

impl OrtEncoder {
    /// Loads it; a provider that was asked for and takes less than half of its multiplications is an error.
    pub(super) fn open(bundle: &Bundle, library: &Path, settings: &Settings) -> Result<Self> {
        let path = bundle.folder.join(ENCODER);
        let profile = if settings.provider == Provider::Cpu { Profile::None } else { Profile::Kept };
        let session = open_session(
            library,
            &path,
            &bundle.encoder,
            (settings.provider, profile),
            settings.threads,
            settings.engines.as_deref(),
        )?;
        let model = bundle.manifest.model.clone();
        let mut encoder = Self { session, model, provider: settings.provider, share: None };
        if settings.provider != Provider::Cpu {
            let asked = provider_name(settings.provider);
            let placement = encoder.placement(asked)?;
            placement.check(asked).with_context(|| format!("{}", path.display()))?;
            encoder.share = Some(placement.share);
        }
        Ok(encoder)
    }

    /// Runs once, on a session that keeps a profile, and looks where the nodes ran.
    fn placement(&mut self, asked: &str) -> Result<Placement> {
        let size = self.model.image_size;
        self.run(&vec![0.0; 3 * size * size])?;
        let path = PathBuf::from(self.session.end_profiling()?);
        let profile = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()));
        std::fs::remove_file(&path).ok();
        Placement::read(&profile?, asked, &Work::of(&self.model))
    }

    fn run(&mut self, image: &[f32]) -> Result<SessionOutputs<'_>> {
        let size = self.model.image_size;
        let image = TensorRef::from_array_view(([1, 3, size, size], image))?;
        self.session.run(ort::inputs![names::IMAGE => image]).context(ENCODER)
    }
}

impl Encoder for OrtEncoder {
    fn active(&self) -> String {
        format!("ort/{}", provider_name(self.provider))
    }

    fn share(&self) -> Option<f64> {
        self.share
    }

    fn encode(&mut self, image: &[f32], seen: &mut Seen<'_>) -> Result<Vec<f32>> {
        let layers = self.model.decoder_layers;
        let outputs = self.run(image)?;
        let values = |name: &str| {
            let value = outputs.get(name).with_context(|| format!("{ENCODER}: has no output {name}"))?;
            Ok::<_, anyhow::Error>(value.try_extract_tensor::<f32>()?.1)
        };
        for layer in 0..layers {
            seen(layer, Part::Keys, values(&names::cross_key(layer))?)?;
            seen(layer, Part::Values, values(&names::cross_value(layer))?)?;
        }
        Ok(values(names::MEMORY)?.to_vec())
    }
}

/// Both graphs of a bundle in ONNX Runtime, as any other program would run them: what the exporter calibrates with, and what
/// the decoder of this crate is held against.
pub struct OrtGraphs {
    observer: Option<Observer>,
    encoder: OrtEncoder,
    decoder: Session,
    cross: Vec<(String, DynValue)>,
    own: Caches,
    /// Names of the caches and of what they grow by.
    own_names: Vec<(String, String)>,
}

impl OrtGraphs {
    /// Loads both graphs; the decoder computes on the CPU, with one thread.
    pub fn open(bundle: &Bundle, library: &Path, settings: &Settings) -> Result<Self> {
        let path = bundle.folder.join(DECODER);
        Ok(Self {
            observer: None,
            encoder: OrtEncoder::open(bundle, library, settings)?,
            decoder: open_session(library, &path, &bundle.decoder, (Provider::Cpu, Profile::None), 1, None)?,
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
}

/// Names of every layer's keys and values and of what they grow by.
fn own_names(layers: usize) -> Vec<(String, String)> {
    let names = |layer| {
        [(names::self_key(layer), names::new_self_key(layer)), (names::self_value(layer), names::new_self_value(layer))]
    };
    (0..layers).flat_map(names).collect()
}

fn provider_name(provider: Provider) -> &'static str {
    match provider {
        Provider::Cpu => "CPUExecutionProvider",
        Provider::Cuda => "CUDAExecutionProvider",
        Provider::Tensorrt => "TensorrtExecutionProvider",
    }
}

fn show(observer: &mut Option<Observer>, outputs: &SessionOutputs<'_>) -> Result<()> {
    let Some(observer) = observer else { return Ok(()) };
    let own = |name: &str| name == names::MEMORY || name == names::LOGITS || name.starts_with("new_self_");
    for (name, value) in outputs.iter().filter(|(name, _)| !own(name)) {
        observer(name, value.try_extract_tensor::<f32>()?.1);
    }
    Ok(())
}

impl Runtime for OrtGraphs {
    fn active(&self) -> String {
        self.encoder.active()
    }

    fn kernel(&self) -> &'static str {
        "onnxruntime"
    }

    /// There is one place, 0.
    fn encode(&mut self, place: usize, image: &[f32]) -> Result<Vec<f32>> {
        ensure!(place == 0, "the graphs decode one image at a time");
        let layers = self.encoder.model.decoder_layers;
        let mut outputs = self.encoder.run(image)?;
        self.cross.clear();
        for name in (0..layers).flat_map(|layer| [names::cross_key(layer), names::cross_value(layer)]) {
            let value = outputs.remove(&name).with_context(|| format!("{ENCODER}: has no output {name}"))?;
            self.cross.push((name, value));
        }
        let memory = outputs.get(names::MEMORY).with_context(|| format!("{ENCODER}: has no output memory"))?;
        let memory = memory.try_extract_tensor::<f32>()?.1.to_vec();
        show(&mut self.observer, &outputs)?;
        drop(outputs);
        self.own.clear();
        Ok(memory)
    }

    fn step(&mut self, rows: Rows<'_>, logits: &mut Vec<f32>) -> Result<()> {
        let (count, vocabulary) = (rows.tokens.len(), self.encoder.model.vocabulary);
        ensure!(rows.parents.len() == count, "{count} tokens and {} parents", rows.parents.len());
        ensure!(rows.images.iter().all(|&image| image == 0), "the graphs decode one image at a time");
        ensure!(!self.cross.is_empty(), "no image has been encoded");
        self.own.turn(rows.position, rows.parents)?;
        let tokens: Vec<i64> = rows.tokens.iter().map(|token| i64::from(token.0)).collect();
        let position = [rows.position as i64];
        let mut inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = vec![
            (names::TOKENS.into(), TensorRef::from_array_view(([count], tokens.as_slice()))?.into()),
            (names::POSITION.into(), TensorRef::from_array_view(([1], position.as_slice()))?.into()),
        ];
        for (name, value) in &self.cross {
            inputs.push((name.as_str().into(), value.into()));
        }
        let shape = self.own.shape();
        for (tensor, (name, _)) in self.own_names.iter().enumerate() {
            inputs.push((name.as_str().into(), TensorRef::from_array_view((shape, self.own.values(tensor)))?.into()));
        }
        let outputs = self.decoder.run(inputs).context(DECODER)?;
        for (tensor, (_, name)) in self.own_names.iter().enumerate() {
            let value = outputs.get(name).with_context(|| format!("{DECODER}: has no output {name}"))?;
            self.own.grow(tensor, value.try_extract_tensor::<f32>()?.1).context(DECODER)?;
        }
        let found = outputs.get(names::LOGITS).with_context(|| format!("{DECODER}: has no output logits"))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// All multiplications of a real profile are found, and they are those that the model's plan has.
    #[test]
    fn a_profile_of_the_cpu_has_all_multiplications() -> Result<()> {
        let Some(library) = find_library() else { return Ok(()) };
        let bundle = Bundle::read(&fixtures::bundle())?;
        let session =
            open_session(&library, Path::new(ENCODER), &bundle.encoder, (Provider::Cpu, Profile::Kept), 1, None)?;
        let mut encoder = OrtEncoder { session, model: bundle.manifest.model, provider: Provider::Cpu, share: None };
        let placement = encoder.placement("TensorrtExecutionProvider")?;
        assert_eq!(placement.share, 0.0);
        let (found, total) = (placement.others(), Work::of(&encoder.model).total);
        assert!(found.abs_diff(total) * 100 < total, "{found} of {total}: {:?}", placement.elsewhere);
        Ok(())
    }

    #[test]
    fn on_the_cpu_nothing_is_shared() -> Result<()> {
        let Some(library) = find_library() else { return Ok(()) };
        let bundle = Bundle::read(&fixtures::bundle())?;
        let settings =
            Settings { choice: super::super::Choice::Ort, provider: Provider::Cpu, threads: 1, engines: None };
        let encoder = OrtEncoder::open(&bundle, &library, &settings)?;
        assert_eq!((encoder.active().as_str(), encoder.share()), ("ort/CPUExecutionProvider", None));
        Ok(())
    }
}
