//! What a caption says, and how far it can be believed.

use crate::foreign::{null, place};
use crate::status::{CssaStatus, Failure, Result, dropped, guarded};
use cssa::bundle::Language;
use cssa::trust::Reason;
use cssa_captioner::Caption;
use std::ffi::{CStr, CString, c_char};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Arc;

/// What an image shows. It is made by cssa_caption_pixels(), cssa_caption_encoded() or cssa_caption_file(), never changes, and is ended by
/// cssa_caption_free().
pub struct CssaCaption {
    pub(crate) made: Caption,
    pub(crate) language: Arc<Language>,
    text: CString,
}

/// Whether an image is outside of what the model knows, and why: the words of one that is are not to be believed.
#[repr(i32)]
#[derive(Clone, Copy, Debug)]
pub enum CssaOutside {
    /// The bundle cannot tell: it has no statistics.
    Unknown = -1,
    /// It is not.
    No = 0,
    /// It is like nothing that the model has learned from.
    Unfamiliar = 1,
    /// One colour.
    Blank = 2,
    /// Nearly all of it is black.
    Dark = 3,
    /// Nearly all of it is at the upper end of the scale.
    Overexposed = 4,
    /// Out of focus.
    Defocused = 5,
    /// Smeared by motion.
    Smeared = 6,
    /// More noise than picture.
    Noisy = 7,
    /// Without contrast: fog, cloud.
    Foggy = 8,
}

impl CssaCaption {
    pub(crate) fn new(made: Caption, language: Arc<Language>) -> Result<Self> {
        let odd = |_| Failure { status: CssaStatus::Model, said: "a word of the caption has a zero byte".into() };
        let text = CString::new(made.text.as_str()).map_err(odd)?;
        Ok(Self { made, language, text })
    }
}

/// The words, UTF-8; NULL where `caption` is NULL. They stay as long as the caption.
#[unsafe(no_mangle)]
pub extern "C" fn cssa_caption_text(caption: Option<&CssaCaption>) -> *const c_char {
    caption.map_or(ptr::null(), |caption| caption.text.as_ptr())
}

/// Puts the probability, 0 to 1, that the caption names nothing that is not there into `*confidence`. Where the bundle has no statistics
/// for it, it is NaN, which no comparison takes for high or low, and the code CSSA_STATUS_UNKNOWN.
#[unsafe(no_mangle)]
pub extern "C" fn cssa_caption_confidence(
    caption: Option<&CssaCaption>,
    confidence: Option<&mut MaybeUninit<f64>>,
) -> CssaStatus {
    known(caption, ("confidence", confidence), |made| {
        made.confidence.map(|confidence| f64::from(confidence.thousandths()) / 1000.0)
    })
}

/// Puts the share of held-out images that are less like those that the model has learned from than this one, 0 to 1, into
/// `*familiarity`; NaN and CSSA_STATUS_UNKNOWN without statistics.
#[unsafe(no_mangle)]
pub extern "C" fn cssa_caption_familiarity(
    caption: Option<&CssaCaption>,
    familiarity: Option<&mut MaybeUninit<f64>>,
) -> CssaStatus {
    known(caption, ("familiarity", familiarity), |made| made.familiarity.map(f64::from))
}

/// The plainest reason why the image is outside of what the model knows; CSSA_OUTSIDE_UNKNOWN where `caption` is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn cssa_caption_outside(caption: Option<&CssaCaption>) -> CssaOutside {
    match caption {
        Some(CssaCaption { made: Caption { familiarity: Some(_), reasons, .. }, .. }) => {
            reasons.first().map_or(CssaOutside::No, |reason| outside(*reason))
        }
        _ => CssaOutside::Unknown,
    }
}

/// All reasons why the image is outside, one bit each: 1 << CSSA_OUTSIDE_DARK and so on; 0 where there is none or it is not known.
#[unsafe(no_mangle)]
pub extern "C" fn cssa_caption_reasons(caption: Option<&CssaCaption>) -> u32 {
    let bits =
        |caption: &CssaCaption| caption.made.reasons.iter().fold(0, |bits, reason| bits | 1 << outside(*reason) as u32);
    caption.map_or(0, bits)
}

/// The name of a CssaOutside, such as "dark"; "unknown" and "no" of those that are no reason, "unknown" of other numbers. Never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn cssa_outside_name(outside: i32) -> *const c_char {
    let name: &CStr = match outside {
        0 => c"no",
        1 => c"unfamiliar",
        2 => c"blank",
        3 => c"dark",
        4 => c"overexposed",
        5 => c"defocused",
        6 => c"smeared",
        7 => c"noisy",
        8 => c"foggy",
        _ => c"unknown",
    };
    name.as_ptr()
}

/// Milliseconds in the model: preprocessing, encoder, search, judgement, without decoding a file; NaN where `caption` is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn cssa_caption_milliseconds(caption: Option<&CssaCaption>) -> f64 {
    let took = |Caption { preprocessing, encoder, decoder, judgement, .. }: &Caption| {
        *preprocessing + *encoder + *decoder + *judgement
    };
    caption.map_or(f64::NAN, |caption| took(&caption.made).as_secs_f64() * 1e3)
}

/// Ends a caption and sets `*caption` to NULL; does nothing where that, or `caption`, is NULL. A copy of the pointer, and its text, must
/// not be used any more.
#[unsafe(no_mangle)]
pub extern "C" fn cssa_caption_free(caption: Option<&mut Option<Box<CssaCaption>>>) {
    dropped(caption.and_then(Option::take));
}

fn known(
    caption: Option<&CssaCaption>,
    (name, value): (&str, Option<&mut MaybeUninit<f64>>),
    of: impl FnOnce(&Caption) -> Option<f64>,
) -> CssaStatus {
    guarded(|| {
        let value = place(name, value, f64::NAN)?;
        let found = of(&caption.ok_or_else(|| null("caption"))?.made);
        let said = || format!("the bundle has no statistics for {name} (`exporter calibrate` adds them)");
        *value = found.ok_or_else(|| Failure { status: CssaStatus::Unknown, said: said() })?;
        Ok(())
    })
}

fn outside(reason: Reason) -> CssaOutside {
    match reason {
        Reason::Unfamiliar => CssaOutside::Unfamiliar,
        Reason::Blank => CssaOutside::Blank,
        Reason::Dark => CssaOutside::Dark,
        Reason::Overexposed => CssaOutside::Overexposed,
        Reason::Defocused => CssaOutside::Defocused,
        Reason::Smeared => CssaOutside::Smeared,
        Reason::Noisy => CssaOutside::Noisy,
        Reason::Foggy => CssaOutside::Foggy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_their_names() {
        for reason in Reason::ALL {
            let shown = cssa_outside_name(outside(reason) as i32);
            // SAFETY: a text that ends with a zero, as the function says.
            let shown = unsafe { CStr::from_ptr(shown) };
            assert_eq!(shown.to_str(), Ok(reason.name()));
        }
    }
}
