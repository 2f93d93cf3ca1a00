//! ONNX Runtime, loaded when the program runs: from PyPI's wheel, from a Jetson's, from a distribution.

use crate::error::{At, Error, Result, unexpected};
use crate::placement::{Placement, Work};
use crate::runtime::{CrossAttention, Encoder, Part};
use crate::settings::{Provider, Settings};
use cssa::bundle::{BATCHED, Bundle, ENCODER};
use cssa::model::Model;
use cssa_graph::names;
use ort::environment::Environment;
use ort::ep::{self, ExecutionProvider};
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session, SessionOutputs};
use ort::value::TensorRef;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

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

/// An ONNX graph in the ONNX Runtime of `library`; errors name its path.
///
/// # Errors
/// Where the library or the settings' provider is not there, or refuses the graph.
pub fn open_session(library: &Path, path: &Path, graph: &[u8], settings: &Settings) -> Result<Session> {
    open_profiled(library, path, graph, settings, Profile::None)
}

fn open_profiled(library: &Path, path: &Path, graph: &[u8], settings: &Settings, profile: Profile) -> Result<Session> {
    let environment = environment(library)?;
    let mut builder = Session::builder(&environment)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(settings.threads)?
        // Its threads leave the cores to the decoder as soon as the encoder is through.
        .with_config_entry("session.force_spinning_stop", "1")?;
    let providers = match settings.provider {
        Provider::Cpu => vec![],
        Provider::Cuda => vec![required(ep::CUDA::default())?],
        // Without a flag for a precision TensorRT 10 takes the graph's, as TensorRT 11, which has none, always does.
        Provider::Tensorrt => {
            let mut tensorrt = ep::TensorRT::default();
            if let Some(engines) = &settings.engines {
                tensorrt = tensorrt.with_engine_cache(true).with_engine_cache_path(engines.display());
            }
            vec![required(tensorrt)?, required(ep::CUDA::default())?]
        }
    };
    if profile == Profile::Kept {
        let folder = std::env::temp_dir().join(format!("edge-{}-{}", std::process::id(), graph.len()));
        builder = builder.with_profiling(folder)?;
    }
    if !providers.is_empty() {
        builder = builder.with_execution_providers(providers)?;
    }
    builder.commit_from_memory(graph).at(|| format!("{}: ONNX Runtime cannot load it", path.display()))
}

/// Why a library is not loaded. `ort` shows that the loader failed and not why: the loader's own words are that error's source.
fn loader_says(library: &Path, error: &ort::LoadDynamicError) -> String {
    let said = match error {
        ort::LoadDynamicError::Dlopen { error, .. } => std::error::Error::source(error).map(ToString::to_string),
        _ => None,
    };
    let said = said.unwrap_or_else(|| error.to_string());
    // Its path stands before it already.
    said.strip_prefix(&library.display().to_string()).unwrap_or(&said).trim_start_matches([':', ' ']).to_owned()
}

/// ONNX Runtime allows one environment a process: the first library that was opened stays.
fn environment(library: &Path) -> Result<Environment> {
    static OPENED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    let refused = |problem: String| Error::Library { library: library.into(), problem };
    if let Some((path, environment)) = opened.as_ref() {
        if path != library {
            return Err(refused(format!("cannot join {}, which is loaded already", path.display())));
        }
        return Ok(environment.clone());
    }
    let builder = ort::init_from(library).map_err(|error| refused(loader_says(library, &error)))?;
    let environment = builder.build().map_err(|error| refused(error.to_string()))?;
    *opened = Some((library.into(), environment.clone()));
    Ok(environment)
}

/// A provider that must be there: registering it otherwise fails in silence.
fn required<P: ExecutionProvider + Into<ep::ExecutionProviderDispatch>>(
    provider: P,
) -> Result<ep::ExecutionProviderDispatch> {
    if !P::is_available()? {
        return Err(Error::Provider { provider: P::NAME.into(), problem: "is not in this ONNX Runtime".into() });
    }
    Ok(provider.into().error_on_failure())
}

/// `encoder.onnx` in ONNX Runtime.
pub(crate) struct OrtEncoder {
    session: Session,
    model: Model,
    provider: Provider,
    share: Option<f64>,
    /// Images that the graph takes at once: any number, or one in bundles of format 2.
    batch: usize,
}

impl OrtEncoder {
    /// Loads it; a provider that was asked for and takes less than half of its multiplications is an error.
    pub(crate) fn open(bundle: &Bundle, library: &Path, settings: &Settings) -> Result<Self> {
        let path = bundle.folder.join(ENCODER);
        let profile = if settings.provider == Provider::Cpu { Profile::None } else { Profile::Kept };
        let session = open_profiled(library, &path, &bundle.encoder, settings, profile)?;
        let model = bundle.manifest.model.clone();
        let batch = if bundle.manifest.format < BATCHED { 1 } else { usize::MAX };
        let mut encoder = Self { session, model, provider: settings.provider, share: None, batch };
        if settings.provider != Provider::Cpu {
            let asked = provider_name(settings.provider);
            let placement = encoder.placement(asked)?;
            placement.check(asked).at(|| format!("{}", path.display()))?;
            encoder.share = Some(placement.share);
        }
        Ok(encoder)
    }

    /// Runs once, on a session that keeps a profile, and looks where the nodes ran.
    fn placement(&mut self, asked: &str) -> Result<Placement> {
        let size = self.model.image_size;
        self.run(&vec![0.0; 3 * size * size])?;
        let path = PathBuf::from(self.session.end_profiling()?);
        let profile = std::fs::read_to_string(&path);
        let profile = profile.map_err(|error| Error::File { path: path.clone(), problem: error.to_string() });
        std::fs::remove_file(&path).ok();
        Placement::read(&profile?, asked, &Work::of(&self.model))
    }

    fn run(&mut self, images: &[f32]) -> Result<SessionOutputs<'_>> {
        let size = self.model.image_size;
        let count = images.len() / (3 * size * size);
        let images = TensorRef::from_array_view(([count, 3, size, size], images))?;
        self.session.run(ort::inputs![names::IMAGE => images]).at(|| ENCODER.into())
    }

    /// Runs once on `count` images, the first of them the batch's image `first`.
    fn encode_some(
        &mut self,
        images: &[f32],
        (first, count): (usize, usize),
        seen: &mut CrossAttention<'_>,
    ) -> Result<Vec<f32>> {
        let layers = self.model.decoder_layers;
        let outputs = self.run(images)?;
        let values = |name: &str| {
            let value = outputs.get(name).ok_or_else(|| unexpected!("{ENCODER}: has no output {name}"))?;
            Ok::<_, Error>(value.try_extract_tensor::<f32>()?.1)
        };
        for layer in 0..layers {
            for (part, name) in [(Part::Keys, names::cross_key(layer)), (Part::Values, names::cross_value(layer))] {
                let values = values(&name)?;
                for (image, values) in values.chunks_exact((values.len() / count).max(1)).enumerate() {
                    seen(first + image, layer, part, values)?;
                }
            }
        }
        Ok(values(names::MEMORY)?.to_vec())
    }
}

impl Encoder for OrtEncoder {
    fn active(&self) -> String {
        format!("ort/{}", provider_name(self.provider))
    }

    fn share(&self) -> Option<f64> {
        self.share
    }

    fn encode(&mut self, images: &[f32], seen: &mut CrossAttention<'_>) -> Result<Vec<f32>> {
        let one = 3 * self.model.image_size * self.model.image_size;
        let batch = self.batch.min(images.len() / one).max(1);
        let mut memories = Vec::new();
        for (run, images) in images.chunks_exact(batch * one).enumerate() {
            memories.append(&mut self.encode_some(images, (run * batch, batch), seen)?);
        }
        Ok(memories)
    }
}

fn provider_name(provider: Provider) -> &'static str {
    match provider {
        Provider::Cpu => "CPUExecutionProvider",
        Provider::Cuda => "CUDAExecutionProvider",
        Provider::Tensorrt => "TensorrtExecutionProvider",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All multiplications of a real profile are found, and they are those that the model's plan has.
    #[test]
    fn a_profile_of_the_cpu_has_all_multiplications() -> Result<(), Box<dyn std::error::Error>> {
        let Some(library) = find_library() else { return Ok(()) };
        let bundle = Bundle::read(&fixtures::bundle())?;
        let settings = Settings { threads: 1, ..Settings::default() };
        let session = open_profiled(&library, Path::new(ENCODER), &bundle.encoder, &settings, Profile::Kept)?;
        let (model, provider) = (bundle.manifest.model, Provider::Cpu);
        let mut encoder = OrtEncoder { session, model, provider, share: None, batch: 1 };
        let placement = encoder.placement("TensorrtExecutionProvider")?;
        assert_eq!(placement.share, 0.0);
        let (found, total) = (placement.others(), Work::of(&encoder.model).total);
        assert!(found.abs_diff(total) * 100 < total, "{found} of {total}: {:?}", placement.elsewhere);
        Ok(())
    }

    #[test]
    fn on_the_cpu_nothing_is_shared() -> Result<(), Box<dyn std::error::Error>> {
        let Some(library) = find_library() else { return Ok(()) };
        let bundle = Bundle::read(&fixtures::bundle())?;
        let settings = Settings { threads: 1, ..Settings::default() };
        let encoder = OrtEncoder::open(&bundle, &library, &settings)?;
        assert_eq!((encoder.active().as_str(), encoder.share()), ("ort/CPUExecutionProvider", None));
        Ok(())
    }
}
