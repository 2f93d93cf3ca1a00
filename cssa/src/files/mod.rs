//! Files that appear complete or not at all, and errors that name them: any file ([`write()`], [`NewFolder`]), and TOML ([`read_toml`]).

mod toml_text;
mod whole;

pub use toml_text::{parse_toml, read_toml};
pub use whole::{
    FileError, NewFolder, check_is_other, check_writable, create_folder, part_folder, read, read_text,
    remove_leftovers, rename, resolved, sync_folder, sync_folder_of, write, write_with,
};
