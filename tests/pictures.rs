//! Pictures from a vehicle to a page in a real browser, with the real programs.

#![expect(clippy::print_stderr, reason = "a test says when it is skipped")]

use anyhow::{Context, Result, ensure};
use cross_crate_tests::chromium::{self, Page};
use cross_crate_tests::{fail, program, succeed};
use cssa_wire::Ask;
use edge::pictures::{Pictures, PicturesConfig};
use ground::archive::{Archive, Archived};
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// So long the programs may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A vehicle, its ground, and what they have in common.
struct World {
    folder: tempfile::TempDir,
    programs: Vec<Child>,
}

impl World {
    fn start() -> Result<Self> {
        let mut world = Self { folder: tempfile::tempdir()?, programs: Vec::new() };
        std::fs::create_dir(world.path("frames"))?;
        succeed("ground", ["key".as_ref(), world.path("key").as_os_str()])?;
        let port = fixtures::free_address()?;
        let [state, frames, key] = ["state", "frames", "key"].map(|name| world.path(name));
        let text = format!(
            "state = {state:?}\n[model]\nlooks = 1\n[policy]\noutside = \"flag\"\n[source]\nkind = \"folder\"\npath = {frames:?}\n\
             watch = true\n[link]\nto = \"udp:{port}\"\nkey = {key:?}\nvehicle = 12\nresend_seconds = 0.5\n"
        );
        std::fs::write(world.path("edge.toml"), text)?;
        let mut ground = program("ground")?;
        ground.arg("receive").arg("--from").arg(format!("udp:{port}")).arg("--key").arg(world.path("key"));
        world.run(ground.arg("--archive").arg(world.archive()))?;
        let mut edge = program("edge")?;
        world.run(edge.args(["run", "--config"]).arg(world.path("edge.toml")))?;
        Ok(world)
    }

    fn run(&mut self, program: &mut Command) -> Result<()> {
        self.programs.push(program.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn archive(&self) -> PathBuf {
        self.path("captions.gpkg")
    }

    /// The captions, once there are so many.
    fn captions(&self, count: usize) -> Result<Vec<Archived>> {
        let until = Instant::now() + PATIENCE;
        loop {
            let captions = Archive::open(&self.archive())?.captions(None)?;
            if captions.len() >= count {
                return Ok(captions);
            }
            ensure!(Instant::now() < until, "{} of {count} captions", captions.len());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The arguments that ask for the picture of a caption.
    fn ask(&self, caption: u32, more: &[&str]) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["ask".into(), "--archive".into(), self.archive().into()];
        arguments.extend([
            "--caption".into(),
            caption.to_string().into(),
            "--out".into(),
            self.path("out.webp").into(),
        ]);
        arguments.extend(more.iter().map(OsString::from));
        arguments
    }

    /// What is kept aboard.
    fn kept(&self, caption: u32, pixels: u16, crop: Option<[u16; 4]>) -> Result<Vec<u8>> {
        let mut pictures = Pictures::of(&self.path("state"), &PicturesConfig::default());
        let made = pictures.make(&Ask { ask: 1, caption, pixels, crop })?;
        Ok(made.ok().context("it is not kept")?.bytes)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for program in &mut self.programs {
            program.kill().ok();
            program.wait().ok();
        }
    }
}

fn put(world: &World, image: &Path, name: &str) -> Result<()> {
    std::fs::copy(image, world.path("part"))?;
    Ok(std::fs::rename(world.path("part"), world.path("frames").join(name))?)
}

/// Asked for by the program, and by a click beside its caption; what is not kept is said, and what came is what was kept.
#[test]
fn a_picture_is_asked_for_and_comes() -> Result<()> {
    let world = World::start()?;
    let cap = world.path("cap.png");
    // A lens cap, which is outside of what the model knows: flagged, so that its frame is kept whole.
    image::RgbImage::from_pixel(1200, 900, image::Rgb([3, 3, 4])).save(&cap)?;
    put(&world, &fixtures::scenes().join("images/scene_00001.jpg"), "a.jpg")?;
    world.captions(1)?;
    put(&world, &cap, "b.png")?;
    let captions = world.captions(2)?;
    let of = |is_flagged: bool| captions.iter().find(|caption| caption.outside.is_some() == is_flagged);
    let (scene, flagged) = (of(false).context("a scene")?.sequence, of(true).context("a flagged one")?.sequence);
    let out = world.path("out.webp");
    succeed("ground", world.ask(scene, &[]))?;
    assert_eq!(std::fs::read(&out)?, world.kept(scene, 160, None)?);
    succeed("ground", world.ask(flagged, &["--pixels", "640", "--crop", "100,200,900,500"]))?;
    assert_eq!(std::fs::read(&out)?, world.kept(flagged, 640, Some([100, 200, 900, 500]))?);
    let refused = fail("ground", world.ask(scene, &["--pixels", "640"]))?;
    assert!(refused.contains("not kept: only its small picture is, of 160 pixels"), "{refused}");
    let outside = fail("ground", world.ask(flagged, &["--crop", "1200,0,9,9"]))?;
    assert!(outside.contains("refused: the crop lies outside of the frame, 1200 x 900"), "{outside}");
    let absent = fail("ground", world.ask(99, &[]))?;
    assert!(absent.contains("has no caption 99 of vehicle 12"), "{absent}");
    let list = succeed("ground", ["ask", "--list", "--archive", &world.archive().display().to_string()])?;
    assert!(list.lines().count() == 4 && list.contains("of the frame of 1200 x 900"), "{list}");
    let forget =
        ["command", "--archive", &world.archive().display().to_string(), "forget-pictures"].map(OsString::from);
    let Some(chromium) = chromium::installed() else {
        eprintln!("skipped: no Chromium is here");
        return Ok(());
    };
    let mut map = program("ground")?;
    map.args(["map", "--listen", "127.0.0.1:0", "--archive"]).arg(world.archive()).stdout(Stdio::piped());
    let mut map = map.spawn()?;
    let looked = look(&mut map, &chromium, &forget);
    map.kill()?;
    map.wait()?;
    looked
}

fn look(map: &mut Child, chromium: &Path, forget: &[OsString]) -> Result<()> {
    let mut address = String::new();
    BufReader::new(map.stdout.take().context("output")?).read_line(&mut address)?;
    let page = &mut Page::open(chromium, address.trim())?;
    page.wait_for("document.querySelectorAll('#list button').length === 2")?;
    let choose = |which: &str| format!("document.querySelector('#list button{which}').click()");
    page.evaluate(&choose(":not(.outside)"))?;
    let shown =
        "[...document.querySelectorAll('.picture img')].some((image) => image.complete && image.naturalWidth === 160)";
    page.wait_for(shown)?;
    // Of the flagged one only a crop was asked for; now the whole, which comes while the page is looked at.
    page.evaluate(&choose(".outside"))?;
    page.wait_for("document.querySelector('.picture button[value=\"160\"]') !== null")?;
    page.evaluate("document.querySelector('.picture button[value=\"160\"]').click()")?;
    page.wait_for(shown)?;
    // What is forgotten aboard does not come any more.
    succeed("ground", forget)?;
    let text = "document.querySelector('.picture').innerText";
    page.evaluate(&choose(":not(.outside)"))?;
    page.wait_for(&format!("{text}.includes('picture of 640 pixels: not kept')"))?;
    let without = address.trim().split('#').next().context("an address")?;
    let page = &mut Page::open(chromium, without)?;
    page.wait_for("document.querySelectorAll('#list button').length === 2")?;
    page.evaluate(&choose(":not(.outside)"))?;
    page.wait_for(shown)?;
    page.wait_for("document.querySelectorAll('.picture button').length === 0")
}

/// Wherever the program is killed: a caption that it has queued has its picture, since the ground may ask for it.
#[test]
fn what_is_queued_has_its_picture() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let [state, list, key, config] = ["state", "list.txt", "key", "edge.toml"].map(|name| folder.path().join(name));
    succeed("ground", ["key".as_ref(), key.as_os_str()])?;
    let images = cssa_image::images(&[fixtures::scenes()])?;
    let names: Vec<String> = (0..400).map(|n| images[n % images.len()].display().to_string()).collect();
    std::fs::write(&list, names.join("\n"))?;
    std::fs::write(
        &config,
        format!(
            "state = {state:?}\n[model]\nlooks = 1\nthreads = 1\n[policy]\noutside = \"send\"\n[source]\nkind = \"list\"\n\
             path = {list:?}\n[link]\nto = \"udp:{}\"\nkey = {key:?}\n[health]\nself_test = false\n",
            fixtures::free_address()?
        ),
    )?;
    let mut queued = 0;
    for kill in 0..12 {
        let mut run = program("edge")?;
        let mut run = run.args(["run", "--config"]).arg(&config).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        std::thread::sleep(Duration::from_millis(700 + 37 * kill));
        run.kill()?;
        run.wait()?;
        let store = edge::store::Store::open(&state, 1 << 20)?;
        queued = store.next_number()?;
        let mut pictures = Pictures::of(&state, &PicturesConfig::default());
        for caption in 0..queued {
            let ask = Ask { ask: 0, caption, pixels: 160, crop: None };
            ensure!(pictures.source(&ask)?.is_ok(), "caption {caption} of {queued} has no picture");
        }
    }
    ensure!(queued > 5, "{queued} captions were queued");
    Ok(())
}
