//! Folders that are watched, and folders that are gone through once.

use super::super::tests::{cutting, names};
use super::*;
use anyhow::Result;
use image::RgbImage;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::SystemTime;

fn of(path: &Path, watch: bool) -> Folder {
    Folder { path: path.into(), watch, after: After::Keep }
}

/// An image that was written long ago.
fn write(path: &Path) -> Result<()> {
    RgbImage::new(40, 40).save(path)?;
    age(path)
}

fn age(path: &Path) -> Result<()> {
    let old = SystemTime::now() - Duration::from_secs(60);
    Ok(File::options().write(true).open(path)?.set_modified(old)?)
}

/// The names that come within some seconds, up to the first.
fn soon(source: &mut FolderSource) -> Result<Vec<(String, bool)>> {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let found = names(source, &|_| false)?;
        if !found.is_empty() || Instant::now() > until {
            return Ok(found);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_folder_gives_each_file_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    RgbImage::from_pixel(600, 300, image::Rgb([9, 9, 9])).save(path("b.png"))?;
    std::fs::write(path("a.jpg"), b"\xff\xd8 cut off")?;
    std::fs::write(path(".hidden.png"), b"")?;
    std::fs::write(path("notes.txt"), b"")?;
    let cut = cutting(300);
    let mut source = FolderSource::new(of(folder.path(), true), cut);
    assert!(names(&mut source, &|_| false)?.is_empty(), "new files may still be written");
    age(&path("a.jpg"))?;
    age(&path("b.png"))?;
    let mut source = FolderSource::new(of(folder.path(), true), cut);
    let found = names(&mut source, &|_| false)?;
    assert_eq!(found, [("a.jpg".into(), false), ("b.png#0".into(), true), ("b.png#1".into(), true)]);
    assert!(names(&mut source, &|_| false)?.is_empty());
    let mut second = FolderSource::new(of(folder.path(), false), cut);
    let found = names(&mut second, &|key| key.contains("a.jpg") || key.ends_with("#0"))?;
    assert_eq!(found, [("b.png#1".into(), true)]);
    assert!(matches!(second.next(&|_: &str| true)?, Next::End));
    assert!(second.is_gone(&format!("{}|1|2", path("b.png").display())), "it is another file now");
    assert!(second.is_gone(&format!("{}|1|2", path("c.png").display())));
    Ok(())
}

/// A writer that pauses is waited for: what it has written so far is no image.
#[test]
fn a_file_is_whole_when_its_writer_is_done() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (other, path) = (tempfile::tempdir()?, folder.path().join("a.png"));
    write(&other.path().join("whole.png"))?;
    let bytes = std::fs::read(other.path().join("whole.png"))?;
    let mut source = FolderSource::new(of(folder.path(), true), cutting(0));
    assert!(names(&mut source, &|_| false)?.is_empty());
    let mut file = File::create(&path)?;
    file.write_all(&bytes[..bytes.len() / 2])?;
    std::thread::sleep(Duration::from_millis(2500));
    assert!(names(&mut source, &|_| false)?.is_empty(), "its writer has not closed it");
    // One that closes it and goes on.
    drop(file);
    std::thread::sleep(Duration::from_millis(100));
    assert!(names(&mut source, &|_| false)?.is_empty(), "it is cut off");
    std::thread::sleep(Duration::from_millis(2500));
    assert!(names(&mut source, &|_| false)?.is_empty(), "and more of it may come");
    File::options().append(true).open(&path)?.write_all(&bytes[bytes.len() / 2..])?;
    assert_eq!(soon(&mut source)?, [("a.png".into(), true)]);
    // A rename is all at once, and so is a new image under an old name.
    std::fs::rename(other.path().join("whole.png"), folder.path().join("a.png"))?;
    assert_eq!(soon(&mut source)?, [("a.png".into(), true)]);
    assert!(names(&mut source, &|_| false)?.is_empty());
    Ok(())
}

/// Without rights a file is no bad image: it is said, and captioned when it may be read.
#[test]
fn what_the_system_does_not_give_is_tried_again() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("a.png");
    // Who may read everything is refused by a link to itself.
    std::os::unix::fs::symlink(&path, &path)?;
    let list = folder.path().join("list.txt");
    std::fs::write(&list, "a.png\n")?;
    let mut listed = super::super::ListSource::read(&list, cutting(0))?;
    let Next::Unread(error) = listed.next(&|_: &str| false)? else { anyhow::bail!("nothing was said") };
    assert!(crate::error::chain(&error).contains("a.png: Too many levels"), "{error}");
    assert!(matches!(listed.next(&|_: &str| false)?, Next::Nothing), "not at once");
    std::fs::remove_file(&path)?;
    write(&path)?;
    std::thread::sleep(Duration::from_millis(1100));
    let Next::Frame(frame) = listed.next(&|_: &str| false)? else { anyhow::bail!("it is there by now") };
    assert!(frame.pixels.is_ok());
    assert!(matches!(listed.next(&|_: &str| false)?, Next::End));
    let mut source = FolderSource::new(of(folder.path(), true), cutting(0));
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o000))?;
    if File::open(&path).is_ok() {
        // Root may.
        return Ok(());
    }
    let Next::Unread(error) = source.next(&|_: &str| false)? else { anyhow::bail!("nothing was said") };
    assert!(error.to_string().contains("a.png"), "{error}");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600))?;
    assert_eq!(soon(&mut source)?, [("a.png".into(), true)]);
    Ok(())
}

/// Files are put away when their outcomes are on the disk, and those that were not read never.
#[test]
fn files_are_put_away_after_their_outcomes() -> Result<()> {
    struct Outcomes(std::cell::RefCell<(BTreeSet<String>, u32)>);
    impl Ledger for Outcomes {
        fn is_settled(&self, key: &str) -> bool {
            self.0.borrow().0.contains(key)
        }
        fn flush(&self) -> crate::error::Result<()> {
            self.0.borrow_mut().1 += 1;
            Ok(())
        }
    }
    let (folder, done) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("DCIM"))?;
    for after in [After::Move(done.path().into()), After::Delete] {
        write(&at("DCIM/a.png"))?;
        std::fs::write(at("bad.png"), "no image")?;
        age(&at("bad.png"))?;
        let outcomes = Outcomes(Default::default());
        let mut source = FolderSource::new(Folder { after: after.clone(), ..of(folder.path(), false) }, cutting(20));
        let mut given = Vec::new();
        while let Next::Frame(frame) = source.next(&outcomes)? {
            given.push(frame);
        }
        assert_eq!(given.len(), 5, "{given:?}");
        for frame in given.into_iter().filter(|frame| frame.pixels.is_ok()) {
            assert!(at("DCIM/a.png").exists() && matches!(source.next(&outcomes)?, Next::Nothing));
            outcomes.0.borrow_mut().0.extend(frame.key);
        }
        assert!(matches!(source.next(&outcomes)?, Next::End));
        assert_eq!((at("DCIM/a.png").exists(), at("bad.png").exists()), (false, true));
        assert_eq!(outcomes.0.borrow().1, 1, "on the disk first");
        assert_eq!(done.path().join("DCIM/a.png").exists(), matches!(after, After::Move(_)));
        std::fs::remove_dir_all(done.path().join("DCIM")).ok();
    }
    // What was settled when the program ended is put away by the next.
    write(&at("b.png"))?;
    let mut source = FolderSource::new(Folder { after: After::Delete, ..of(folder.path(), false) }, cutting(0));
    assert!(matches!(source.next(&|key: &str| !key.contains("bad.png") || key.ends_with('!'))?, Next::End));
    assert_eq!((at("b.png").exists(), at("bad.png").exists()), (false, true));
    Ok(())
}

/// What a source gives, settled under its key, and what a second one gives then.
fn twice(folder: &Path) -> Result<[Vec<String>; 2]> {
    let mut done = BTreeSet::new();
    let mut given = || -> Result<Vec<String>> {
        let mut source = FolderSource::new(of(folder, false), cutting(0));
        let mut names = Vec::new();
        while let Next::Frame(frame) = source.next(&|key: &str| done.contains(key))? {
            names.push(frame.name.rsplit('/').next().unwrap_or_default().to_owned());
            done.extend(frame.key);
        }
        // As at the start of `edge run`.
        done.retain(|key| !source.is_gone(key));
        Ok(names)
    };
    Ok([given()?, given()?])
}

#[test]
fn each_name_is_captioned_once_whatever_its_bytes() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let names: [&[u8]; 6] = [b"a.png", b"b|c.png", b"b|1|2.png", b"d\\x7c.png", b"\xfe.png", b"\xff.png"];
    let first = folder.path().join(OsStr::from_bytes(names[0]));
    RgbImage::new(40, 40).save(&first)?;
    let changed = first.metadata()?.modified()?;
    for name in &names[1..] {
        let path = folder.path().join(OsStr::from_bytes(name));
        std::fs::copy(&first, &path)?;
        // Of one size and one time: only their bytes differ.
        std::fs::File::options().write(true).open(&path)?.set_modified(changed)?;
    }
    let [once, again] = twice(folder.path())?;
    assert_eq!((once.len(), again), (names.len(), Vec::new()), "{once:?}");
    Ok(())
}

#[test]
fn what_an_earlier_program_settled_stays_settled() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("b|c.png");
    RgbImage::new(40, 40).save(&path)?;
    let metadata = path.metadata()?;
    let nanoseconds = metadata.modified()?.duration_since(SystemTime::UNIX_EPOCH)?.as_nanos();
    let earlier = format!("{}|{}|{nanoseconds}", path.display(), metadata.len());
    let watched = of(folder.path(), false);
    let mut source = FolderSource::new(watched, cutting(0));
    assert!(!source.is_gone(&earlier));
    assert!(names(&mut source, &|key| key == earlier)?.is_empty());
    Ok(())
}

#[test]
fn a_folder_that_is_not_there_is_said_once_and_waited_for() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("misspelt");
    let mut source = FolderSource::new(of(&path, true), cutting(0));
    for _ in 0..2 {
        let Next::Failed(error) = source.next(&|_: &str| false)? else { anyhow::bail!("nothing was said") };
        assert!(error.to_string().contains("misspelt"), "{error}");
        assert!(matches!(source.next(&|_: &str| false)?, Next::Nothing));
        std::fs::create_dir(&path)?;
        write(&path.join("a.png"))?;
        assert_eq!(names(&mut source, &|_| false)?, [("a.png".into(), true)]);
        std::fs::remove_dir_all(&path)?;
    }
    Ok(())
}

#[test]
fn the_folders_of_a_camera_are_descended() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    for name in ["DCIM/100MEDIA", "DCIM/101MEDIA", ".Trashes", "DCIM/.hidden"] {
        std::fs::create_dir_all(at(name))?;
        write(&at(name).join("DJI_0001.png"))?;
    }
    write(&at("z.png"))?;
    // Neither circles nor what would never answer.
    std::os::unix::fs::symlink("..", at("DCIM/circle"))?;
    std::os::unix::fs::symlink("101MEDIA", at("DCIM/102MEDIA"))?;
    std::os::unix::fs::symlink("nowhere", at("DCIM/dangling.jpg"))?;
    anyhow::ensure!(std::process::Command::new("mkfifo").arg(at("DCIM/pipe.jpg")).status()?.success());
    let _socket = std::os::unix::net::UnixListener::bind(at("DCIM/socket.jpg"))?;
    std::fs::create_dir(at("folder.jpg"))?;
    assert_eq!(twice(folder.path())?, [vec!["DJI_0001.png", "DJI_0001.png", "z.png"], vec![]]);
    // While it is watched, also in a folder that is new.
    let watched = of(folder.path(), true);
    let mut source = FolderSource::new(watched, cutting(0));
    assert_eq!(names(&mut source, &|_| false)?.len(), 3);
    std::fs::create_dir_all(at("DCIM/103MEDIA"))?;
    RgbImage::new(40, 40).save(at("DCIM/103MEDIA/new.png"))?;
    assert_eq!(soon(&mut source)?, [("new.png".into(), true)]);
    let file = of(&at("z.png"), true);
    assert!(FolderSource::new(file, cutting(0)).next(&|_: &str| false).is_err());
    Ok(())
}
