//! A decoder that panics refuses its image, and ends nothing else.

use crate::error::DecodeError;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a decoder gives; its panic as an error. What it worked on is not used any more then.
pub(crate) fn caught<T>(decode: impl FnOnce() -> Result<T, DecodeError>) -> Result<T, DecodeError> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|panic| Err(DecodeError::Panicked(message(&*panic))))
}

/// What a panic says.
pub(crate) fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it does not say why").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_message() {
        for (index, expected) in [(1, Ok(7)), (9, Err("index out of bounds: the len is 2 but the index is 9"))] {
            let found = caught(|| Ok(std::hint::black_box([5, 7])[std::hint::black_box(index)]));
            let found = found.map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(|said| format!("the decoder failed: {said}")));
        }
        let found = caught(|| -> Result<(), _> { std::panic::panic_any(7) });
        assert!(found.is_err_and(|error| error.to_string().ends_with("it does not say why")));
    }
}
