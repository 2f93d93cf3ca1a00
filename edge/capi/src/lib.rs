//! The C library `libcssa`: the captioner and the packets of its captions, for C and what calls C. `include/cssa.h` is made of these
//! sources by cbindgen.
//!
//! | module | what |
//! |---|---|
//! | [`status`] | codes, the text of the last error, panics held back |
//! | `foreign` | bare pointers of C's, checked; most of what is `unsafe` |
//! | [`options`], [`captioner`] | open, caption, close |
//! | [`pixels`] | images in memory |
//! | [`caption`] | what a caption says |
//! | [`packet`] | a caption as bytes for the link |
//!
//! No panic leaves the library: each function that does more than read a field runs in `status::guarded`, which needs unwinding. Pointers to
//! one value are `Option<&T>`, `Option<Box<T>>` and `Option<&mut MaybeUninit<T>>` in the functions' signatures, which is what C's pointers are: NULL is
//! `None`.

#[cfg(not(panic = "unwind"))]
compile_error!("libcssa holds panics back, which takes panic = \"unwind\" in the profile");

pub mod caption;
pub mod captioner;
mod foreign;
pub mod options;
pub mod packet;
pub mod pixels;
pub mod status;
pub mod version;
