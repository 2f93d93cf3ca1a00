//! The map in a real browser: captions as points, found by word, time and score, shown with everything, live, and never as markup.

#![expect(clippy::print_stderr, reason = "a test says when it is skipped")]

use anyhow::{Context, Result, ensure};
use cross_crate_tests::chromium::{self, Page};
use cross_crate_tests::{program, signal};
use cssa::trust::{Confidence, Reason};
use cssa_wire::{
    Caption, CaptionPacket, Corner, Down, DownPacket, FaultKind, Footprint, Housekeeping, Position, Report,
};
use ground::Message;
use ground::archive::{Archive, Provenance};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;

/// A caption that would be a program if it were markup.
const HOSTILE: &str = "<img src=x onerror=window.hacked=1> a </script><script>window.hacked=1</script> bridge";

fn packet(first: u32, texts: &[&str]) -> CaptionPacket {
    let caption = |(n, text): (usize, &&str)| Caption {
        sequence: first + n as u32,
        time: 1_763_928_000 + 3600 * (first + n as u32),
        position: Position::new(48.2 + 0.01 * f64::from(first) + 0.01 * n as f64, 16.37 + 0.02 * n as f64),
        confidence: Confidence::from_thousandths(322 + 226 * (n as u16 % 4)),
        outside: (n == 3).then_some(Reason::Foggy),
        priority: 1,
        repeat: false,
        text: (*text).into(),
    };
    CaptionPacket {
        vehicle: 12,
        bundle: 0xbeef,
        decimals: 5,
        captions: texts.iter().enumerate().map(caption).collect(),
    }
}

fn counts(page: &mut Page, expected: &str) -> Result<()> {
    page.wait_for(&format!("document.getElementById('count').textContent === {expected:?}"))
}

#[test]
fn a_caption_is_found_on_the_map() -> Result<()> {
    let Some(chromium) = chromium::installed() else {
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
    let corners = [(127, -95), (127, 95), (-127, 95), (-127, -95)].map(|(north, east)| Corner { north, east });
    archive.keep_footprints("uav", 12, &[Footprint { number: 1, accuracy: 34, step: 71, corners }])?;
    let report = Report::of_run(0, Reason::Unfamiliar, 1_763_928_000, 40);
    let report = DownPacket { vehicle: 12, bundle: 0xbeef, body: Down::Report(report) };
    archive.keep_message("uav", &Message::of(&report).context("a message")?, b"report", Provenance::Anybody)?;
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
    let page = &mut Page::open(chromium, address)?;
    counts(page, "4 of 4 captions")?;
    page.fill("words", "River bridge")?;
    counts(page, "1 of 4 captions")?;
    // Where the map says that the caption is, a click shows it.
    let place: Vec<f64> = serde_json::from_value(page.evaluate("window.cssaPlace(1)")?)?;
    page.click(place[0], place[1])?;
    page.wait_for("!document.getElementById('details').hidden")?;
    let details = page.text("document.getElementById('details').innerText")?;
    page.wait_for("document.getElementById('details').innerText.includes('to 34 m')")?;
    for expected in
        ["a bridge over a river", "2025-11-23 21:00:00 UTC", "0.55", "48.21000, 16.39000", "uav", "12", "beef"]
    {
        assert!(details.contains(expected), "{expected} is not in {details}");
    }
    page.fill("words", "")?;
    page.fill("confidence", "0.7")?;
    counts(page, "2 of 4 captions")?;
    page.fill("confidence", "0")?;
    page.fill("from", "2025-11-23T20:30:00")?;
    page.fill("to", "2025-11-23T22:30:00")?;
    counts(page, "2 of 4 captions")?;
    // What arrives now appears without a reload.
    archive.keep("uav", &packet(4, &["a stadium near a road"]))?;
    counts(page, "2 of 5 captions")?;
    page.evaluate("document.querySelector('button[type=reset]').click()")?;
    counts(page, "5 of 5 captions")?;
    let shown = page.text("document.getElementById('list').innerText")?;
    assert!(shown.contains(HOSTILE), "{shown}");
    // One that is outside of what the model knows is grey, and says why.
    let grey = "document.querySelector('#list button.outside').innerText";
    let outside = page.text(grey)?;
    assert!(outside.contains("a dense forest") && outside.contains("foggy"), "{outside}");
    let reports = page.text("document.getElementById('reports').innerText")?;
    assert!(reports.contains("40 frames outside: unfamiliar"), "{reports}");
    page.wait_for("window.hacked === undefined && document.querySelectorAll('img').length === 0")?;
    page.wait_for("performance.getEntriesByType('resource').every((entry) => entry.name.startsWith(location.origin))")
}

/// Points on both sides of the 180th meridian are near each other: the map shows them large, not the whole earth.
#[test]
fn the_map_fits_points_across_the_180th_meridian() -> Result<()> {
    let Some(chromium) = chromium::installed() else {
        eprintln!("skipped: no Chromium is here");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("captions.gpkg");
    let mut archive = Archive::open(&path)?;
    for (sequence, longitude) in [(0, 179.98), (1, -179.98), (2, 180.0)] {
        let position = Position::new(-16.5, longitude);
        let caption =
            Caption { sequence, time: 1_763_928_000, position, text: "a lagoon".into(), ..Caption::default() };
        archive.keep("uav", &CaptionPacket { vehicle: 12, bundle: 7, decimals: 5, captions: vec![caption] })?;
    }
    let mut map = program("ground")?;
    map.args(["map", "--listen", "127.0.0.1:0", "--archive"]).arg(&path).stdout(Stdio::piped());
    let mut map = map.spawn()?;
    let result = far_apart(&mut map, &chromium);
    signal(&map, "-TERM")?;
    ensure!(map.wait()?.success(), "ground map failed");
    result
}

fn far_apart(map: &mut std::process::Child, chromium: &Path) -> Result<()> {
    let mut address = String::new();
    BufReader::new(map.stdout.take().context("output")?).read_line(&mut address)?;
    let page = &mut Page::open(chromium, address.trim())?;
    counts(page, "3 of 3 captions")?;
    page.wait_for("fitted")?;
    let mut across = |sequence: u32| -> Result<f64> {
        let place: Vec<f64> = serde_json::from_value(page.evaluate(&format!("window.cssaPlace({sequence})"))?)?;
        Ok(place[0])
    };
    let (west, east, middle) = (across(0)?, across(1)?, across(2)?);
    // Four hundredths of a degree fill most of the page, west to east.
    ensure!(east - west > 200.0 && (west..east).contains(&middle), "{west} {middle} {east}");
    let width = page.evaluate("canvas.clientWidth")?.as_f64().context("a width")?;
    ensure!(east - west < width, "{west} {east} of {width}");
    Ok(())
}

/// Two vehicles are told apart by shape and colour, and one of them is shown alone.
#[test]
fn vehicles_are_told_apart_and_chosen() -> Result<()> {
    let Some(chromium) = chromium::installed() else {
        eprintln!("skipped: no Chromium is here");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("captions.gpkg");
    let mut archive = Archive::open(&path)?;
    archive.keep("uav", &packet(0, &["a bridge over a river", "a lake"]))?;
    let other = |vehicle, first| CaptionPacket { vehicle, ..packet(first, &["a road", "a farm", "a harbor"]) };
    archive.keep("uav", &other(13, 10))?;
    archive.keep("relay <b>", &other(0, 20))?;
    let mut map = program("ground")?;
    map.args(["map", "--listen", "127.0.0.1:0", "--archive"]).arg(&path).stdout(Stdio::piped());
    let mut map = map.spawn()?;
    let result = choose_vehicles(&mut map, &chromium);
    signal(&map, "-TERM")?;
    ensure!(map.wait()?.success(), "ground map failed");
    result
}

fn choose_vehicles(map: &mut std::process::Child, chromium: &Path) -> Result<()> {
    let mut address = String::new();
    BufReader::new(map.stdout.take().context("output")?).read_line(&mut address)?;
    let page = &mut Page::open(chromium, address.trim())?;
    counts(page, "8 of 8 captions")?;
    let names = page.text("[...document.getElementById('of').options].map((option) => option.text).join()")?;
    assert_eq!(names, "all,12,13,relay <b>");
    let legend = page.text("document.getElementById('marks').innerText.replace(/\\s+/g, ' ')")?;
    assert_eq!(legend.trim(), "12 13 relay <b>");
    for attribute in ["d", "stroke"] {
        let all = format!(
            "new Set([...document.querySelectorAll('#marks path')].map((path) => path.getAttribute('{attribute}'))).size"
        );
        assert_eq!(page.evaluate(&all)?, 3, "{attribute}");
    }
    // Around a point there is its vehicle's colour, and in its middle that of its confidence.
    page.wait_for("fitted")?;
    for (sequence, vehicle) in [(1, "12"), (11, "13"), (21, "relay <b>")] {
        let pixels = format!(
            "(() => {{ const [x, y] = cssaPlace({sequence}), box = canvas.getBoundingClientRect(), ratio = devicePixelRatio;
               const at = (dx, dy) => context.getImageData((x - box.left + dx) * ratio, (y - box.top + dy) * ratio, 1, 1).data;
               const hex = ([red, green, blue]) => '#' + [red, green, blue].map((part) => part.toString(16).padStart(2, '0')).join('');
               const rings = new Set(); for (let dx = -9; dx <= 9; dx += 1) for (let dy = -9; dy <= 9; dy += 1) rings.add(hex(at(dx, dy)));
               return rings.has(ringOf({vehicle:?})) && hex(at(0, 0)) !== ringOf({vehicle:?}); }})()"
        );
        page.wait_for(&pixels)?;
    }
    page.fill("of", "13")?;
    counts(page, "3 of 8 captions")?;
    let shown = page.text("document.getElementById('list').innerText")?;
    assert!(shown.contains("vehicle 13") && !shown.contains("vehicle 12"), "{shown}");
    page.fill("of", "relay <b>")?;
    page.fill("words", "farm")?;
    counts(page, "1 of 8 captions")?;
    page.evaluate("document.querySelector('button[type=reset]').click()")?;
    counts(page, "8 of 8 captions")?;
    let table = "document.querySelectorAll('#vehicles svg path').length";
    page.wait_for(&format!("{table} === 3"))
}

/// A status of a vehicle comes.
fn status(archive: &mut Archive, sender: &str, vehicle: u16, housekeeping: Housekeeping) -> Result<()> {
    let packet = DownPacket { vehicle, bundle: 7, body: Down::Housekeeping(housekeeping) };
    let message = Message::of(&packet).context("a message")?;
    archive.keep_message(sender, &message, &packet.encode(None, cssa_wire::Checksum::Crc32)?, Provenance::Anybody)?;
    Ok(())
}

#[test]
fn vehicles_are_watched_and_commanded_from_the_page() -> Result<()> {
    let Some(chromium) = chromium::installed() else {
        eprintln!("skipped: no Chromium is here");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("captions.gpkg");
    let mut archive = Archive::open(&path)?;
    let fault = FaultKind::ModelDamage.code();
    for n in 0..3 {
        let (sequence, uptime, waiting, frames) = (n, 60 * u32::from(n), 9 - 3 * n, 50 * n);
        let of = Housekeeping { sequence, uptime, waiting, frames, slot: 2, fault, ..Housekeeping::default() };
        status(&mut archive, "uav", 12, Housekeeping { period: 60, ..of })?;
    }
    status(&mut archive, "uav", 13, Housekeeping { period: 1, ..Housekeeping::default() })?;
    // Two that have no number, one of which has a name that would be a program.
    status(&mut archive, HOSTILE, 0, Housekeeping::default())?;
    status(&mut archive, "10.0.0.9", 0, Housekeeping::default())?;
    let mut map = program("ground")?;
    map.args(["map", "--listen", "127.0.0.1:0", "--archive"]).arg(&path).stdout(Stdio::piped());
    let mut map = map.spawn()?;
    let result = command(&mut archive, &mut map, &chromium);
    signal(&map, "-TERM")?;
    ensure!(map.wait()?.success(), "ground map failed");
    result
}

fn command(archive: &mut Archive, map: &mut std::process::Child, chromium: &Path) -> Result<()> {
    let mut address = String::new();
    BufReader::new(map.stdout.take().context("output")?).read_line(&mut address)?;
    let (place, token) = address.trim().split_once('#').context("a token")?;
    let text = |id: &str| format!("document.getElementById({id:?}).innerText");
    {
        let page = &mut Page::open(chromium, address.trim())?;
        let of = |vehicle: &str| {
            format!(
                "[...document.querySelectorAll('#vehicles tr')].find((row) => row.cells[0].innerText === '{vehicle}')"
            )
        };
        page.wait_for(&format!("({}?.querySelector('polyline') ?? null) !== null", of("12")))?;
        let row = page.text(&format!("{}.innerText", of("12")))?;
        for expected in ["+100", "b", "model_damage"] {
            assert!(row.contains(expected), "{expected} is not in {row}");
        }
        let points = page.text(&format!("{}.querySelector('polyline').getAttribute('points')", of("12")))?;
        assert_eq!(points, "0.0,1.0 60.0,6.3 120.0,11.7", "9, 6 and 3 captions waited");
        // It should have been heard every second.
        page.wait_for(&format!("{}?.className === 'late'", of("13")))?;
        let late = page.text(&format!("{}.innerText", of("13")))?;
        assert!(late.contains("not heard for"), "{late}");
        assert_eq!(page.text(&format!("{}.className", of("12")))?, "");
        let choice = "[...document.getElementById('vehicle').options].map((option) => option.text).join()";
        assert_eq!(page.text(choice)?, "any without a number,12,13", "an address is not who is told");
        page.evaluate("document.getElementById('vehicle').value = '12'")?;
        page.evaluate("document.querySelector('#command button[value=pause]').click()")?;
        page.wait_for(&format!("{} === 'command 1 waits'", text("given")))?;
        page.wait_for(&format!("{}.includes('Pause for vehicle 12: waiting')", text("commands")))?;
        page.fill("threshold", "1.2")?;
        page.evaluate("document.querySelector('#command button[value=threshold]').click()")?;
        page.wait_for(&format!("{}.includes('refused: ')", text("given")))?;
        page.fill("threshold", "")?;
        page.evaluate("document.querySelector('#command button[value=threshold]').click()")?;
        page.wait_for(&format!("{}.includes('expected a confidence')", text("given")))?;
        page.wait_for("window.hacked === undefined && document.querySelectorAll('img').length === 0")?;
    }
    assert_eq!(archive.commands(9)?.len(), 1, "what is refused is not there");
    for address in [place.to_owned(), format!("{place}#{}", "0".repeat(token.len()))] {
        let page = &mut Page::open(chromium, &address)?;
        page.wait_for("document.querySelectorAll('#vehicles tr').length === 4")?;
        let is_hidden = page.evaluate("document.getElementById('command').hidden")? == true;
        assert_eq!(is_hidden, address == place);
        page.evaluate("document.querySelector('#command button[value=pause]').click()")?;
        page.wait_for(&format!(
            "{}.includes('refused: the token') || {0} === ''",
            "document.getElementById('given').textContent"
        ))?;
    }
    assert_eq!(archive.commands(9)?.len(), 1, "without the token nobody commands");
    Ok(())
}

/// Another site whose name leads to this machine gets nothing.
fn other_names_get_nothing(address: &str) -> Result<()> {
    let place = address.trim_start_matches("http://").split('/').next().context("a place")?;
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
