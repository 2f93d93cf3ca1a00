//! `trainer ablate` from beginning to end, small: two cells and two seeds on rendered scenes.

mod small;

use anyhow::{Context, Result};
use small::Small;
use tch::Device;
use trainer::ablate::{Request, Table, ablate};
use trainer::progress::Progress;
use trainer::run::Places;

const RECIPE: &str = r#"
[mccl]
epochs = 1
batch = 8
schedule = { kind = "cosine", peak = 3e-3, warmup = 2 }
[rsic]
epochs = 1
batch = 8
continues_schedule = false
schedule = { kind = "cosine", peak = 3e-3, warmup = 2 }
"#;

#[test]
fn two_cells_and_two_seeds_make_a_table() -> Result<()> {
    let Some(small) = Small::start()? else { return Ok(()) };
    let path = |name: &str| small.path(name);
    let (config, places) = (small.recipe(RECIPE)?, small.places("out"));
    let cells = |names: [&str; 2]| names.map(str::to_owned).to_vec();
    let made = |table, names, seeds| {
        ablate(&Request { table, cells: cells(names), seeds }, &config, &places, Device::Cpu, &Progress::Shown)
    };
    let text = made(Table::Four, ["neither", "dgp"], 2)?;
    assert!(text.contains("| neither |") && text.contains("| dgp | neither | "), "{text}");
    assert!(text.contains("over seeds and images"), "{text}");
    assert_eq!(std::fs::read_to_string(path("out/table-4.md"))?, text);
    let views = std::fs::read_dir(path("features"))?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let augmented = views.filter(|name| name.contains("view1")).count();
    assert_eq!(augmented, 1, "all seeds share their views");

    // Finished cells are read again, also by another table that has them: table 5's first is table 4's dgp.
    let finished = |name: &str| std::fs::metadata(path(name)).and_then(|found| found.modified());
    let before = finished("out/runs/dgp-seed4/model.safetensors")?;
    let text = made(Table::Five, ["exp-s1", "log"], 1)?;
    assert!(text.contains("one seed: seeds are not resampled") && text.contains("| log | exp-s1 | "), "{text}");
    assert_eq!(finished("out/runs/dgp-seed4/model.safetensors")?, before);
    // A later call with fewer seeds and cells forgets nothing.
    let text = made(Table::Four, ["neither", "dgp"], 1)?;
    assert!(text.contains("over seeds and images"), "{text}");
    // Another recipe for this folder is refused before anything is trained.
    let mut longer = config.clone();
    longer.rsic.epochs += 1;
    let cells = vec!["mccl".to_owned()];
    let refused =
        ablate(&Request { table: Table::Four, cells, seeds: 1 }, &longer, &places, Device::Cpu, &Progress::Shown);
    let said = refused.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(said.contains("config.toml differs") && !path("out/runs/mccl-seed3").exists(), "{said}");
    assert!(path("out/runs/log-seed3/outcome.json").is_file() && !path("out/runs/exp-s1-seed3").exists());
    assert!(!path("out/runs/log-seed3/state").exists());

    // A finished run is not taken for one with another lexicon, where its text branch had one.
    made(Table::Seven, ["image+text", "text"], 1)?;
    std::fs::create_dir(path("wordnet"))?;
    std::fs::write(path("wordnet/index.sense"), "road%1:06:00:: 00000001 1 9\nriver%1:17:00:: 00000001 1 9\n")?;
    let lexicon = Places { wordnet: path("wordnet"), ..places.clone() };
    let request = Request { table: Table::Seven, cells: vec!["text".into()], seeds: 1 };
    let refused = ablate(&request, &config, &lexicon, Device::Cpu, &Progress::Shown)
        .err()
        .context("other synonyms were taken")?;
    assert!(format!("{refused:#}").contains("text-seed3/inputs.toml differs"), "{refused:#}");

    let mut other = config.clone();
    other.network.dropout = 0.3;
    let request = Request { table: Table::Four, cells: Vec::new(), seeds: 1 };
    let refused =
        ablate(&request, &other, &places, Device::Cpu, &Progress::Shown).err().context("another recipe was taken")?;
    assert!(format!("{refused:#}").contains("neither-seed3/config.toml differs from --config"), "{refused:#}");
    Ok(())
}
