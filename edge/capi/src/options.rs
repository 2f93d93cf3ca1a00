//! How a bundle is opened.

use crate::foreign::{self, SizedStruct};
use crate::status::{Failure, Result};
use cssa_captioner::{Choice, Looks, Provider, Settings};
use std::ffi::c_char;
use std::mem::size_of;
use std::path::PathBuf;

/// Which program runs the model.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum CssaRuntime {
    /// ONNX Runtime where its library is found, else tract.
    Auto = 0,
    /// ONNX Runtime.
    Ort = 1,
    /// tract, on any CPU, where the library is built with it.
    Tract = 2,
}

/// Where ONNX Runtime computes.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum CssaProvider {
    /// The CPU.
    Cpu = 0,
    /// CUDA.
    Cuda = 1,
    /// TensorRT, and CUDA for what it cannot run.
    Tensorrt = 2,
}

/// How a bundle is opened: zero or NULL is the default of each.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CssaOptions {
    /// sizeof(CssaOptions).
    pub size: usize,
    /// CssaRuntime: which program runs the model.
    pub runtime: u32,
    /// CssaProvider: where ONNX Runtime computes.
    pub provider: u32,
    /// Threads of ONNX Runtime's encoder, 1 to 64, and two at most of the decoder; 0: 2.
    pub threads: u32,
    /// 1, 2, 4 or 8 turned and mirrored views of an image that are captioned: more are slower and surer; 0: 1.
    pub looks: u32,
    /// The best caption of a beam of this width, 1 to 16; 0: searched as the bundle says.
    pub beam: u32,
    /// 0.
    pub reserved: u32,
    /// Path of a minisign public key: only a bundle that is signed with it is opened; NULL: any is.
    pub trust: *const c_char,
    /// Path of libonnxruntime.so; NULL: it is looked for in LD_LIBRARY_PATH, beside the program and in the system's folders.
    /// ORT_DYLIB_PATH stands above both. A process has one ONNX Runtime: the first that was opened.
    pub onnxruntime: *const c_char,
    /// Folder in which TensorRT keeps its engines from one start to the next; NULL: nowhere.
    pub engines: *const c_char,
}

// SAFETY: repr(C), its size first, six numbers of 32 bits, three pointers that may be anything; no padding.
unsafe impl SizedStruct for CssaOptions {
    const NAME: &'static str = "options";
    const FIRST: usize = size_of::<usize>() + 6 * size_of::<u32>() + 3 * size_of::<usize>();
}

/// The options as the captioner has them.
pub(crate) struct Opening {
    pub(crate) settings: Settings,
    pub(crate) beam: Option<usize>,
    pub(crate) trust: Option<PathBuf>,
}

impl Opening {
    /// What C passes; NULL is the default of everything.
    ///
    /// # Safety
    /// It is what `cssa.h` says.
    pub(crate) unsafe fn read(options: *const CssaOptions) -> Result<Self> {
        // SAFETY: the same contract.
        let Some(options) = (unsafe { foreign::sized(options) })? else {
            return Ok(Self { settings: Settings::default(), beam: None, trust: None });
        };
        let wrong =
            |name, found, expected| Failure::argument(format!("options: {name} is {found}, expected {expected}"));
        let choice = match options.runtime {
            0 => Choice::Auto,
            1 => Choice::Ort,
            2 => Choice::Tract,
            other => return Err(wrong("runtime", other, "a CssaRuntime, 0 to 2")),
        };
        let provider = match options.provider {
            0 => Provider::Cpu,
            1 => Provider::Cuda,
            2 => Provider::Tensorrt,
            other => return Err(wrong("provider", other, "a CssaProvider, 0 to 2")),
        };
        let threads = match options.threads {
            0 => Settings::default().threads,
            threads @ 1..=64 => threads as usize,
            other => return Err(wrong("threads", other, "0 to 64")),
        };
        let looks = match options.looks {
            0 => Looks::One,
            count => u8::try_from(count)
                .ok()
                .and_then(|count| Looks::try_from(count).ok())
                .ok_or_else(|| wrong("looks", count, "0, 1, 2, 4 or 8"))?,
        };
        let beam = match options.beam {
            0 => None,
            beam @ 1..=16 => Some(beam as usize),
            other => return Err(wrong("beam", other, "0 to 16")),
        };
        if options.reserved != 0 {
            return Err(wrong("reserved", options.reserved, "0"));
        }
        let path = |text| {
            // SAFETY: a text or NULL, by the same contract.
            unsafe { foreign::path(text) }
        };
        let [library, engines, trust] = [options.onnxruntime, options.engines, options.trust].map(path);
        let settings = Settings { choice, provider, library, threads, engines, looks };
        Ok(Self { settings, beam, trust })
    }
}
