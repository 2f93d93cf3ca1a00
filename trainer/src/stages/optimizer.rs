//! Adam with decoupled weight decay, gradient clipping and averaged weights, with a state that can be saved: tch's own
//! optimizers cannot.

use crate::config::Schedule;
use crate::net::Store;
use anyhow::{Result, ensure};
use std::collections::BTreeMap;
use tch::{Kind, Tensor};

/// β1, β2 and ε: those of the plain Transformer.
const BETAS: (f64, f64) = (0.9, 0.98);
const EPSILON: f64 = 1e-9;

/// Updates every tensor of the store that has a gradient.
#[derive(Debug)]
pub struct Optimizer {
    /// First moment by tensor.
    pub first: BTreeMap<String, Tensor>,
    /// Second moment by tensor.
    pub second: BTreeMap<String, Tensor>,
    /// Averaged weights by tensor; empty where averaging is off.
    pub average: BTreeMap<String, Tensor>,
    /// Steps done.
    pub step: usize,
    settings: Settings,
}

/// Constants of an optimizer.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Learning rate.
    pub schedule: Schedule,
    /// Steps of the whole stage.
    pub total: usize,
    /// d, for Noam.
    pub width: usize,
    /// Largest norm of all gradients together.
    pub clip: f64,
    /// Decoupled decay of matrices.
    pub weight_decay: f64,
    /// Share that the averaged weights keep.
    pub average: f64,
    /// Tensors whose names start so belong to another stage and stay as they are.
    pub untouched: &'static str,
}

impl Optimizer {
    /// All moments zero.
    pub fn new(settings: Settings) -> Self {
        let empty = BTreeMap::new;
        Self { first: empty(), second: empty(), average: empty(), step: 0, settings }
    }

    /// One step along the gradients that `loss` has; gives the learning rate. A loss that is not finite is an error.
    pub fn step(&mut self, store: &Store, loss: &Tensor) -> Result<f64> {
        let value = loss.double_value(&[]);
        ensure!(value.is_finite(), "the loss is {value} at step {}: lower the learning rate", self.step + 1);
        loss.backward();
        self.step += 1;
        let rate = rate(&self.settings, self.step);
        tch::no_grad(|| self.update(store, rate))?;
        Ok(rate)
    }

    fn update(&mut self, store: &Store, rate: f64) -> Result<()> {
        let touched: Vec<(&str, Tensor, Tensor)> = store
            .tensors()
            .filter(|(name, _)| !name.starts_with(self.settings.untouched))
            .map(|(name, tensor)| (name, tensor.shallow_clone(), tensor.grad()))
            .filter(|(_, _, gradient)| gradient.defined())
            .collect();
        let norms: Vec<Tensor> = touched.iter().map(|(_, _, g)| (g * g).sum(Kind::Double)).collect();
        let norm = Tensor::stack(&norms, 0).sum(Kind::Double).sqrt().double_value(&[]);
        ensure!(norm.is_finite(), "the gradients' norm is {norm} at step {}: lower the learning rate", self.step);
        let scale = if norm > self.settings.clip { self.settings.clip / norm } else { 1.0 };
        let (bias1, bias2) = (1.0 - BETAS.0.powi(self.step as i32), 1.0 - BETAS.1.powi(self.step as i32));
        for (name, mut tensor, mut gradient) in touched {
            let g = &gradient * scale;
            let moment = |moments: &mut BTreeMap<String, Tensor>| {
                moments.entry(name.to_owned()).or_insert_with(|| tensor.zeros_like()).shallow_clone()
            };
            let (mut m, mut v) = (moment(&mut self.first), moment(&mut self.second));
            let _ = m.lerp_(&g, 1.0 - BETAS.0);
            let _ = v.lerp_(&(&g * &g), 1.0 - BETAS.1);
            let direction = (&m / bias1) / ((&v / bias2).sqrt() + EPSILON);
            if self.settings.weight_decay > 0.0 && tensor.dim() > 1 {
                let _ = tensor.g_mul_scalar_(1.0 - rate * self.settings.weight_decay);
            }
            let _ = tensor.g_sub_(&(direction * rate));
            let _ = gradient.zero_();
            if self.settings.average > 0.0 {
                // Early on the average follows fast: otherwise the first, random weights would linger.
                let keep = self.settings.average.min(self.step as f64 / (self.step as f64 + 10.0));
                let average = self.average.entry(name.to_owned()).or_insert_with(|| tensor.detach().copy());
                let _ = average.lerp_(&tensor.detach(), 1.0 - keep);
            }
        }
        Ok(())
    }
}

/// The learning rate of step `step`, counted from 1.
pub fn rate(settings: &Settings, step: usize) -> f64 {
    let n = step as f64;
    match settings.schedule {
        Schedule::Noam { factor, warmup } => {
            let warmup = warmup.max(1) as f64;
            factor * (settings.width as f64).powf(-0.5) * n.powf(-0.5).min(n * warmup.powf(-1.5))
        }
        Schedule::Cosine { peak, warmup } if step <= warmup => peak * n / warmup.max(1) as f64,
        Schedule::Cosine { peak, warmup } => {
            let done = (step - warmup) as f64 / settings.total.saturating_sub(warmup).max(1) as f64;
            peak * 0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(schedule: Schedule) -> Settings {
        Settings { schedule, total: 110, width: 512, clip: 1.0, weight_decay: 0.0, average: 0.0, untouched: "-" }
    }

    #[test]
    fn noam_peaks_at_its_warmup() {
        let s = settings(Schedule::Noam { factor: 1.0, warmup: 20_000 });
        let peak = rate(&s, 20_000);
        assert!((peak - 512f64.powf(-0.5) * 20_000f64.powf(-0.5)).abs() < 1e-12);
        assert!(rate(&s, 19_000) < peak && rate(&s, 21_000) < peak);
    }

    #[test]
    fn cosine_rises_and_falls_to_zero() {
        let s = settings(Schedule::Cosine { peak: 2.0, warmup: 10 });
        assert_eq!((rate(&s, 5), rate(&s, 10)), (1.0, 2.0));
        assert!((rate(&s, 60) - 1.0).abs() < 1e-12 && rate(&s, 110).abs() < 1e-12);
    }
}
