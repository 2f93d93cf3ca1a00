//! The demonstration as a newcomer sees it, with the real program in a real browser; and the pictures of it that lead the README.

#![expect(clippy::print_stderr, reason = "a test says when it is skipped")]

use anyhow::{Context, Result, bail, ensure};
use cross_crate_tests::chromium::{self, Page};
use cross_crate_tests::{fail, program, root, signal};
use ground::archive::Archive;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};
use tiff::encoder::{TiffEncoder, colortype};
use tiff::tags::Tag;

/// A caption of an image that is not flagged, on the page.
const BELIEVED: &str = "#list button:not(.outside)";
/// The picture that was asked for is shown.
const SHOWN: &str =
    "[...document.querySelectorAll('.picture img')].some((image) => image.complete && image.naturalWidth >= 128)";

/// A demonstration that runs.
struct Demo {
    process: Child,
    output: BufReader<ChildStdout>,
    address: String,
    began: Instant,
    /// What is not kept stands in here while it runs.
    passing: tempfile::TempDir,
}

impl Demo {
    fn start(arguments: &[&str]) -> Result<Self> {
        let passing = tempfile::tempdir()?;
        let mut demo = program("demo")?;
        demo.args(arguments).args(["--port", "0"]).env("TMPDIR", passing.path());
        let mut process = demo.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut output = BufReader::new(process.stdout.take().context("output")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        let address = line.split_whitespace().next().filter(|word| word.starts_with("http://127.0.0.1:"));
        let address = address.with_context(|| format!("{line:?} begins with no address"))?.to_owned();
        Ok(Self { process, output, address, began: Instant::now(), passing })
    }

    /// What it printed from now on, once it has ended well by itself, in time, and has left nothing behind.
    fn ended_within(mut self, limit: Duration) -> Result<String> {
        let until = Instant::now() + limit;
        while self.process.try_wait()?.is_none() {
            ensure!(Instant::now() < until, "it does not end within {limit:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
        let status = self.process.wait()?;
        ensure!(status.success(), "demo ended with {status}");
        ensure!(std::fs::read_dir(self.passing.path())?.next().is_none(), "it left something behind");
        let mut text = String::new();
        self.output.read_to_string(&mut text)?;
        Ok(text)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The line of numbers: the number before each of some words.
fn numbers(printed: &str, words: [&str; 6]) -> Result<Vec<usize>> {
    let line = printed.lines().last().context("nothing is printed")?;
    let number = |word: &str| -> Result<usize> {
        let before = line.split(word).next().unwrap_or_default();
        let digits = before.trim_end().rsplit(|letter: char| !letter.is_ascii_digit()).next().unwrap_or_default();
        digits.parse().with_context(|| format!("no number before {word:?} in {line:?}"))
    };
    words.into_iter().map(number).collect()
}

#[test]
fn the_demo_shows_captions_and_a_picture_and_ends_by_itself() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let kept = folder.path().join("kept");
    let demo = Demo::start(&["--seconds", "36", "--keep", &kept.display().to_string()])?;
    match chromium::installed() {
        Some(chromium) => {
            let page = &mut Page::open(&chromium, &demo.address)?;
            page.wait_for("document.querySelectorAll('#list button').length >= 3")?;
            page.wait_for(&format!("document.querySelector('{BELIEVED}') !== null"))?;
            ask(page)?;
            page.wait_for(SHOWN)?;
        }
        None => eprintln!("skipped: no Chromium is here"),
    }
    let (began, is_asked) = (demo.began, chromium::installed().is_some());
    let printed = demo.ended_within(Duration::from_secs(40))?;
    let took = began.elapsed().as_secs_f64();
    ensure!((35.0..40.0).contains(&took), "36 s took {took}");
    let words = [" frame", " caption", " flagged)", " picture", " bytes sent down", " bytes,"];
    let found = numbers(&printed, words)?;
    let archive = Archive::read(&kept.join("captions.gpkg"))?;
    let captions = archive.captions(None)?;
    let flagged = captions.iter().filter(|caption| caption.outside.is_some()).count();
    let here = archive.pictures(99)?.iter().filter(|picture| picture.state == "here").count();
    assert_eq!(found[1..4], [captions.len(), flagged, here], "{printed}");
    ensure!(here == usize::from(is_asked), "{here} pictures");
    let frames: Vec<PathBuf> =
        std::fs::read_dir(kept.join("frames"))?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    // 36 s less 9 s before the end, one a second; fewer where the machine is slow.
    ensure!(frames.len() == found[0] && (6..=27).contains(&found[0]) && found[1] >= 4, "{printed}");
    let bytes: u64 = frames.iter().map(|path| Ok(path.metadata()?.len())).sum::<Result<_>>()?;
    // The files say where they were taken, too.
    let places = bytes.checked_sub(found[5] as u64).context("frames larger than their files")?;
    ensure!(places > 0 && places < 1000 * found[0] as u64, "{places} bytes of {bytes}");
    ensure!(found[4] > 20 * found[1] && 10 * found[4] < found[5], "{printed}");
    // A line a caption, and those of the archive.
    for caption in &captions {
        ensure!(printed.contains(&caption.caption), "{} is not printed: {printed}", caption.caption);
        let (north, east) = (caption.latitude.context("no place")?, caption.longitude.context("no place")?);
        ensure!((0.03..0.05).contains(&north) && (0.05..0.07).contains(&east), "{north} {east}");
    }
    ensure!(!archive.footprints()?.is_empty() && kept.join("landscape.png").is_file(), "what is kept");
    Ok(())
}

/// Chooses the newest caption that is not flagged, and asks for its picture.
fn ask(page: &mut Page) -> Result<()> {
    page.evaluate(&format!("document.querySelector('{BELIEVED}').click()"))?;
    page.wait_for("document.querySelector('.picture button[value=\"160\"]') !== null")?;
    page.evaluate("document.querySelector('.picture button[value=\"160\"]').click()").map(drop)
}

#[test]
fn the_demo_ends_at_sigterm_and_leaves_nothing() -> Result<()> {
    // At once, while the model is loaded; and in flight.
    for seconds in [0, 4] {
        let demo = Demo::start(&["--seconds", "60"])?;
        std::thread::sleep(Duration::from_secs(seconds));
        signal(&demo.process, "-TERM")?;
        let printed = demo.ended_within(Duration::from_secs(2))?;
        ensure!(printed.contains(" bytes sent down"), "{printed}");
    }
    Ok(())
}

#[test]
fn what_the_demo_cannot_do_is_one_clear_error() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port().to_string();
    let said = fail("demo", ["--port", &port])?;
    ensure!(said.contains(&port) && said.contains("--port 0"), "{said}");
    let (text, empty) = (folder.path().join("notes.tif"), folder.path().join("empty.jpg"));
    std::fs::write(&text, "no image")?;
    std::fs::write(&empty, "")?;
    for path in [&text, &empty, &folder.path().join("missing.png"), &folder.path().to_path_buf()] {
        let said = fail("demo", ["--image", &path.display().to_string()])?;
        ensure!(said.contains(&path.display().to_string()), "{said}");
    }
    let said = fail("demo", ["--keep", &folder.path().display().to_string()])?;
    ensure!(said.contains("expected a new or empty folder"), "{said}");
    Ok(())
}

/// A GeoTIFF in UTM 33N of two by two frames.
fn scene(path: &Path) -> Result<()> {
    let landscape = image::open(fixtures::scenes().join("images/scene_00000.jpg"))?.to_rgb8();
    let picture = image::RgbImage::from_fn(1024, 1024, |x, y| *landscape.get_pixel(x % 256, y % 256));
    let mut encoder = TiffEncoder::new(File::create(path)?)?;
    let mut image = encoder.new_image::<colortype::RGB8>(1024, 1024)?;
    let directory = image.encoder();
    directory.write_tag(Tag::ModelPixelScaleTag, &[0.5, 0.5, 0.0][..])?;
    directory.write_tag(Tag::ModelTiepointTag, &[0.0, 0.0, 0.0, 500_000.0, 5_001_000.0, 0.0][..])?;
    let keys: [u16; 12] = [1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 32633];
    directory.write_tag(Tag::GeoKeyDirectoryTag, &keys[..])?;
    Ok(image.write_data(picture.as_raw())?)
}

#[test]
fn an_image_of_ones_own_is_flown_over_at_its_own_places() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let image = folder.path().join("scene.tif");
    scene(&image)?;
    // Programs run in the checkout: by a relative path.
    let up = "../".repeat(root().canonicalize()?.components().count() - 1);
    let kept = Path::new(&up).join(folder.path().strip_prefix("/")?).join("kept");
    let [image, keep] = [&image, &kept].map(|path| path.display().to_string());
    let demo = Demo::start(&["--seconds", "14", "--loss", "0", "--image", &image, "--keep", &keep])?;
    let printed = demo.ended_within(Duration::from_secs(20))?;
    ensure!(printed.lines().last().is_some_and(|line| line.starts_with("4 frames: ")), "{printed}");
    let archive = Archive::read(&folder.path().join("kept/captions.gpkg"))?;
    let captions = archive.captions(None)?;
    // On the central meridian at the northing of 5 001 km, and 512 m to the east and south of it.
    for caption in &captions {
        let (north, east) = (caption.latitude.context("no place")?, caption.longitude.context("no place")?);
        ensure!((45.155..45.163).contains(&north) && (15.0..15.007).contains(&east), "{north} {east}");
    }
    let corners = archive.footprints()?;
    let lowest = corners.iter().flat_map(|of| of.ring).map(|corner| corner[1]).fold(f64::MAX, f64::min);
    ensure!(!captions.is_empty() && (45.155..45.163).contains(&lowest), "{lowest} {}", captions.len());
    Ok(())
}

/// Where the README's pictures lie, and what they weigh together at most.
const STILL: &str = "fixtures/demo.png";
const MOVING: &str = "fixtures/demo.webp";
const MAX_BYTES: u64 = 1_000_000;
/// Between two frames of the moving one as it was taken, and as it is shown, in milliseconds; and how many there are.
const TAKEN: u64 = 1000;
const PLAYED: i32 = 250;
const FRAMES: usize = 40;

/// `CSSA_DEMO_PICTURES=1 cargo test --release -p cross-crate-tests --test across -- demo::pictures` takes them anew.
#[test]
fn pictures_of_the_demo_lead_the_readme() -> Result<()> {
    if std::env::var_os("CSSA_DEMO_PICTURES").is_some() {
        let Some(chromium) = chromium::installed() else { bail!("no Chromium is here to take pictures with") };
        take_pictures(&chromium)?;
    }
    let (still, moving) = (root().join(STILL), root().join(MOVING));
    let size = still.metadata()?.len() + moving.metadata()?.len();
    ensure!(size < MAX_BYTES, "{STILL} and {MOVING} have {size} bytes, expected less than {MAX_BYTES}");
    ensure!(image::open(&still)?.width() >= 800, "{STILL} is small");
    let bytes = std::fs::read(&moving)?;
    let decoded = webp::AnimDecoder::new(&bytes).decode().map_err(anyhow::Error::msg)?;
    let last = decoded.len().checked_sub(1).and_then(|last| decoded.get_frame(last)).context("no frames")?;
    ensure!(decoded.len() >= 20 && (8_000..=12_000).contains(&last.get_time_ms()), "{} ms", last.get_time_ms());
    let readme = std::fs::read_to_string(root().join("README.md"))?;
    ensure!(readme.contains(MOVING) && readme.len() <= 8192, "the README shows {MOVING}, in {} bytes", readme.len());
    Ok(())
}

/// A click on the mark of a caption of the last ten that is not flagged, the surest of an object if there is one, and a click that asks
/// for its picture.
fn choose(page: &mut Page) -> Result<()> {
    let worth = "(caption) => /airplane|boat|tank/.test(caption.caption) + caption.confidence";
    let best = format!(
        "captions.slice(-10).filter((caption) => !caption.outside).sort((one, other) => ({worth})(other) - ({worth})(one))[0].sequence"
    );
    let place: [f64; 2] = serde_json::from_value(page.evaluate(&format!("cssaPlace({best})"))?)?;
    page.click(place[0], place[1])?;
    page.wait_for("document.querySelector('.picture button[value=\"160\"]') !== null")?;
    page.evaluate("document.querySelector('.picture button[value=\"160\"]').click()").map(drop)
}

fn take_pictures(chromium: &Path) -> Result<()> {
    let demo = Demo::start(&["--seconds", "75"])?;
    let page = &mut Page::open(chromium, &demo.address)?;
    page.resize(1200, 900)?;
    page.wait_for("document.querySelectorAll('#list button').length >= 1")?;
    let (mut frames, mut due, mut still) = (Vec::new(), Instant::now(), Vec::new());
    for n in 0..FRAMES {
        if n % 12 == 8 {
            choose(page)?;
        }
        due += Duration::from_millis(TAKEN);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        frames.push(image::load_from_memory(&page.picture(0.75)?)?.to_rgb8());
        // The last one that shows a picture.
        if n > FRAMES / 2 && page.evaluate(SHOWN)? == true {
            still = page.picture(1.0)?;
        }
    }
    ensure!(!still.is_empty(), "no picture came");
    std::fs::write(root().join(STILL), still)?;
    let (width, height) = frames[0].dimensions();
    let mut config = webp::WebPConfig::new().map_err(|()| anyhow::anyhow!("libwebp is another version"))?;
    (config.quality, config.method) = (75.0, 6);
    let mut encoder = webp::AnimEncoder::new(width, height, &config);
    encoder.set_loop_count(0);
    for (frame, time) in frames.iter().zip((0..).step_by(PLAYED as usize)) {
        encoder.add_frame(webp::AnimFrame::from_rgb(frame.as_raw(), width, height, time));
    }
    let encoded = encoder.try_encode().map_err(|error| anyhow::anyhow!("{error:?}"))?;
    Ok(std::fs::write(root().join(MOVING), &*encoded)?)
}
