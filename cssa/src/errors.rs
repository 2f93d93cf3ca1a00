//! What the error types of all crates have in common: they say what a source of theirs says once, and refuse what is no number.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::error::Error;

/// An error with all its sources, in one line: `edge.toml: link.sends is 0, expected 1 or more`.
///
/// Errors of this project leave out their [source's](Error::source) text. Others' may end with it: it is said once all the same.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    for text in core::iter::successors(Some(error), |&error| error.source()).map(ToString::to_string) {
        if texts.last().is_none_or(|last| !last.ends_with(&text)) {
            texts.push(text);
        }
    }
    texts.join(": ")
}

/// Gives an error back where a condition does not hold. A comparison with NaN does not hold.
///
/// ```
/// fn root(of: f64) -> Result<f64, &'static str> {
///     cssa::ensure!(of >= 0.0, "expected 0 or more");
///     Ok(of.sqrt())
/// }
/// assert_eq!(root(4.0), Ok(2.0));
/// assert!(root(f64::NAN).is_err());
/// ```
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $error:expr) => {
        match $condition {
            true => {}
            false => return Err($error),
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt;

    #[derive(Debug)]
    struct Because(&'static str, Option<&'static Because>);

    impl fmt::Display for Because {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Because {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.map(|cause| cause as _)
        }
    }

    #[test]
    fn a_chain_says_every_reason_once() {
        assert_eq!(chain(&Because("edge.toml", Some(&Because("line 3", None)))), "edge.toml: line 3");
        let tiff = Because("no TIFF: no signature", Some(&Because("no signature", None)));
        assert_eq!(chain(&tiff), "no TIFF: no signature", "a text that ends with its source's");
    }
}
