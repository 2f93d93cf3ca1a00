//! Adam with decoupled weight decay, gradient clipping and averaged weights, with a state that can be saved: tch's own
//! optimizers cannot.
//!
//! All trained tensors are moved into one flat tensor, of which they become views: a step is a handful of operations on
//! flat tensors, however many layers there are, and nothing waits for the device. Where layers take their tensors as
//! operands in bfloat16 those lie in a flat tensor too, and are made anew once a step.

use super::schedule::{Settings, rate};
use crate::error::{Error, Result, ensure};
use crate::net::{Store, from_array, to_array};
use crate::ranks::Ranks;
use cssa::files::FileError;
use cssa::tensors::{Array, Tensors};
use tch::{Kind, Tensor};

/// β1, β2 and ε: those of the plain Transformer.
const BETAS: (f64, f64) = (0.9, 0.98);
const EPSILON: f64 = 1e-9;

/// Updates the tensors of one stage.
#[derive(Debug)]
pub struct Optimizer {
    /// Steps done.
    pub step: usize,
    settings: Settings,
    parts: Vec<Part>,
    weights: Tensor,
    /// The first part of `weights` in the layers' arithmetic, where layers asked for operands.
    operands: Option<Tensor>,
    first: Tensor,
    second: Tensor,
    average: Option<Tensor>,
    /// The weights that the stage began with, where they pull.
    start: Option<Tensor>,
    gradient: Option<Tensor>,
    rate_factors: Tensor,
    decayed: Tensor,
}

/// A tensor and its place in the flat one.
#[derive(Debug)]
struct Part {
    name: String,
    tensor: Tensor,
    /// What the layers use in its place.
    operand: Option<Tensor>,
    offset: i64,
}

impl Part {
    /// The tensor that gets the gradient.
    fn used(&self) -> &Tensor {
        self.operand.as_ref().unwrap_or(&self.tensor)
    }
}

impl Optimizer {
    /// For the tensors of `store` that `touched` names; all moments are zero.
    pub fn new(store: &Store, settings: Settings, touched: impl Fn(&str) -> bool) -> Self {
        let part = |(name, tensor): (&str, &Tensor)| {
            let (tensor, operand) = (tensor.shallow_clone(), store.asked_operand(name));
            Part { name: name.to_owned(), tensor, operand, offset: 0 }
        };
        let mut parts: Vec<Part> = store.tensors().filter(|(name, _)| touched(name)).map(part).collect();
        parts.sort_by_key(|part| part.operand.is_none());
        let mut offset = 0;
        for part in &mut parts {
            part.offset = offset;
            offset += part.tensor.numel() as i64;
        }
        tch::no_grad(|| {
            let weights = flat(parts.iter().map(|part| &part.tensor));
            for part in &mut parts {
                let view = shaped(&weights, part);
                part.tensor.set_data(&view);
            }
            let kind = parts.iter().find_map(|part| Some(part.operand.as_ref()?.kind()));
            let count = parts.iter().filter(|part| part.operand.is_some()).map(|part| part.tensor.numel() as i64).sum();
            let operands = kind.map(|kind| weights.narrow(0, 0, count).to_kind(kind));
            for part in &parts {
                if let (Some(operand), Some(operands)) = (&part.operand, &operands) {
                    operand.shallow_clone().set_data(&shaped(operands, part));
                }
            }
            let constants = |value: &dyn Fn(&Part) -> f64| {
                let each = parts.iter().map(|part| Tensor::full_like(&part.tensor, value(part)).flatten(0, -1));
                Tensor::cat(&each.collect::<Vec<_>>(), 0)
            };
            let backbone = |part: &Part| part.name.starts_with(cssa::parameters::BACKBONE);
            let rate_factors = constants(&|part| if backbone(part) { settings.backbone_rate } else { 1.0 });
            let decayed = constants(&|part| if part.tensor.dim() > 1 { settings.weight_decay } else { 0.0 });
            let (first, second) = (weights.zeros_like(), weights.zeros_like());
            let average = (settings.average > 0.0).then(|| weights.copy());
            let start = (settings.pull > 0.0).then(|| weights.copy());
            Self {
                step: 0,
                settings,
                parts,
                weights,
                operands,
                first,
                second,
                average,
                start,
                gradient: None,
                rate_factors,
                decayed,
            }
        })
    }

    /// Adds the gradients of `loss` to those of the step to come.
    pub fn backward(&mut self, loss: &Tensor) {
        let inputs: Vec<&Tensor> = self.parts.iter().map(Part::used).collect();
        let found = Tensor::run_backward(&[loss], &inputs, false, false);
        let defined = found
            .into_iter()
            .zip(&self.parts)
            .map(|(gradient, part)| if gradient.defined() { gradient } else { part.used().zeros_like() });
        let defined: Vec<Tensor> = defined.collect();
        let split = self.parts.iter().take_while(|part| part.operand.is_some()).count();
        let (of_operands, of_tensors) = defined.split_at(split);
        let gradient = tch::no_grad(|| match (of_operands, of_tensors) {
            ([], tensors) => flat(tensors.iter()),
            (operands, []) => flat(operands.iter()).to_kind(Kind::Float),
            (operands, tensors) => Tensor::cat(&[flat(operands.iter()).to_kind(Kind::Float), flat(tensors.iter())], 0),
        });
        self.gradient = Some(match self.gradient.take() {
            Some(sum) => sum + gradient,
            None => gradient,
        });
    }

    /// One step along the gradients that all ranks have collected; gives the learning rate.
    pub fn apply(&mut self, ranks: &Ranks) -> Result<f64> {
        let gradient = self.gradient.take().ok_or(Error::Broken("a step without gradients"))?;
        let gradient = tch::no_grad(|| ranks.sum(gradient))?;
        // Processors with other vectors add in another order; what follows goes element by element, and so alike on all.
        let norm = ranks.first(gradient.norm())?;
        self.step += 1;
        let rate = rate(&self.settings, self.settings.before + self.step);
        tch::no_grad(|| self.update(gradient, &norm, rate));
        Ok(rate)
    }

    fn update(&mut self, mut gradient: Tensor, norm: &Tensor, rate: f64) {
        let _ = gradient.g_mul_(&(self.settings.clip / (norm + 1e-12)).clamp_max(1.0));
        let (bias1, bias2) = (1.0 - BETAS.0.powi(self.step as i32), 1.0 - BETAS.1.powi(self.step as i32));
        let _ = self.first.lerp_(&gradient, 1.0 - BETAS.0);
        let _ = self.second.g_mul_scalar_(BETAS.1);
        let _ = self.second.addcmul_(&gradient, &(&gradient * (1.0 - BETAS.1)));
        let mut direction = (&self.second / bias2).sqrt_().g_add_scalar_(EPSILON).reciprocal_();
        let _ = direction.g_mul_(&self.first).g_mul_scalar_(1.0 / bias1);
        if self.settings.weight_decay > 0.0 {
            let _ = direction.addcmul_(&self.decayed, &self.weights);
        }
        if let Some(start) = &self.start {
            let _ = direction.g_add_(&((&self.weights - start) * self.settings.pull));
        }
        let _ = self.weights.addcmul_(&self.rate_factors, &direction.g_mul_scalar_(-rate));
        self.renew_operands();
        if let Some(average) = &mut self.average {
            // Early on the average follows fast: otherwise the first, random weights would linger.
            let keep = self.settings.average.min(self.step as f64 / (self.step as f64 + 10.0));
            let _ = average.lerp_(&self.weights, 1.0 - keep);
        }
    }

    /// Makes the operands from the weights.
    fn renew_operands(&self) {
        if let Some(operands) = &self.operands {
            let weights = self.weights.narrow(0, 0, operands.numel() as i64);
            tch::no_grad(|| operands.shallow_clone().copy_(&weights));
        }
    }

    /// How many values are trained.
    #[must_use]
    pub fn values(&self) -> i64 {
        self.weights.numel() as i64
    }

    /// Takes rank 0's weights, moments and averages for `step`.
    pub fn take_first(&mut self, ranks: &Ranks, step: usize) -> Result<()> {
        self.kinds().try_for_each(|(_, all)| ranks.broadcast(all))?;
        self.renew_operands();
        self.step = step;
        Ok(())
    }

    /// An error where a rank's weights are not rank 0's.
    pub fn check_same(&self, ranks: &Ranks) -> Result<()> {
        ranks.check_same(&self.weights, "other weights")
    }

    /// An error where a weight is no number any more.
    pub fn check(&self) -> Result<()> {
        let finite = self.weights.sum(Kind::Double).double_value(&[]).is_finite();
        ensure!(
            finite,
            Error::Diverged(format!(
                "the weights are no numbers any more after step {}: lower the learning rate",
                self.step
            ))
        );
        Ok(())
    }

    /// Runs `then` with the averaged weights in place, where averaging is on; the trained ones come back afterwards.
    pub fn with_average<T>(&mut self, then: impl FnOnce() -> Result<T>) -> Result<T> {
        let Some(average) = &self.average else { return then() };
        let own = self.weights.copy();
        let mut weights = self.weights.shallow_clone();
        tch::no_grad(|| weights.copy_(average));
        self.renew_operands();
        let result = then();
        tch::no_grad(|| weights.copy_(&own));
        self.renew_operands();
        result
    }

    /// All that [`Optimizer::restore`] needs, by name: `weights.`, `first.`, `second.`, `average.` and `start.` before each
    /// tensor's.
    pub fn arrays(&self) -> Result<Vec<(String, Array)>> {
        let mut arrays = Vec::new();
        for (kind, all) in self.kinds() {
            for part in &self.parts {
                arrays.push((format!("{kind}.{}", part.name), to_array(&shaped(all, part))?));
            }
        }
        Ok(arrays)
    }

    /// Puts saved values back; the first tensor that is missing or has another shape is named.
    pub fn restore(&mut self, tensors: &Tensors, step: usize) -> Result<()> {
        for (kind, all) in self.kinds() {
            for part in &self.parts {
                let name = format!("{kind}.{}", part.name);
                let array = tensors.get(&name)?;
                let mut place = shaped(all, part);
                let expected: Vec<usize> = place.size().iter().map(|&extent| extent as usize).collect();
                if array.shape != expected {
                    let problem = format!("tensor {name} has shape {:?}, expected {expected:?}", array.shape);
                    return Err(FileError::content(tensors.path(), problem).into());
                }
                tch::no_grad(|| place.copy_(&from_array(array, all.device())));
            }
        }
        self.renew_operands();
        self.step = step;
        Ok(())
    }

    fn kinds(&self) -> impl Iterator<Item = (&'static str, &Tensor)> {
        let kinds = [("weights", &self.weights), ("first", &self.first), ("second", &self.second)];
        let others = [("average", &self.average), ("start", &self.start)];
        kinds.into_iter().chain(others.into_iter().filter_map(|(kind, all)| Some((kind, all.as_ref()?))))
    }
}

/// A tensor in the order in which the flat one holds it: kernels of convolutions with their channels last.
fn ordered(tensor: &Tensor) -> Tensor {
    if tensor.dim() == 4 { tensor.permute([0, 2, 3, 1]) } else { tensor.shallow_clone() }
}

fn flat<'a>(tensors: impl Iterator<Item = &'a Tensor>) -> Tensor {
    Tensor::cat(&tensors.map(|tensor| ordered(tensor).reshape([-1])).collect::<Vec<_>>(), 0)
}

/// The part of a flat tensor that belongs to `part`, with its shape and in the same memory.
fn shaped(flat: &Tensor, part: &Part) -> Tensor {
    let view = flat.narrow(0, part.offset, part.tensor.numel() as i64).view(ordered(&part.tensor).size().as_slice());
    if part.tensor.dim() == 4 { view.permute([0, 3, 1, 2]) } else { view }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Schedule};
    use anyhow::{Context, Result};
    use tch::Device;

    fn settings(schedule: Schedule) -> Settings {
        Settings {
            schedule,
            before: 0,
            total: 110,
            width: 512,
            clip: 1.0,
            weight_decay: 0.0,
            average: 0.0,
            pull: 0.0,
            backbone_rate: 1.0,
        }
    }

    fn store() -> Store {
        let mut config = Config::default();
        let network = &mut config.network;
        (network.width, network.heads, network.feed_forward) = (8, 2, 8);
        (network.encoder_layers, network.decoder_layers) = (1, 1);
        let mut store = Store::new(&config.model(5), 1, Device::Cpu);
        let kernel = Tensor::randn([4, 3, 2, 2], (Kind::Float, Device::Cpu));
        let _ =
            store.insert("backbone.k.weight".into(), &kernel.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]));
        store
    }

    /// The sum of squares of two tensors, of which one is a kernel.
    fn loss(store: &Store) -> Result<Tensor> {
        let [output, kernel] = [store.get("decoder.output.weight")?, store.get("backbone.k.weight")?];
        Ok((&output * &output).sum(Kind::Float) + (&kernel * &kernel).sum(Kind::Float))
    }

    #[test]
    fn a_step_is_adams_with_decay_factors_and_average() -> Result<()> {
        let store = store();
        let (weight, decay, backbone_rate) = (store.get("decoder.output.weight")?.copy(), 0.1, 0.5);
        let kernel = store.get("backbone.k.weight")?.copy();
        let schedule = Schedule::Cosine { peak: 1e-2, warmup: 1 };
        let settings = Settings { clip: 1e9, weight_decay: decay, average: 0.9, backbone_rate, ..settings(schedule) };
        let mut optimizer = Optimizer::new(&store, settings, |name| !name.starts_with("mccl."));
        let held = store.get("decoder.output.weight")?;
        optimizer.backward(&loss(&store)?);
        let rate = optimizer.apply(&Ranks::alone())?;
        // The first step of Adam has length 1 in every coordinate, along the sign of the gradient.
        let expected = &weight - (weight.sign() + &weight * decay) * rate;
        assert!((held - &expected).abs().max().double_value(&[]) < 1e-6);
        let expected_kernel = &kernel - (kernel.sign() + &kernel * decay) * (rate * backbone_rate);
        assert!((store.get("backbone.k.weight")? - expected_kernel).abs().max().double_value(&[]) < 1e-6);
        let average = optimizer.with_average(|| Ok(store.get("decoder.output.weight")?.copy()))?;
        let keep = 1.0 / 11.0;
        assert!((average - (&weight * keep + &expected * (1.0 - keep))).abs().max().double_value(&[]) < 1e-6);
        Ok(())
    }

    #[test]
    fn weights_are_pulled_to_where_they_began() -> Result<()> {
        let drift = |pull: f64| -> Result<f64> {
            let store = store();
            let first = store.get("decoder.output.weight")?.copy();
            let schedule = Schedule::Cosine { peak: 1e-3, warmup: 1 };
            let mut optimizer = Optimizer::new(&store, Settings { pull, ..settings(schedule) }, |_| true);
            for _ in 0..60 {
                optimizer.backward(&loss(&store)?);
                optimizer.apply(&Ranks::alone())?;
            }
            assert_eq!(optimizer.arrays()?.iter().any(|(name, _)| name.starts_with("start.")), pull > 0.0);
            Ok((store.get("decoder.output.weight")? - first).abs().max().double_value(&[]))
        };
        let (free, pulled) = (drift(0.0)?, drift(100.0)?);
        assert!(free > 0.02 && pulled < 0.012 && pulled > 0.002, "{free} {pulled}");
        Ok(())
    }

    #[test]
    fn long_gradients_are_clipped_and_accumulated_ones_added() -> Result<()> {
        let store = store();
        let settings = Settings { clip: 1e-3, ..settings(Schedule::Cosine { peak: 1e-2, warmup: 1 }) };
        let mut optimizer = Optimizer::new(&store, settings, |name| name == "decoder.output.weight");
        optimizer.backward(&loss(&store)?);
        optimizer.backward(&loss(&store)?);
        let sum = optimizer.gradient.as_ref().map(Tensor::copy).context("gradients")?;
        let expected = flat([&(store.get("decoder.output.weight")? * 4.0)].into_iter());
        assert!((sum - expected).abs().max().double_value(&[]) < 1e-5);
        optimizer.apply(&Ranks::alone())?;
        let first = optimizer.first.norm().double_value(&[]);
        assert!((first - 1e-3 * (1.0 - BETAS.0)).abs() < 1e-8, "{first}");
        Ok(())
    }
}
