//! AVX-512 VNNI, and AVX2 for the CPUs without.

use crate::{Kernel, QUAD, Quad, WIDTH, Weights, Work};
use core::arch::x86_64::*;

/// `vpdpbusd`: four products of bytes and their sum, sixteen times at once.
#[derive(Clone, Copy, Debug)]
pub struct Vnni(());

/// `vpmaddwd` on bytes widened to 16 bits, which nothing can overflow (`vpmaddubsw` would saturate).
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

impl Vnni {
    /// Where this CPU has it.
    pub fn try_new() -> Option<Self> {
        let all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni")
            && is_x86_feature_detected!("fma");
        all.then_some(Self(()))
    }
}

impl Avx2 {
    /// Where this CPU has it.
    pub fn try_new() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }
}

impl Kernel for Vnni {
    const OFFSET: i32 = 0;
    const FUSED: bool = true;

    fn run(self, work: impl Work) {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")]
        fn run(kernel: Vnni, work: impl Work) {
            work.with(kernel);
        }
        // SAFETY: a `Vnni` is only made where the CPU has these features.
        unsafe { run(self, work) }
    }

    #[inline(always)]
    fn panel<const R: usize>(self, activations: [&[Quad]; R], weights: &[Weights], sums: &mut [[i32; WIDTH]; R]) {
        // SAFETY: a `Vnni` is only made where the CPU has these features.
        unsafe { vnni_panel(activations, weights, sums) }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn vnni_panel<const R: usize>(activations: [&[Quad]; R], weights: &[Weights], sums: &mut [[i32; WIDTH]; R]) {
    const PARTS: usize = WIDTH / 16;
    let rows = activations.map(|row| &row[..weights.len()]);
    let mut totals = [[_mm512_setzero_si512(); PARTS]; R];
    for (k, weights) in weights.iter().enumerate() {
        let mut parts = [_mm512_setzero_si512(); PARTS];
        for (part, bytes) in parts.iter_mut().zip(weights.0.as_chunks::<64>().0) {
            // SAFETY: `bytes` are 64 readable bytes; the load asks for no alignment.
            *part = unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) };
        }
        for (row, totals) in rows.iter().zip(&mut totals) {
            let row = _mm512_set1_epi32(i32::from_le_bytes(row[k]));
            for (total, part) in totals.iter_mut().zip(parts) {
                *total = _mm512_dpbusd_epi32(*total, row, part);
            }
        }
    }
    for (sums, totals) in sums.iter_mut().zip(totals) {
        for (sums, total) in sums.as_chunks_mut::<16>().0.iter_mut().zip(totals) {
            // SAFETY: `sums` are 64 writable bytes; the store asks for no alignment.
            unsafe { _mm512_storeu_si512(sums.as_mut_ptr().cast(), total) };
        }
    }
}

impl Kernel for Avx2 {
    const OFFSET: i32 = 0;
    const FUSED: bool = true;

    fn run(self, work: impl Work) {
        #[target_feature(enable = "avx2,fma")]
        fn run(kernel: Avx2, work: impl Work) {
            work.with(kernel);
        }
        // SAFETY: an `Avx2` is only made where the CPU has these features.
        unsafe { run(self, work) }
    }

    #[inline(always)]
    fn panel<const R: usize>(self, activations: [&[Quad]; R], weights: &[Weights], sums: &mut [[i32; WIDTH]; R]) {
        // SAFETY: an `Avx2` is only made where the CPU has these features.
        unsafe { avx2_panel(activations, weights, sums) }
    }
}

/// A quarter of the columns at a time: more sums than that do not fit the registers.
#[inline]
#[target_feature(enable = "avx2")]
fn avx2_panel<const R: usize>(activations: [&[Quad]; R], weights: &[Weights], sums: &mut [[i32; WIDTH]; R]) {
    const PARTS: usize = 4;
    const COLUMNS: usize = 4;
    let rows = activations.map(|row| &row[..weights.len()]);
    for first in (0..WIDTH).step_by(PARTS * COLUMNS) {
        let mut totals = [[_mm256_setzero_si256(); PARTS]; R];
        for (k, weights) in weights.iter().enumerate() {
            let mut parts = [_mm256_setzero_si256(); PARTS];
            let quarter = &weights.0[QUAD * first..];
            for (part, bytes) in parts.iter_mut().zip(quarter.as_chunks::<16>().0) {
                // SAFETY: `bytes` are 16 readable bytes; the load asks for no alignment.
                *part = _mm256_cvtepi8_epi16(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) });
            }
            for (row, totals) in rows.iter().zip(&mut totals) {
                let row = _mm256_cvtepu8_epi16(_mm_set1_epi32(i32::from_le_bytes(row[k])));
                for (total, part) in totals.iter_mut().zip(parts) {
                    *total = _mm256_add_epi32(*total, _mm256_madd_epi16(row, part));
                }
            }
        }
        for (sums, totals) in sums.iter_mut().zip(totals) {
            for (part, total) in totals.into_iter().enumerate() {
                let mut halves = [0i32; 2 * COLUMNS];
                // SAFETY: `halves` are 32 writable bytes; the store asks for no alignment.
                unsafe { _mm256_storeu_si256(halves.as_mut_ptr().cast(), total) };
                for (column, pair) in halves.as_chunks::<2>().0.iter().enumerate() {
                    sums[first + part * COLUMNS + column] = pair[0] + pair[1];
                }
            }
        }
    }
}
