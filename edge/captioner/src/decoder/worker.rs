//! A second thread that takes its half of a step's larger products.
//!
//! A step is two dozen products of some microseconds, too short to wake a thread for: the helper watches for them while a
//! caption is searched, and sleeps otherwise. The step's own thread takes over what the helper has not begun when it is
//! through with its half, so that a busy second core delays nothing but what it is in the middle of.

use cssa_kernel::{Dispatch, Kernel, Quad, Work};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long the helper watches before it sleeps.
const WATCH: Duration = Duration::from_micros(100);

/// What the worker computes the second half of.
pub(super) trait Halved: Send + Sync + 'static {
    /// The second half of product number `layer` for `rows` rows, `[rows, its columns]`.
    fn second_half<K: Kernel>(&self, kernel: K, layer: usize, rows: usize, quads: &[Quad], output: &mut Vec<f32>);
}

/// A thread that helps; it ends with this.
#[derive(Debug)]
pub(super) struct Worker {
    shared: Arc<Shared>,
    helper: Option<JoinHandle<()>>,
    number: u32,
}

#[derive(Debug)]
struct Shared {
    /// Number of the newest product.
    offered: AtomicU32,
    /// Number of the newest product whose second half somebody computes.
    taken: AtomicU32,
    /// Number of the newest product whose second half the helper has computed.
    done: AtomicU32,
    asleep: AtomicBool,
    ended: AtomicBool,
    product: Mutex<Product>,
}

/// Held by the helper from taking a product to having done it, by the step otherwise.
#[derive(Debug, Default)]
struct Product {
    layer: usize,
    rows: usize,
    quads: Vec<Quad>,
    output: Vec<f32>,
}

impl Shared {
    fn product(&self) -> MutexGuard<'_, Product> {
        self.product.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the caller is the one to compute the second half of this product.
    fn take(&self, number: u32) -> bool {
        let before = number.wrapping_sub(1);
        self.taken.compare_exchange(before, number, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

impl Worker {
    /// Starts the helper; none where the system has no thread to give.
    pub(super) fn start<P: Halved>(parameters: &Arc<P>, kernel: Dispatch) -> Option<Self> {
        let shared = Arc::new(Shared {
            offered: AtomicU32::new(0),
            taken: AtomicU32::new(0),
            done: AtomicU32::new(0),
            asleep: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            product: Mutex::default(),
        });
        let (own, parameters) = (Arc::clone(&shared), Arc::clone(parameters));
        let helper = thread::Builder::new().name("decoder".into());
        let helper = helper.spawn(move || kernel.run(Life { shared: &own, parameters: &*parameters })).ok()?;
        Some(Self { shared, helper: Some(helper), number: 0 })
    }

    /// Makes the helper watch: products follow.
    pub(super) fn wake(&self) {
        if let (true, Some(helper)) = (self.shared.asleep.load(Ordering::SeqCst), &self.helper) {
            helper.thread().unpark();
        }
    }

    /// Offers the second half of a product.
    pub(super) fn submit(&mut self, layer: usize, rows: usize, quads: &[Quad]) {
        let mut product = self.shared.product();
        (product.layer, product.rows) = (layer, rows);
        product.quads.clear();
        product.quads.extend_from_slice(quads);
        drop(product);
        self.number = self.number.wrapping_add(1);
        self.shared.offered.store(self.number, Ordering::SeqCst);
        self.wake();
    }

    /// Gives the second half of the product on offer, `[rows, its columns]`, to `copy`; false if the helper did not begin it
    /// and will not.
    pub(super) fn join(&self, copy: impl FnOnce(&[f32])) -> bool {
        if self.shared.take(self.number) {
            return false;
        }
        let mut turns = 0u32;
        while self.shared.done.load(Ordering::Acquire) != self.number {
            // A helper that does not come back has lost its core to another program.
            turns = turns.saturating_add(1);
            if turns < 2000 {
                std::hint::spin_loop();
            } else if self.helper.as_ref().is_none_or(JoinHandle::is_finished) {
                return false;
            } else {
                thread::yield_now();
            }
        }
        copy(&self.shared.product().output);
        true
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        if let Some(helper) = self.helper.take() {
            helper.thread().unpark();
            helper.join().ok();
        }
    }
}

/// The helper's life.
struct Life<'a, P> {
    shared: &'a Shared,
    parameters: &'a P,
}

impl<P: Halved> Work for Life<'_, P> {
    #[inline(always)]
    fn with<K: Kernel>(self, kernel: K) {
        let Self { shared, parameters } = self;
        let mut last = 0;
        loop {
            let number = watch(shared, last);
            if shared.ended.load(Ordering::SeqCst) {
                return;
            }
            last = number;
            if !shared.take(number) {
                continue;
            }
            let mut product = shared.product();
            let Product { layer, rows, quads, output } = &mut *product;
            parameters.second_half(kernel, *layer, *rows, quads, output);
            drop(product);
            shared.done.store(number, Ordering::Release);
        }
    }
}

/// Waits for a product behind the `last`, or for the end.
fn watch(shared: &Shared, last: u32) -> u32 {
    let offered = || Some(shared.offered.load(Ordering::SeqCst)).filter(|&number| number != last);
    loop {
        let started = Instant::now();
        while started.elapsed() < WATCH {
            for _ in 0..64 {
                if let Some(number) = offered() {
                    return number;
                }
                std::hint::spin_loop();
            }
        }
        shared.asleep.store(true, Ordering::SeqCst);
        if offered().is_none() && !shared.ended.load(Ordering::SeqCst) {
            thread::park();
        }
        shared.asleep.store(false, Ordering::SeqCst);
        if shared.ended.load(Ordering::SeqCst) {
            return last;
        }
    }
}
