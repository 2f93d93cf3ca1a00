//! Which library this is.

use std::ffi::c_char;

/// Number of the interface, and of the library's name libcssa.so.0: another number is another interface.
pub const CSSA_ABI_VERSION: u32 = 0;

/// The interface of the library at hand, to compare with CSSA_ABI_VERSION, which is that of this header.
#[unsafe(no_mangle)]
pub extern "C" fn cssa_abi_version() -> u32 {
    CSSA_ABI_VERSION
}

/// The version of the library, such as "0.1.0".
#[unsafe(no_mangle)]
pub extern "C" fn cssa_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
