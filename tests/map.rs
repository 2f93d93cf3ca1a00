//! The map in a real browser: captions as points, found by word, time and score, shown with everything, live, and never as markup.

#![expect(clippy::print_stderr, reason = "a test says when it is skipped")]

use anyhow::{Context, Result, bail, ensure};
use cross_crate_tests::{program, signal};
use cssa_wire::{Caption, Packet, Position};
use ground::archive::Archive;
use headless_chrome::browser::tab::point::Point;
use headless_chrome::{Browser, LaunchOptions, Tab};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// A caption that would be a program if it were markup.
const HOSTILE: &str = "<img src=x onerror=window.hacked=1> a </script><script>window.hacked=1</script> bridge";

fn packet(first: u32, texts: &[&str]) -> Packet {
    let caption = |(n, text): (usize, &&str)| Caption {
        sequence: first + n as u32,
        time: 1_763_928_000 + 3600 * (first + n as u32),
        position: Position::new(48.2 + 0.01 * f64::from(first) + 0.01 * n as f64, 16.37 + 0.02 * n as f64),
        score: 10 + 7 * (n as u8 % 4),
        priority: 1,
        repeat: false,
        text: (*text).into(),
    };
    Packet { bundle: 0xbeef, decimals: 5, captions: texts.iter().enumerate().map(caption).collect() }
}

fn chromium() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let folders = std::env::var_os("PATH")?;
    let mut programs = std::env::split_paths(&folders).flat_map(|folder| names.map(|name| folder.join(name)));
    programs.find(|path| path.is_file())
}

/// Waits until an expression of the page is true.
fn wait_for(tab: &Tab, expression: &str) -> Result<()> {
    let began = Instant::now();
    while tab.evaluate(expression, false)?.value != Some(true.into()) {
        if began.elapsed() > Duration::from_secs(15) {
            bail!("{expression} does not come true; the page: {}", text(tab, "document.body.innerText")?);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn text(tab: &Tab, expression: &str) -> Result<String> {
    let value = tab.evaluate(expression, false)?.value.with_context(|| format!("{expression} has no value"))?;
    Ok(value.as_str().with_context(|| format!("{expression} is {value}"))?.to_owned())
}

/// Puts a value into a field as a user does, with its event.
fn fill(tab: &Tab, field: &str, value: &str) -> Result<()> {
    let script = format!(
        "(() => {{ const f = document.getElementById({field:?}); f.value = {value:?}; f.dispatchEvent(new Event('input', {{bubbles: true}})); }})()"
    );
    tab.evaluate(&script, false)?;
    Ok(())
}

fn counts(tab: &Tab, expected: &str) -> Result<()> {
    wait_for(tab, &format!("document.getElementById('count').textContent === {expected:?}"))
}

#[test]
fn a_caption_is_found_on_the_map() -> Result<()> {
    let Some(chromium) = chromium() else {
        eprintln!("skipped: no Chromium is here");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("captions.gpkg");
    let mut archive = Archive::open(&path)?;
    archive.keep(
        "uav",
        &packet(0, &["an airport with many planes", "a bridge over a river", HOSTILE, "a dense forest ."]),
    )?;
    let mut map = program("ground")?;
    map.args(["map", "--listen", "127.0.0.1:0", "--archive"]).arg(&path).stdout(Stdio::piped());
    let mut map = map.spawn()?;
    let result = look(&mut archive, &mut map, &chromium);
    signal(&map, "-TERM")?;
    ensure!(map.wait()?.success(), "ground map failed");
    result
}

fn look(archive: &mut Archive, map: &mut std::process::Child, chromium: &Path) -> Result<()> {
    let mut address = String::new();
    BufReader::new(map.stdout.take().context("output")?).read_line(&mut address)?;
    let address = address.trim();
    other_names_get_nothing(address)?;
    let options = LaunchOptions::default_builder()
        .path(Some(chromium.into()))
        .sandbox(false)
        .window_size(Some((1200, 800)))
        .build()?;
    let browser = Browser::new(options)?;
    let tab = browser.new_tab()?;
    tab.navigate_to(address)?.wait_until_navigated()?;
    counts(&tab, "4 of 4 captions")?;
    fill(&tab, "words", "River bridge")?;
    counts(&tab, "1 of 4 captions")?;
    // Where the map says that the caption is, a click shows it.
    let place = tab.evaluate("JSON.stringify(window.cssaPlace(1))", false)?.value.context("no place")?;
    let place: Vec<f64> = serde_json::from_str(place.as_str().context("no place")?)?;
    tab.click_point(Point { x: place[0], y: place[1] })?;
    wait_for(&tab, "!document.getElementById('details').hidden")?;
    let details = text(&tab, "document.getElementById('details').innerText")?;
    for expected in ["a bridge over a river", "2025-11-23 21:00:00 UTC", "0.55", "48.21000, 16.39000", "uav", "beef"] {
        assert!(details.contains(expected), "{expected} is not in {details}");
    }
    fill(&tab, "words", "")?;
    fill(&tab, "score", "0.7")?;
    counts(&tab, "2 of 4 captions")?;
    fill(&tab, "score", "0")?;
    fill(&tab, "from", "2025-11-23T20:30:00")?;
    fill(&tab, "to", "2025-11-23T22:30:00")?;
    counts(&tab, "2 of 4 captions")?;
    // What arrives now appears without a reload.
    archive.keep("uav", &packet(4, &["a stadium near a road"]))?;
    counts(&tab, "2 of 5 captions")?;
    tab.evaluate("document.querySelector('button[type=reset]').click()", false)?;
    counts(&tab, "5 of 5 captions")?;
    let shown = text(&tab, "document.getElementById('list').innerText")?;
    assert!(shown.contains(HOSTILE), "{shown}");
    wait_for(&tab, "window.hacked === undefined && document.querySelectorAll('img').length === 0")?;
    wait_for(&tab, "performance.getEntriesByType('resource').every((entry) => entry.name.startsWith(location.origin))")
}

/// Another site whose name leads to this machine gets nothing.
fn other_names_get_nothing(address: &str) -> Result<()> {
    let place = address.trim_start_matches("http://").trim_end_matches('/');
    let ask = |host: &str| -> Result<String> {
        let mut stream = TcpStream::connect(place)?;
        write!(stream, "GET /captions HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let (other, own) = (ask("attacker.example")?, ask(place)?);
    ensure!(other.starts_with("HTTP/1.1 403") && !other.contains("airport"), "{other}");
    ensure!(own.starts_with("HTTP/1.1 200") && own.contains("airport"), "{own}");
    Ok(())
}
