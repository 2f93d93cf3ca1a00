//! The symbols of a message of captions: one description for writing and reading, of this version and of the one before.

use crate::caption::{Caption, of_step, step_of};
use crate::coder::{Coder, Decoder, Encoder};
use crate::error::{WireError, bounded};
use crate::limits::{MAX_CAPTIONS, MAX_DECIMALS, MAX_PRIORITY, MAX_STEP};
use crate::symbols::{ANY, FEW, SMALL, number, place, signed};
use crate::text;
use alloc::vec::Vec;
use cssa::language_model::LanguageModel;
use cssa::trust::{Confidence, Reason};

/// How far a caption can be believed, which is where the versions differ.
pub(crate) type Trust = (Option<Confidence>, Option<Reason>);

/// The message of captions; refuses what no message holds.
pub(crate) fn encode(model: &LanguageModel, decimals: u8, captions: &[Caption]) -> Result<Vec<u8>, WireError> {
    check(decimals, captions)?;
    let mut coder = Encoder::new();
    code(&mut coder, model, decimals, captions, &mut |coder, n| trust(coder, captions.get(n)))?;
    Ok(coder.finish())
}

/// The decimals and captions of a message, which gives exactly these bytes when it is written again.
pub(crate) fn decode(message: &[u8], model: &LanguageModel) -> Result<(u8, Vec<Caption>), WireError> {
    let mut coder = Decoder::new(message);
    let (decimals, captions) = code(&mut coder, model, 0, &[], &mut |coder, _| trust(coder, None))?;
    if encode(model, decimals, &captions)? != message {
        return Err(WireError::Malformed);
    }
    Ok((decimals, captions))
}

/// Refuses what no message holds.
pub(crate) fn check(decimals: u8, captions: &[Caption]) -> Result<(), WireError> {
    if !(1..=MAX_CAPTIONS).contains(&captions.len()) {
        return Err(WireError::Captions { found: captions.len() });
    }
    bounded("decimals", decimals, "0 to 7", decimals <= MAX_DECIMALS)?;
    captions
        .iter()
        .try_for_each(|caption| bounded("priority", caption.priority, "0 to 3", caption.priority <= MAX_PRIORITY))
}

/// A caption's confidence and whether its image is outside.
fn trust<C: Coder>(coder: &mut C, given: Option<&Caption>) -> Trust {
    let (confidence, outside) = given.map_or((None, None), |given| (given.confidence, given.outside));
    let is_none = coder.choose(&[63, 1], usize::from(confidence.is_none())) == 1;
    let confidence = (!is_none).then(|| {
        let step = confidence.map_or(0, step_of);
        of_step(coder.uniform(u32::from(MAX_STEP) + 1, u32::from(step)) as u8)
    });
    let is_outside = coder.choose(&[31, 1], usize::from(outside.is_some())) == 1;
    let outside = is_outside.then(|| {
        let code = outside.map_or(0, Reason::code);
        coder.uniform(Reason::ALL.len() as u32, u32::from(code)) as u8
    });
    (confidence, outside.and_then(Reason::of_code))
}

/// Writes captions, or reads a message's decimals and captions; `trust` does so with what the versions say of the nth one's.
pub(crate) fn code<C: Coder>(
    coder: &mut C,
    model: &LanguageModel,
    decimals: u8,
    captions: &[Caption],
    trust: &mut dyn FnMut(&mut C, usize) -> Trust,
) -> Result<(u8, Vec<Caption>), WireError> {
    let count = number(coder, &FEW, (captions.len() as u64).saturating_sub(1)) as usize;
    if count >= MAX_CAPTIONS {
        return Err(WireError::Malformed);
    }
    let decimals = coder.uniform(8, u32::from(decimals)) as u8;
    let nothing = Caption::default();
    let mut found: Vec<Caption> = Vec::new();
    let mut last_place = None;
    for n in 0..=count {
        let given = captions.get(n).unwrap_or(&nothing);
        let before = found.last();
        let sequence = match before {
            None => number(coder, &ANY, u64::from(given.sequence)) as u32,
            Some(before) => {
                let step = given.sequence.wrapping_sub(before.sequence).wrapping_sub(1);
                before.sequence.wrapping_add(number(coder, &SMALL, u64::from(step)) as u32).wrapping_add(1)
            }
        };
        let time = match before {
            None => {
                let high = coder.uniform(1 << 16, given.time >> 16);
                high << 16 | coder.uniform(1 << 16, given.time & 0xffff)
            }
            Some(before) => {
                let step = signed(coder, i64::from(given.time) - i64::from(before.time));
                u32::try_from(i64::from(before.time) + step).map_err(|_| WireError::Malformed)?
            }
        };
        let has_place = match before {
            None => coder.choose(&[1, 1], usize::from(given.position.is_some())) == 1,
            Some(before) => {
                let differs = usize::from(before.position.is_some() != given.position.is_some());
                (coder.choose(&[15, 1], differs) == 1) != before.position.is_some()
            }
        };
        let position = has_place.then(|| place(coder, decimals, given.position, &mut last_place)).transpose()?;
        let (confidence, outside) = trust(coder, n);
        let priority = coder.choose(&[60, 2, 1, 1], usize::from(given.priority)) as u8;
        let repeat = coder.choose(&[15, 1], usize::from(given.repeat)) == 1;
        let text = text::code(coder, model, &given.text)?;
        found.push(Caption { sequence, time, position, confidence, outside, priority, repeat, text });
    }
    Ok((decimals, found))
}
