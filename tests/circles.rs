//! No circle between modules, nor between a crate's top-level modules and folders, as far as `use` lines and paths in the code say.

use anyhow::Result;
use cross_crate_tests::{module_graph::Crate, packages};

#[test]
fn no_crate_has_a_circle_of_modules_or_folders() -> Result<()> {
    let mut found = Vec::new();
    for package in packages()? {
        let source = package.folder.join("src");
        if source.is_dir() {
            let graph = Crate::read(&source)?;
            found.extend(graph.circles().into_iter().map(|circle| format!("{}: {circle}", package.name)));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
    Ok(())
}

/// Each form in which one module names another is seen.
#[test]
fn circles_are_found_however_modules_name_each_other() -> Result<()> {
    let circle = |files: &[(&str, &str)]| -> Result<Vec<String>> {
        let folder = tempfile::tempdir()?;
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap_or(folder.path()))?;
            std::fs::write(path, text)?;
        }
        Ok(Crate::read(folder.path())?.circles())
    };
    let lib = ("lib.rs", "mod a;\nmod b;\npub use b::B;\n");
    assert_eq!(circle(&[lib, ("a.rs", "use crate::b::B;"), ("b.rs", "pub struct B;")])?, Vec::<String>::new());
    for named in ["use super::a::A;", "use crate::{a::{self, A}};", "fn f() { crate::a::g() }"] {
        assert_eq!(circle(&[lib, ("a.rs", "use crate::B;"), ("b.rs", named)])?, ["modules a, b"], "{named}");
    }
    let tested = "#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n";
    assert_eq!(circle(&[lib, ("a.rs", "use crate::b::B;"), ("b.rs", tested)])?, Vec::<String>::new());
    let parent = ("lib.rs", "mod a;\npub struct Held(a::A);\nuse a::A;\n");
    assert_eq!(circle(&[parent, ("a.rs", "use super::Held;")])?, ["modules the root, a"]);
    let folders = [
        ("lib.rs", "mod x;\nmod y;\n"),
        ("x/mod.rs", "mod one;\nmod two;\n"),
        ("x/one.rs", "use crate::y::three::T;"),
        ("x/two.rs", ""),
        ("y/mod.rs", "pub mod three;\npub mod four;\n"),
        ("y/three.rs", "pub struct T;"),
        ("y/four.rs", "use crate::x::two::U;"),
    ];
    assert_eq!(circle(&folders)?, ["folders x, y"]);
    Ok(())
}
