//! What the captioning thread does beside frames: signs of life, what came from outside, heat.

use super::{FramePipeline, LOADING};
use crate::error::chain;
use crate::model::Model;
use crate::peripherals::Duty;
use cssa_wire::FaultKind;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Between two looks at the temperature.
const WARMTH: Duration = Duration::from_secs(10);

impl FramePipeline {
    /// A sign of life, and what came from outside.
    pub(super) fn attend(&mut self) {
        self.pulse.beat();
        if let Some(problem) = self.silence.as_mut().and_then(|silence| silence.fault(Instant::now())) {
            self.faults.record(FaultKind::SourceSilent, problem);
        }
        if let Ok(problem) = self.damage.try_recv() {
            self.reload(Model::fall_back, &problem);
            // What was found while it was being replaced is found again where it is still true.
            self.damage.try_iter().for_each(drop);
        }
        if self.control.self_test.swap(false, Ordering::Relaxed) {
            // The log and the faults have what is wrong.
            let _said = self.self_test();
        }
        self.carry_out_commands();
        if self.warmth.is_none_or(|looked| looked.elapsed() >= WARMTH) {
            // Also while no frame comes.
            self.warmth = Some(Instant::now());
            let _known = self.peripherals.celsius();
        }
        self.gauge();
    }

    /// Captions the golden image; the model is loaded anew where that fails.
    pub(super) fn self_test(&mut self) -> Result<(), String> {
        self.pulse.busy(LOADING);
        match self.model.self_test() {
            Ok(()) => {
                tracing::info!("self-test passed");
                Ok(())
            }
            Err(error) => {
                let why = chain(&error);
                self.faults.record(FaultKind::SelfTestFailures, format_args!("self-test: {why}"));
                self.reload(Model::reload, &format!("self-test: {why}"));
                Err(why)
            }
        }
    }

    /// What the status says of this thread.
    pub(crate) fn gauge(&self) {
        let mut gauges = self.reporter.gauges();
        gauges.bundle = format!("{:04x}", self.model.captioner.language().id);
        gauges.runtime = self.model.captioner.active();
        gauges.slot = self.model.slot_number();
        gauges.orders.clone_from(&self.orders);
        gauges.celsius = self.peripherals.last_celsius;
        gauges.millijoules = (self.energy.1 > 0).then(|| self.energy.0 / self.energy.1 as f64);
        gauges.peripheral_errors = self.peripherals.errors;
    }

    /// Whether nothing is captioned for heat, which is a fault once each time.
    pub(super) fn is_too_hot(&mut self) -> bool {
        let is_hot = self.peripherals.duty() == Duty::Stop;
        if is_hot && !self.is_hot {
            let celsius = self.peripherals.last_celsius.unwrap_or(f64::NAN);
            self.faults
                .record(FaultKind::TooHot, format_args!("{celsius:.1} °C: nothing is captioned until it is cooler"));
        }
        self.is_hot = is_hot;
        is_hot
    }
}
