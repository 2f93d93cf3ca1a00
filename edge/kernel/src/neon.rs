//! NEON: `sdot` where the CPU has it (a Jetson Orin's Cortex-A78AE does; a Xavier's Carmel, which is ARMv8.2 without dot products, does
//! not), else products of bytes and pairwise sums.

use crate::{Kernel, QUAD, Quad, WIDTH, Weights, Work};
use core::arch::aarch64::*;
use core::arch::asm;

/// `smull` and `sadalp`.
#[derive(Clone, Copy, Debug)]
pub struct Neon(());

/// `sdot`: four products of bytes and their sum, four times at once.
#[derive(Clone, Copy, Debug)]
pub struct Dot(());

/// Turns activations of 0 to 255 into −128 to 127.
const SIGN: u32 = 0x8080_8080;
/// Columns of a vector of weights.
const COLUMNS: usize = 4;
/// Vectors that are worked on together: more sums than that do not fit the registers.
const PARTS: usize = 4;

impl Neon {
    /// Every aarch64 CPU has it.
    pub fn try_new() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
    }
}

impl Dot {
    /// Where this CPU has it.
    pub fn try_new() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("dotprod").then_some(Self(()))
    }
}

impl Kernel for Neon {
    const OFFSET: i32 = 128;
    const FUSED: bool = true;

    fn run(self, work: impl Work) {
        work.with(self);
    }

    #[inline(always)]
    fn panel<const R: usize>(self, activations: [&[Quad]; R], weights: &[Weights], sums: &mut [[i32; WIDTH]; R]) {
        for first in (0..WIDTH).step_by(PARTS * COLUMNS) {
            // SAFETY: NEON belongs to every aarch64 CPU, and a `Neon` is only made where it was detected.
            unsafe { quarter(activations, weights, sums, first) };
        }
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn quarter<const R: usize>(activations: [&[Quad]; R], weights: &[Weights], sums: &mut [[i32; WIDTH]; R], first: usize) {
    let rows = activations.map(|row| &row[..weights.len()]);
    // The sums of the first and of the second pair of a quad lie side by side.
    let mut totals = [[[vdupq_n_s32(0); 2]; PARTS]; R];
    for (k, weights) in weights.iter().enumerate() {
        let mut parts = [vdupq_n_s8(0); PARTS];
        for (part, bytes) in parts.iter_mut().zip(weights.0[QUAD * first..].as_chunks::<16>().0) {
            // SAFETY: `bytes` are 16 readable bytes; the load asks for no alignment.
            *part = unsafe { vld1q_s8(bytes.as_ptr()) };
        }
        for (row, totals) in rows.iter().zip(&mut totals) {
            let row = vreinterpretq_s8_u32(vdupq_n_u32(u32::from_le_bytes(row[k]) ^ SIGN));
            for ([low, high], part) in totals.iter_mut().zip(parts) {
                *low = vpadalq_s16(*low, vmull_s8(vget_low_s8(row), vget_low_s8(part)));
                *high = vpadalq_s16(*high, vmull_high_s8(row, part));
            }
        }
    }
    for (sums, totals) in sums.iter_mut().zip(totals) {
        for (sums, [low, high]) in sums[first..].as_chunks_mut::<COLUMNS>().0.iter_mut().zip(totals) {
            // SAFETY: `sums` are 16 writable bytes; the store asks for no alignment.
            unsafe { vst1q_s32(sums.as_mut_ptr(), vpaddq_s32(low, high)) };
        }
    }
}

impl Kernel for Dot {
    const OFFSET: i32 = 128;
    const FUSED: bool = true;

    fn run(self, work: impl Work) {
        work.with(self);
    }

    #[inline(always)]
    fn panel<const R: usize>(self, activations: [&[Quad]; R], weights: &[Weights], sums: &mut [[i32; WIDTH]; R]) {
        for first in (0..WIDTH).step_by(PARTS * COLUMNS) {
            // SAFETY: a `Dot` is only made where the CPU has `sdot`.
            unsafe { dot_quarter(activations, weights, sums, first) };
        }
    }
}

#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot_quarter<const R: usize>(
    activations: [&[Quad]; R],
    weights: &[Weights],
    sums: &mut [[i32; WIDTH]; R],
    first: usize,
) {
    let rows = activations.map(|row| &row[..weights.len()]);
    let mut totals = [[vdupq_n_s32(0); PARTS]; R];
    for (k, weights) in weights.iter().enumerate() {
        let mut parts = [vdupq_n_s8(0); PARTS];
        for (part, bytes) in parts.iter_mut().zip(weights.0[QUAD * first..].as_chunks::<16>().0) {
            // SAFETY: `bytes` are 16 readable bytes; the load asks for no alignment.
            *part = unsafe { vld1q_s8(bytes.as_ptr()) };
        }
        for (row, totals) in rows.iter().zip(&mut totals) {
            let row = vreinterpretq_s8_u32(vdupq_n_u32(u32::from_le_bytes(row[k]) ^ SIGN));
            for (total, part) in totals.iter_mut().zip(parts) {
                // SAFETY: the instruction reads and writes these registers only; its intrinsic is not stable in Rust yet.
                unsafe {
                    asm!(
                        "sdot {total:v}.4s, {part:v}.16b, {row:v}.16b",
                        total = inout(vreg) *total,
                        part = in(vreg) part,
                        row = in(vreg) row,
                        options(pure, nomem, nostack, preserves_flags)
                    );
                }
            }
        }
    }
    for (sums, totals) in sums.iter_mut().zip(totals) {
        for (sums, total) in sums[first..].as_chunks_mut::<COLUMNS>().0.iter_mut().zip(totals) {
            // SAFETY: `sums` are 16 writable bytes; the store asks for no alignment.
            unsafe { vst1q_s32(sums.as_mut_ptr(), total) };
        }
    }
}
