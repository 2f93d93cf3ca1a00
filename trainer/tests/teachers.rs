//! A run that learns from finished runs, small: from teachers of two networks and sizes, stopped and gone on with, and what is refused.

mod small;

use anyhow::{Context, Result};
use small::Small;
use tch::Device;
use trainer::config::Config;
use trainer::progress::Progress;
use trainer::ranks::Ranks;
use trainer::run;

const RECIPE: &str = r#"
view_seed = 3
[mccl]
epochs = 0
[rsic]
epochs = 2
batch = 8
continues_schedule = false
augment = true
schedule = { kind = "noam", factor = 0.1, warmup = 12 }
"#;

#[test]
fn a_student_of_two_teachers_goes_on_exactly() -> Result<()> {
    let Some(small) = Small::start()? else { return Ok(()) };
    let path = |name: &str| small.path(name);
    let config = small.recipe(RECIPE)?;
    let train = |config: &Config, out: &str| {
        run::train(config, &small.places(out), Device::Cpu, &Ranks::alone(), &Progress::Shown)
    };
    let state = |run: &str| std::fs::read(path(run).join("state/rsic-2-0.safetensors"));
    train(&Config { seed: 11, ..config.clone() }, "one")?;
    let mut other = Config { seed: 12, ..config.clone() };
    (other.network.image_size, other.network.width) = (96, 24);
    train(&other, "other")?;

    let mut student = config.clone();
    student.rsic.teachers = vec![path("one"), path("other")];
    train(&student, "whole")?;
    let mut shorter = student.clone();
    shorter.rsic.epochs = 1;
    train(&shorter, "stopped")?;
    train(&student, "stopped")?;
    assert!(state("whole")? == state("stopped")?, "a student that was stopped went on otherwise");
    train(&config, "untaught")?;
    assert!(state("whole")? != state("untaught")?, "the teachers changed nothing");
    let cached = std::fs::read_dir(path("features"))?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    assert_eq!(cached.filter(|name| name.contains("train-view1")).count(), 2, "one file for each size");

    let refused = |config: &Config, out: &str| -> Result<String> {
        let error = train(config, out).err().context("it was not refused")?;
        Ok(format!("{:#}", anyhow::Error::from(error)))
    };
    let mut fewer = student.clone();
    fewer.rsic.teachers.pop();
    let said = refused(&fewer, "whole")?;
    assert!(said.contains("inputs.toml differs") && said.contains("rsic.teachers"), "{said}");
    let mut longer = student.clone();
    longer.data.max_tokens = 40;
    let said = refused(&longer, "longer")?;
    assert!(said.contains("one has at most 32 tokens a caption, expected data.max_tokens, 40, or more"), "{said}");
    student.data.lengths = 2;
    let said = refused(&student, "classes")?;
    assert!(said.contains("one/vocabulary.txt line 4 is") && said.contains("the student's \"<length:"), "{said}");
    student.rsic.teachers = vec![path("nobody")];
    assert!(refused(&student, "nobody's")?.contains("nobody"));
    Ok(())
}
