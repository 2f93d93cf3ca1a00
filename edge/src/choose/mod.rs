//! `edge bench --choose`: which bundle, runtime, provider, threads and batch caption fastest on this machine. Each candidate is measured in a process of
//! its own, so that a provider that crashes or takes all memory is a line of the table and no end.

mod configuration;
mod measure;

pub use configuration::{check_writable, configured, written};
pub use measure::{Machine, Measurement, Program};

use cssa_captioner::{Choice, Provider};
use std::fmt;
use std::path::PathBuf;

/// One way to caption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The bundle.
    pub bundle: PathBuf,
    /// What runs it.
    pub runtime: Choice,
    /// Where its encoder runs.
    pub provider: Provider,
    /// Threads of the model.
    pub threads: usize,
    /// Images that are captioned together.
    pub batch: usize,
}

/// What was found of a candidate.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The candidate.
    pub candidate: Candidate,
    /// What was measured, or why it is not to be chosen.
    pub found: Result<Measurement, String>,
}

/// Of the images at least this share must have the captions that the same bundle gives them on the CPU.
const LEAST_AGREEMENT: f64 = 0.9;
/// A batch takes no longer than this, in milliseconds: frames wait for it.
const LONGEST_BATCH: f64 = 1000.0;
/// What is not this much faster gives way to what stands before it: fewer threads, smaller batches, the bundle named first. Times of a machine that does other things
/// differ by as much.
const WORTH: f64 = 0.9;

/// Measures all candidates of the bundles, the first bundle being the one at work: the runtimes and providers with some counts of threads, then the fastest with
/// larger batches.
pub fn trials(bundles: &[PathBuf], cores: usize, machine: &dyn Machine, said: &mut dyn FnMut(&Trial)) -> Vec<Trial> {
    let mut trials: Vec<Trial> = Vec::new();
    let mut references: Vec<Option<Vec<String>>> = vec![None; bundles.len()];
    for (bundle, reference) in bundles.iter().zip(&mut references) {
        for (runtime, provider, threads) in ways(cores) {
            let candidate = Candidate { bundle: bundle.clone(), runtime, provider, threads, batch: 1 };
            let found = machine.measure(&candidate).and_then(|found| agreeing(found, reference));
            trials.push(Trial { candidate, found });
            trials.last().into_iter().for_each(&mut *said);
        }
    }
    let Some(fastest) = best(&trials).map(|(candidate, _)| candidate.clone()) else { return trials };
    let place = bundles.iter().position(|bundle| *bundle == fastest.bundle).unwrap_or_default();
    for batch in [2, 4, 8, 16] {
        let candidate = Candidate { batch, ..fastest.clone() };
        let found = machine.measure(&candidate).and_then(|found| agreeing(found, &mut references[place]));
        trials.push(Trial { candidate, found });
        trials.last().into_iter().for_each(&mut *said);
    }
    trials
}

/// The candidate to choose, with what was measured of it; none where nothing captions.
#[must_use]
pub fn best(trials: &[Trial]) -> Option<(&Candidate, &Measurement)> {
    let timed = trials.iter().filter_map(|trial| Some((&trial.candidate, trial.found.as_ref().ok()?)));
    let quick = timed.filter(|(candidate, found)| {
        candidate.batch == 1 || found.caption.p50_ms * candidate.batch as f64 <= LONGEST_BATCH
    });
    quick.fold(None, |best: Option<(&Candidate, &Measurement)>, next| match best {
        Some(best) if next.1.caption.p50_ms >= WORTH * best.1.caption.p50_ms => Some(best),
        _ => Some(next),
    })
}

/// Runtimes, providers and threads, the plainest first.
fn ways(cores: usize) -> Vec<(Choice, Provider, usize)> {
    let mut threads = vec![1, 2, 4, cores];
    threads.retain(|&threads| threads <= cores.max(1));
    threads.sort_unstable();
    threads.dedup();
    let few = cores.clamp(1, 2);
    let mut ways: Vec<_> = threads.into_iter().map(|threads| (Choice::Ort, Provider::Cpu, threads)).collect();
    ways.extend([
        (Choice::Tract, Provider::Cpu, few),
        (Choice::Ort, Provider::Cuda, few),
        (Choice::Ort, Provider::Tensorrt, few),
    ]);
    ways
}

/// The measurement, where its captions are those that the bundle gave before; the first ones are those that others are held against.
fn agreeing(found: Measurement, reference: &mut Option<Vec<String>>) -> Result<Measurement, String> {
    let reference = reference.get_or_insert_with(|| found.texts.clone());
    let equal = found.texts.iter().zip(&*reference).filter(|(text, known)| text == known).count();
    let of = reference.len().min(found.texts.len());
    if of > 0 && equal as f64 >= LEAST_AGREEMENT * of as f64 {
        return Ok(found);
    }
    Err(format!("says the same as before of {equal} of {of} images, expected {:.0} %", 100.0 * LEAST_AGREEMENT))
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bundle, runtime, provider, threads, batch } = self;
        write!(f, "{} {runtime}/{provider} threads {threads} batch {batch}", bundle.display())
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.found {
            Ok(found) => write!(
                f,
                "{}: {:.2} ms a caption, {:.0} MiB, {}",
                self.candidate,
                found.caption.p50_ms,
                found.peak_rss_mib,
                cssa_captioner::at_work(&found.runtime, found.share)
            ),
            Err(reason) => write!(f, "{}: not to be chosen: {reason}", self.candidate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine whose times are told: by provider, threads and batch.
    struct Told(fn(&Candidate) -> Result<(f64, &'static str), &'static str>);

    impl Machine for Told {
        fn measure(&self, candidate: &Candidate) -> Result<Measurement, String> {
            let (p50_ms, text) = self.0(candidate)?;
            Ok(Measurement {
                runtime: candidate.provider.to_string(),
                share: None,
                caption: measure::Times { p50_ms },
                peak_rss_mib: 1.0,
                texts: vec![text.into(); 4],
            })
        }
    }

    fn chosen(told: fn(&Candidate) -> Result<(f64, &'static str), &'static str>) -> Option<Candidate> {
        let bundles = [PathBuf::from("int8"), PathBuf::from("fp16")];
        let trials = trials(&bundles, 4, &Told(told), &mut |_| ());
        best(&trials).map(|(candidate, _)| candidate.clone())
    }

    #[test]
    fn the_fastest_that_says_the_same_is_chosen() -> Result<(), &'static str> {
        let found = chosen(|candidate| match (candidate.provider, candidate.bundle.to_str()) {
            (Provider::Tensorrt, _) => Err("no TensorRT here"),
            (Provider::Cuda, Some("int8")) => Ok((1.0, "nonsense")),
            (Provider::Cuda, _) => Ok((4.0 / candidate.batch.min(4) as f64, "a road")),
            (Provider::Cpu, _) => Ok((20.0 / candidate.threads as f64, "a road")),
        });
        let found = found.ok_or("nothing was chosen")?;
        assert_eq!((found.provider, found.bundle.to_str(), found.batch), (Provider::Cuda, Some("fp16"), 4));
        Ok(())
    }

    /// What is hardly faster is not worth more threads, and no batch makes frames wait for more than a second.
    #[test]
    fn what_is_hardly_faster_is_not_worth_it() -> Result<(), &'static str> {
        let found = chosen(|candidate| match candidate.runtime {
            Choice::Ort if candidate.provider == Provider::Cpu => {
                let alone = if candidate.threads == 1 { 450.0 } else { 440.0 };
                Ok((alone - [0.0, 50.0, 150.0][candidate.batch.ilog2().min(2) as usize], "a road"))
            }
            _ => Err("not here"),
        });
        let found = found.ok_or("nothing was chosen")?;
        assert_eq!((found.threads, found.batch), (1, 2), "batch 4 takes 1,200 ms");
        assert_eq!(chosen(|_| Err("not here")), None);
        Ok(())
    }
}
