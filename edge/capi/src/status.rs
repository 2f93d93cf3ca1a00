//! What a call gives: a code, and the text of what went wrong on this thread. Panics end here.

use cssa::errors::chain;
use cssa::files::FileError;
use cssa_captioner::{Error, Subject};
use cssa_wire::WireError;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString, c_char};
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

/// What became of a call. Later versions may add codes: whatever is not CSSA_STATUS_OK has done nothing.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CssaStatus {
    /// Done.
    Ok = 0,
    /// An argument is none that is allowed: NULL, a size, a number.
    Argument = 1,
    /// A file cannot be read: the system says no.
    File = 2,
    /// The bundle is damaged, or not signed as it should be.
    Bundle = 3,
    /// The runtime or the provider is not there.
    Runtime = 4,
    /// The image cannot be decoded.
    Image = 5,
    /// The model gave no caption that could be true.
    Model = 6,
    /// The caption fits no packet.
    Packet = 7,
    /// The buffer is too small: the length that is needed is told.
    Buffer = 8,
    /// It is not known: the bundle has no statistics for it.
    Unknown = 9,
    /// A fault of the library, please report it. The captioner in use is of no use any more.
    Fault = 10,
}

/// Why a call has done nothing.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: CssaStatus,
    pub(crate) said: String,
}

/// What the functions behind the interface give.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

const MISSING: &str =
    "ONNX Runtime is not found: name libonnxruntime.so in the options' onnxruntime or in ORT_DYLIB_PATH";

impl Failure {
    pub(crate) fn argument(said: impl Into<String>) -> Self {
        Self { status: CssaStatus::Argument, said: said.into() }
    }

    /// A bundle, or a file of it.
    pub(crate) fn of_bundle(error: FileError) -> Self {
        Self::of_file(error, CssaStatus::Bundle)
    }

    /// An image file.
    pub(crate) fn of_image(error: FileError) -> Self {
        Self::of_file(error, CssaStatus::Image)
    }

    fn of_file(error: FileError, content: CssaStatus) -> Self {
        let status = if let FileError::System { .. } = error { CssaStatus::File } else { content };
        Self { status, said: chain(&error) }
    }

    /// A bundle that does not load.
    pub(crate) fn of_loading(error: Error) -> Self {
        let (status, said) = match error {
            Error::RuntimeMissing => (CssaStatus::Runtime, MISSING.into()),
            Error::ProviderNeedsRuntime(provider) => {
                (CssaStatus::Runtime, format!("the provider {provider} needs ONNX Runtime: {MISSING}"))
            }
            Error::ProviderOfTract(provider) => (
                CssaStatus::Runtime,
                format!("the provider {provider}: tract has no providers, expected the runtime ort or auto"),
            ),
            error if error.subject() != Subject::Bundle => (CssaStatus::Runtime, chain(&error)),
            error => (CssaStatus::Bundle, chain(&error)),
        };
        Self { status, said }
    }

    /// An image that has no caption.
    pub(crate) fn of_captioning(error: Error) -> Self {
        Self { status: CssaStatus::Model, said: chain(&error) }
    }

    /// A caption that fits no packet.
    pub(crate) fn of_packing(error: WireError) -> Self {
        Self { status: CssaStatus::Packet, said: chain(&error) }
    }
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::default();
    static PANICKED_AT: Cell<Option<String>> = const { Cell::new(None) };
}

/// Runs what a function of the interface does: its failure, or its panic, becomes a code and this thread's text.
pub(crate) fn guarded(work: impl FnOnce() -> Result<()>) -> CssaStatus {
    quiet();
    let outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(fault(&*panic)));
    let (status, said) = match outcome {
        Ok(()) => (CssaStatus::Ok, String::new()),
        Err(failure) => (failure.status, failure.said.replace('\0', " ")),
    };
    LAST.try_with(|last| *last.borrow_mut() = CString::new(said).unwrap_or_default()).ok();
    status
}

/// Drops what C gives back, and leaves this thread's text: it is often read after that. A panic ends here.
pub(crate) fn dropped<T>(value: Option<T>) {
    quiet();
    catch_unwind(AssertUnwindSafe(|| drop(value))).ok();
}

/// This library's own hook, the process's other Rust libraries have theirs: a panic's place is remembered, and nothing is printed.
fn quiet() {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string);
            PANICKED_AT.try_with(|at| at.set(place)).ok();
        }));
    });
}

fn fault(panic: &(dyn Any + Send)) -> Failure {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("it does not say why");
    let place = PANICKED_AT.try_with(Cell::take).ok().flatten().unwrap_or_else(|| "somewhere".into());
    Failure { status: CssaStatus::Fault, said: format!("a fault of libcssa, please report it: {text} ({place})") }
}

/// What went wrong in this thread's last call that gave a CssaStatus, in one line of UTF-8; "" where nothing did. It stays until this
/// thread's next such call. Never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn cssa_last_error() -> *const c_char {
    LAST.try_with(|last| last.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}

/// The name of a code, such as "CSSA_STATUS_FILE"; "unknown" of others. Never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn cssa_status_name(status: i32) -> *const c_char {
    let name: &CStr = match status {
        0 => c"CSSA_STATUS_OK",
        1 => c"CSSA_STATUS_ARGUMENT",
        2 => c"CSSA_STATUS_FILE",
        3 => c"CSSA_STATUS_BUNDLE",
        4 => c"CSSA_STATUS_RUNTIME",
        5 => c"CSSA_STATUS_IMAGE",
        6 => c"CSSA_STATUS_MODEL",
        7 => c"CSSA_STATUS_PACKET",
        8 => c"CSSA_STATUS_BUFFER",
        9 => c"CSSA_STATUS_UNKNOWN",
        10 => c"CSSA_STATUS_FAULT",
        _ => c"unknown",
    };
    name.as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last() -> String {
        LAST.with(|last| last.borrow().to_string_lossy().into_owned())
    }

    #[test]
    fn a_panic_is_a_code_with_its_text_and_place() {
        let shapes = std::hint::black_box([5, 7]);
        let status = guarded(|| {
            let index = std::hint::black_box(9);
            Err(Failure::argument(shapes[index].to_string()))
        });
        assert_eq!(status, CssaStatus::Fault);
        let said = last();
        assert!(
            said.contains("index out of bounds: the len is 2 but the index is 9 (") && said.contains("status.rs:"),
            "{said}"
        );
        assert_eq!(guarded(|| std::panic::panic_any(7)), CssaStatus::Fault);
        assert!(last().contains("it does not say why"));
    }

    #[test]
    fn a_text_is_that_of_this_threads_last_call() {
        assert_eq!(guarded(|| Err(Failure::argument("threads\0is 65"))), CssaStatus::Argument);
        assert_eq!(last(), "threads is 65");
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(last(), ""));
        });
        assert_eq!(guarded(|| Ok(())), CssaStatus::Ok);
        assert_eq!(last(), "");
    }
}
