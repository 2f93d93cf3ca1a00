//! The page that `trainer report` makes, in a real browser.

#![expect(clippy::print_stderr, reason = "a test says when it is skipped")]

use anyhow::Result;
use cross_crate_tests::chromium::{self, Page};
use cross_crate_tests::{fail, succeed};
use std::path::Path;

/// Two epochs, of which the second is chosen.
const METRICS: &str = r#"[
  { "stage": "rsic", "epoch": 1, "train_loss": 3.5, "dev_cider": 0.5, "dev_bleu_4": 0.1, "chosen": true },
  { "stage": "rsic", "epoch": 2, "train_loss": 2.5, "dev_cider": 0.75, "dev_bleu_4": 0.2, "chosen": true }
]"#;

/// Every section is there with what it shows, nothing is loaded from elsewhere, and nothing stands on the console; in light and dark.
#[test]
fn a_runs_report_opens_without_a_network() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::create_dir(path("run"))?;
    for entry in std::fs::read_dir(fixtures::run())? {
        let entry = entry?;
        std::os::unix::fs::symlink(entry.path(), Path::new(&path("run")).join(entry.file_name()))?;
    }
    std::fs::write(path("run/metrics.json"), METRICS)?;
    succeed("scenes", ["--out", &path("scenes"), "--count", "120", "--seed", "3"])?;
    // Names that tell two classes.
    let description = path("scenes/dataset_scenes.json");
    let mut text = std::fs::read_to_string(&description)?;
    for n in 0..120 {
        let (old, new) = (format!("scene_{n:05}.jpg"), format!("{}_{n:05}.jpg", ["north", "south"][n % 2]));
        std::fs::rename(path(&format!("scenes/images/{old}")), path(&format!("scenes/images/{new}")))?;
        text = text.replace(&old, &new);
    }
    std::fs::write(&description, text)?;
    let run = path("run");
    let mut arguments = vec!["report".to_owned(), "--run".to_owned(), run, "--data".to_owned(), path("scenes")];
    arguments.extend(["--threads", "1", "--device", "cpu", "--cache"].map(str::to_owned));
    arguments.push(path("features"));
    succeed("trainer", &arguments)?;
    let said = fail("trainer", ["report", "--run", &path("scenes")])?;
    assert!(said.contains("model.toml"), "{said}");
    let said = fail("trainer", ["report", "--run", &path("run"), "--out", &path("nowhere/report.html")])?;
    assert!(said.contains("nowhere"), "{said}");

    let Some(chromium) = chromium::installed() else {
        eprintln!("skipped: Chromium is not installed");
        return Ok(());
    };
    let mut page = Page::open(&chromium, &format!("file://{}", path("run/report.html")))?;
    assert_eq!(page.console()?, Vec::<String>::new());
    assert_eq!(page.text("document.title")?, "Training report of run");
    let elsewhere = "[...document.querySelectorAll('[src],[href]')].every(e => /^(#|data:)/.test(e.getAttribute('src') ?? e.getAttribute('href')))";
    assert_eq!(page.evaluate(elsewhere)?, true);
    for section in ["run", "curves", "captions", "reliability", "classes"] {
        let shown =
            page.evaluate(&format!("document.getElementById('{section}').getBoundingClientRect().width > 0"))?;
        assert_eq!(shown, true, "{section}");
    }
    assert_eq!(page.evaluate("document.querySelectorAll('figure svg polyline').length")?, 3);
    let seen = "[...document.querySelectorAll('article img')].filter(image => image.naturalWidth === 200).length";
    let images = page.evaluate(seen)?;
    assert!(images.as_u64().is_some_and(|images| images > 0), "{images}");
    assert_eq!(page.evaluate("document.querySelectorAll('article').length")?, images);
    let data = "JSON.parse(document.getElementById('data').textContent)";
    assert_eq!(page.evaluate(&format!("{data}.epochs[1].dev_cider"))?, 0.75);
    // What the tables and drawings count are the captions of all dev images.
    let captions = page.evaluate(&format!("{data}.dev.reduce((sum, dev) => sum + dev.images, 0)"))?;
    let binned = page.evaluate(&format!("{data}.reliability.reduce((sum, bin) => sum + bin.captions, 0)"))?;
    let confused = page.evaluate(&format!(
        "{data}.confusions.reduce((sum, one) => sum + one.left_out + one.counts.flat().reduce((a, b) => a + b, 0), 0)"
    ))?;
    assert_eq!((&captions, &captions), (&binned, &confused));
    assert_eq!(page.evaluate(&format!("{data}.confusions[0].classes.join()"))?, "north,south");
    // Nothing is wider than the window.
    assert_eq!(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")?, true);
    Ok(())
}
