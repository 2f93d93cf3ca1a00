//! What C passes as bare pointers, checked: texts, bytes, structs that know their size. Pointers to one value are `Option<&T>` and
//! `Option<Box<T>>` in the functions' own signatures: NULL is `None`.
//!
//! All functions here that are `unsafe` ask the same: that what C passes is what `cssa.h` says of it.

use crate::status::{CssaStatus, Failure, Result};
use std::ffi::{CStr, OsStr, c_char};
use std::mem::{MaybeUninit, size_of};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr;

/// Largest struct of any version.
const MAX_SIZE: usize = 4096;

/// A struct of C's whose first field is its size in bytes.
///
/// # Safety
/// The type is `repr(C)`, begins with a `usize`, has no padding, and every pattern of bits is a value of it.
pub(crate) unsafe trait SizedStruct: Copy {
    /// What error texts call it.
    const NAME: &'static str;
    /// Its size in the first version of the interface: what every program has at least.
    const FIRST: usize;
}

/// A struct that the program may know larger or smaller than this library; what the program does not know is zero. `None` is NULL.
///
/// # Safety
/// The pointer is NULL or that of a struct whose first field is its size, all set.
pub(crate) unsafe fn sized<T: SizedStruct>(pointer: *const T) -> Result<Option<T>> {
    // SAFETY: NULL, or a struct that begins with its size, by this function's contract.
    let Some(found) = (unsafe { pointer.cast::<usize>().as_ref() }).copied() else { return Ok(None) };
    let wrong = |expected: String| Failure::argument(format!("{}: size is {found}, expected {expected}", T::NAME));
    if !(T::FIRST..=MAX_SIZE).contains(&found) {
        return Err(wrong(format!("its sizeof, {} or more", T::FIRST)));
    }
    // SAFETY: the struct has so many bytes, all set, by this function's contract.
    let bytes = unsafe { std::slice::from_raw_parts(pointer.cast::<u8>(), found) };
    let known = found.min(size_of::<T>());
    if bytes[known..].iter().any(|byte| *byte != 0) {
        return Err(wrong(format!(
            "{}, or zeros behind: it has a field that only a later libcssa knows",
            size_of::<T>()
        )));
    }
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: both have so many bytes, and one is this function's own.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), value.as_mut_ptr().cast(), known) };
    // SAFETY: every pattern of bits is a value, by the trait's contract, and all are set.
    Ok(Some(unsafe { value.assume_init() }))
}

/// The bytes of an array.
///
/// # Safety
/// The pointer is NULL or that of so many bytes, which nobody writes while they are used.
pub(crate) unsafe fn bytes<'a>(name: &str, pointer: *const u8, length: usize) -> Result<&'a [u8]> {
    if pointer.is_null() {
        return Err(null(name));
    }
    if length == 0 || isize::try_from(length).is_err() {
        return Err(Failure::argument(format!(
            "{name} has {length} bytes, expected 1 or more, as many as a memory holds"
        )));
    }
    // SAFETY: it is not NULL, and has so many bytes by this function's contract.
    Ok(unsafe { std::slice::from_raw_parts(pointer, length) })
}

/// A text that ends with a zero; `None` is NULL.
///
/// # Safety
/// The pointer is NULL or that of a text that ends with a zero, which nobody writes while it is used.
pub(crate) unsafe fn text<'a>(pointer: *const c_char) -> Option<&'a CStr> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: it is not NULL, and ends with a zero by this function's contract.
    Some(unsafe { CStr::from_ptr(pointer) })
}

/// A path, as [`text`].
///
/// # Safety
/// As [`text`].
pub(crate) unsafe fn path(pointer: *const c_char) -> Option<PathBuf> {
    // SAFETY: the same contract.
    unsafe { text(pointer) }.map(|text| OsStr::from_bytes(text.to_bytes()).into())
}

/// Copies bytes into the caller's buffer of `capacity` bytes, or nothing where it is too small.
///
/// # Safety
/// The buffer is NULL or has room for `capacity` bytes, which nobody else uses meanwhile.
pub(crate) unsafe fn fill(buffer: *mut u8, capacity: usize, content: &[u8]) -> Result<()> {
    let needed = content.len();
    if capacity < needed {
        let said = format!("the buffer has {capacity} bytes, expected {needed} or more");
        return Err(Failure { status: CssaStatus::Buffer, said });
    }
    if buffer.is_null() {
        return Err(null("buffer"));
    }
    // SAFETY: it is not NULL, and has as many bytes or more by this function's contract; `content` is this library's own.
    unsafe { ptr::copy_nonoverlapping(content.as_ptr(), buffer, needed) };
    Ok(())
}

/// Where a function's result goes: set to `empty` at once, so that no failure leaves what stood there.
pub(crate) fn place<'a, T>(name: &str, place: Option<&'a mut MaybeUninit<T>>, empty: T) -> Result<&'a mut T> {
    Ok(place.ok_or_else(|| null(name))?.write(empty))
}

/// What NULL is where it is not allowed.
pub(crate) fn null(name: &str) -> Failure {
    Failure::argument(format!("{name} is NULL"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The interface's first version, and one that knows more.
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Struct {
        size: usize,
        values: [usize; 3],
    }

    // SAFETY: repr(C), its size first, numbers.
    unsafe impl SizedStruct for Struct {
        const NAME: &'static str = "struct";
        const FIRST: usize = 2 * size_of::<usize>();
    }

    fn read(fields: &[usize]) -> Result<Option<[usize; 3]>, String> {
        // SAFETY: the first of the fields says as many bytes as they have, or fewer.
        let found = unsafe { sized(fields.as_ptr().cast::<Struct>()) };
        found.map(|found| found.map(|found| found.values)).map_err(|failure| failure.said)
    }

    #[test]
    fn a_program_may_know_fewer_fields_or_more() {
        const WORD: usize = size_of::<usize>();
        assert_eq!(read(&[2 * WORD, 7]), Ok(Some([7, 0, 0])));
        assert_eq!(read(&[4 * WORD, 7, 8, 9]), Ok(Some([7, 8, 9])));
        assert_eq!(read(&[6 * WORD, 7, 8, 9, 0, 0]), Ok(Some([7, 8, 9])));
        assert!(read(&[6 * WORD, 7, 8, 9, 0, 1]).is_err_and(|said| said.contains("a later libcssa")));
        for size in [0, WORD, 2 * WORD - 1, MAX_SIZE + 1, usize::MAX] {
            assert!(read(&[size, 7]).is_err(), "{size}");
        }
    }
}
