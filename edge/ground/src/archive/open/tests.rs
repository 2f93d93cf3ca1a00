use super::*;
use anyhow::{Context, Result, ensure};
use cssa_wire::{Caption, CaptionPacket, Position};
use std::process::Command;

fn packet(sequence: u32) -> CaptionPacket {
    let position = Position::new(48.25, 16.5);
    let caption = Caption { sequence, time: 1_763_928_001, position, text: "a bridge".into(), ..Caption::default() };
    CaptionPacket { vehicle: 12, bundle: 7, decimals: 5, captions: vec![caption] }
}

fn files(folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let entries: std::io::Result<Vec<_>> = std::fs::read_dir(folder)?.collect();
    let mut files: Vec<PathBuf> = entries?.into_iter().map(|entry| entry.path()).collect();
    files.sort();
    files.into_iter().map(|path| Ok((path.clone(), std::fs::read(path)?))).collect()
}

#[test]
fn a_copy_of_the_file_has_every_caption_while_it_is_written() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (path, copy) = (folder.path().join("captions.gpkg"), folder.path().join("copy.gpkg"));
    let mut archive = Archive::open(&path)?;
    for n in 1..40 {
        archive.keep("uav", &packet(n))?;
        std::fs::copy(&path, &copy)?;
        assert_eq!(Archive::read(&copy)?.captions(None)?.len(), n as usize);
    }
    Ok(())
}

#[test]
fn an_archive_with_a_log_beside_it_becomes_one_file() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (path, copy) = (folder.path().join("captions.gpkg"), folder.path().join("copy.gpkg"));
    Archive::open(&path)?.keep("uav", &packet(1))?;
    Connection::open(&path)?.pragma_update(None, "journal_mode", "WAL")?;
    // While another program has it open, it is read and written as it is.
    let other = Connection::open(&path)?;
    assert_eq!(journal_of(&other)?, "wal");
    other.query_row("SELECT count(*) FROM captions", [], |row| row.get::<_, i64>(0))?;
    assert_eq!(Archive::read(&path)?.captions(None)?.len(), 1);
    drop(other);
    let mut archive = Archive::open(&path)?;
    archive.keep("uav", &packet(2))?;
    std::fs::copy(&path, &copy)?;
    assert_eq!(Archive::read(&copy)?.captions(None)?.len(), 2);
    Ok(())
}

#[test]
fn reading_writes_nothing() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("captions #1?.gpkg");
    Archive::open(&path)?.keep("uav", &packet(1))?;
    for mode in ["delete", "wal"] {
        Connection::open(&path)?.pragma_update(None, "journal_mode", mode)?;
        let before = files(folder.path())?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444))?;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o555))?;
        let found = Archive::read(&path).and_then(|archive| archive.captions(Some("")));
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644))?;
        assert_eq!(found?.len(), 1, "{mode}");
        let after = files(folder.path())?;
        ensure!(mode == "wal" || after == before, "{mode}: something was written");
        ensure!(after[0] == before[0], "{mode}: the archive was written");
        // As where nothing can be written, which root always can.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let alone = Connection::open_with_flags(unchanging(&path), flags)?;
        assert_eq!(alone.query_row("SELECT count(*) FROM captions", [], |row| row.get::<_, i64>(0))?, 1);
    }
    Ok(())
}

#[test]
fn times_are_those_of_a_geopackage_and_there_are_two_layers() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("captions.gpkg");
    let mut archive = Archive::open(&path)?;
    archive.keep("uav", &packet(1))?;
    let asked = "SELECT time, received FROM captions";
    let times = archive.database.first(asked, &[], |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?)))?;
    let times = times.context("a caption")?;
    assert_eq!(times.0, "2025-11-23T20:00:01.000Z");
    assert!(times.1.len() == 24 && times.1.ends_with(".000Z"), "{times:?}");
    let Ok(listed) = Command::new("ogrinfo").arg("-so").arg("-q").arg(&path).output() else { return Ok(()) };
    let listed = String::from_utf8(listed.stdout)? + &String::from_utf8(listed.stderr)?;
    let layers: Vec<&str> = listed.lines().filter(|line| !line.trim().is_empty()).collect();
    ensure!(layers == ["1: captions (Point)", "2: footprints (Polygon)"], "{listed}");
    Ok(())
}

#[test]
fn other_files_and_folders_are_not_touched_and_said() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    Connection::open(at("other.db"))?.execute_batch("CREATE TABLE mine (x)")?;
    std::fs::write(at("notes.txt"), "notes, long enough to be no empty database ".repeat(40))?;
    std::fs::create_dir(at("folder"))?;
    for open in [Archive::open, Archive::read] {
        for (name, said) in [
            ("other.db", "other.db: is no archive of captions"),
            ("notes.txt", "notes.txt: "),
            ("folder", "folder: is a folder, expected a file"),
            ("no/captions.gpkg", "captions.gpkg: cannot be opened: No such file"),
        ] {
            let error = open(&at(name)).err().context(name)?.to_string();
            assert!(error.contains(said), "{error}");
        }
    }
    assert!(Archive::read(&at("new.gpkg")).is_err_and(|error| error.to_string().contains("No such file")));
    assert!(!at("new.gpkg").exists());
    Ok(())
}

/// Each of several programs that make an archive at once has it.
#[test]
fn an_archive_is_made_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for n in 0..8 {
        let path = folder.path().join(format!("{n}.gpkg"));
        let making: Vec<_> = (0..4)
            .map(|_| {
                let path = path.clone();
                std::thread::spawn(move || Archive::open(&path).map(drop).map_err(|error| error.to_string()))
            })
            .collect();
        for one in making {
            assert_eq!(one.join().ok(), Some(Ok(())), "{}", path.display());
        }
    }
    Ok(())
}
