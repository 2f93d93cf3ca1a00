//! A receiver without an operating system: decodes a packet and searches a caption.
#![no_std]

extern crate alloc;

use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use cssa::search::{self, Rows, Settings, Step};

struct NoMemory;

// SAFETY: it never gives memory out.
unsafe impl GlobalAlloc for NoMemory {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: NoMemory = NoMemory;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

struct Silent;

impl Step for Silent {
    type Error = ();

    fn step(&mut self, rows: Rows<'_>, logits: &mut Vec<f32>) -> Result<(), ()> {
        logits.clear();
        logits.resize(rows.tokens.len() * 4, 0.0);
        Ok(())
    }
}

/// Captions in a packet; −1 where it is none of the bundle's, whose language model is given.
///
/// # Safety
/// `bytes` points at `length` readable bytes, `model` at `model_length`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn captions_in_packet(
    bytes: *const u8,
    length: usize,
    bundle: u16,
    model: *const u8,
    model_length: usize,
) -> i32 {
    // SAFETY: the caller keeps the promise above.
    let (bytes, model) =
        unsafe { (core::slice::from_raw_parts(bytes, length), core::slice::from_raw_parts(model, model_length)) };
    let Ok(model) = cssa::language_model::LanguageModel::from_bytes(model) else { return -1 };
    let (verification, checksum) = (cssa_wire::Verification::Off, cssa_wire::Checksum::Crc32);
    cssa_wire::CaptionPacket::decode(bytes, bundle, &model, verification, checksum)
        .map_or(-1, |packet| packet.captions.len() as i32)
}

/// Words in a caption searched without a model.
#[unsafe(no_mangle)]
pub extern "C" fn words_in_caption() -> i32 {
    let settings = Settings { beam: 3, longest: 8, length_exponent: 0.5, ..Settings::GREEDY };
    search::search(&mut Silent, settings).map_or(-1, |found| found.tokens.len() as i32)
}
