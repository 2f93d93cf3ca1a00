//! A loaded bundle as C has it.

use crate::caption::CssaCaption;
use crate::foreign::{self, null, place};
use crate::options::{CssaOptions, Opening};
use crate::pixels::CssaPixels;
use crate::status::{CssaStatus, Failure, Result, dropped, guarded};
use cssa::bundle::{Bundle, Trusted};
use cssa::errors::chain;
use cssa_captioner::{Captioner, Looks};
use image::RgbImage;
use std::ffi::{CString, c_char};
use std::mem::MaybeUninit;
use std::path::PathBuf;
use std::ptr;
use std::sync::Mutex;

/// A loaded model. It is made by cssa_open() and ended by cssa_close().
pub struct CssaCaptioner {
    model: Mutex<Captioner>,
    runtime: CString,
}

/// Opens a bundle, a folder or a .cssa file, which takes a second or so, and puts a captioner into `*captioner`; NULL where it fails.
/// `options` may be NULL.
///
/// CSSA_STATUS_ARGUMENT, FILE, BUNDLE, RUNTIME.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cssa_open(
    bundle: *const c_char,
    options: *const CssaOptions,
    captioner: Option<&mut MaybeUninit<Option<Box<CssaCaptioner>>>>,
) -> CssaStatus {
    guarded(|| {
        let captioner = place("captioner", captioner, None)?;
        // SAFETY: a text or NULL, as the header says.
        let bundle = unsafe { foreign::path(bundle) }.ok_or_else(|| null("bundle"))?;
        // SAFETY: options or NULL, as the header says.
        let opening = unsafe { Opening::read(options) }?;
        *captioner = Some(Box::new(open(bundle, opening)?));
        Ok(())
    })
}

/// Ends a captioner and sets `*captioner` to NULL; does nothing where that, or `captioner`, is NULL: closing it twice does nothing the
/// second time. A copy of the pointer must not be used or closed any more. Captions that it made stay.
#[unsafe(no_mangle)]
pub extern "C" fn cssa_close(captioner: Option<&mut Option<Box<CssaCaptioner>>>) {
    dropped(captioner.and_then(Option::take));
}

/// The runtime at work, such as "ort/CPUExecutionProvider" or "tract"; NULL where `captioner` is NULL. It stays as long as the
/// captioner.
#[unsafe(no_mangle)]
pub extern "C" fn cssa_runtime(captioner: Option<&CssaCaptioner>) -> *const c_char {
    captioner.map_or(ptr::null(), |captioner| captioner.runtime.as_ptr())
}

/// Captions an image in memory and puts the caption into `*caption`; NULL where it fails. The pixels are only read, and not kept.
///
/// CSSA_STATUS_ARGUMENT, MODEL, FAULT.
#[unsafe(no_mangle)]
pub extern "C" fn cssa_caption_pixels(
    captioner: Option<&CssaCaptioner>,
    pixels: Option<&CssaPixels>,
    caption: Option<&mut MaybeUninit<Option<Box<CssaCaption>>>>,
) -> CssaStatus {
    captioned(captioner, caption, || pixels.ok_or_else(|| null("pixels"))?.image())
}

/// Captions an image file that is in memory, a JPEG, PNG or TIFF of `length` bytes, and puts the caption into `*caption`; NULL where it
/// fails. It is turned as its orientation tag says.
///
/// CSSA_STATUS_ARGUMENT, IMAGE, MODEL, FAULT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cssa_caption_encoded(
    captioner: Option<&CssaCaptioner>,
    file: *const u8,
    length: usize,
    caption: Option<&mut MaybeUninit<Option<Box<CssaCaption>>>>,
) -> CssaStatus {
    let refused = |error| Failure { status: CssaStatus::Image, said: format!("the image: {}", chain(&error)) };
    captioned(captioner, caption, || {
        // SAFETY: so many bytes or NULL, as the header says.
        let file = unsafe { foreign::bytes("file", file, length) }?;
        cssa_image::decode(file).map_err(refused)
    })
}

/// Captions the image file at `path` and puts the caption into `*caption`; NULL where it fails.
///
/// CSSA_STATUS_ARGUMENT, FILE, IMAGE, MODEL, FAULT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cssa_caption_file(
    captioner: Option<&CssaCaptioner>,
    path: *const c_char,
    caption: Option<&mut MaybeUninit<Option<Box<CssaCaption>>>>,
) -> CssaStatus {
    captioned(captioner, caption, || {
        // SAFETY: a text or NULL, as the header says.
        let path = unsafe { foreign::path(path) }.ok_or_else(|| null("path"))?;
        cssa_image::read(&path).map_err(Failure::of_image)
    })
}

fn captioned(
    captioner: Option<&CssaCaptioner>,
    caption: Option<&mut MaybeUninit<Option<Box<CssaCaption>>>>,
    image: impl FnOnce() -> Result<RgbImage>,
) -> CssaStatus {
    guarded(|| {
        let caption = place("caption", caption, None)?;
        let captioner = captioner.ok_or_else(|| null("captioner"))?;
        let image = image()?;
        // After a panic its state is nobody's any more.
        let said = "this captioner failed in an earlier call: close it and open another";
        let mut model = captioner.model.lock().map_err(|_| Failure { status: CssaStatus::Fault, said: said.into() })?;
        let made = model.caption(&image).map_err(Failure::of_captioning)?;
        *caption = Some(Box::new(CssaCaption::new(made, model.language())?));
        Ok(())
    })
}

fn open(place: PathBuf, opening: Opening) -> Result<CssaCaptioner> {
    let Opening { settings, beam, trust } = opening;
    let trusted = trust.as_deref().map(Trusted::read).transpose().map_err(Failure::of_bundle)?;
    let mut bundle = Bundle::read_trusted(&place, trusted.as_ref()).map_err(Failure::of_bundle)?;
    if let Some(beam) = beam {
        bundle.manifest.search = bundle.manifest.search.with_beam(beam);
    }
    if settings.looks > Looks::One && bundle.trust.is_none() {
        return Err(Failure::argument(format!(
            "options: looks is {}, expected 1: {} has no statistics to judge looks by (`exporter calibrate` adds them)",
            settings.looks,
            place.display()
        )));
    }
    let model = Captioner::open(&bundle, &settings).map_err(Failure::of_loading)?;
    let runtime = CString::new(model.at_work()).unwrap_or_default();
    Ok(CssaCaptioner { model: Mutex::new(model), runtime })
}
