//! `edge bench --choose`: what is fastest here is what flies.

use super::{Result, configure, edge, fly, said};

/// The configuration gets what was measured, keeps the rest, and flies; a bundle that does not load ends it before anything is measured.
#[test]
fn the_fastest_way_is_written_and_flies() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = configure(folder.path(), &["scene_00000.jpg"], "threads = 2 # mine", "# the end")?;
    let image = fixtures::scenes().join("images/scene_00001.jpg");
    let choose = |bundle: &std::path::Path| {
        let mut command = edge();
        command.args(["bench", "--count", "3", "--choose"]).arg(&config).arg("--candidate").arg(fixtures::bundle());
        command.arg("--candidate").arg(bundle).arg(&image).output()
    };
    let (broken, before) = (folder.path().join("broken.cssa"), std::fs::read_to_string(&config)?);
    std::fs::write(&broken, "no bundle")?;
    let output = choose(&broken)?;
    let refused = said(&output);
    assert!(
        !output.status.success() && refused.contains("broken.cssa") && !refused.contains("ms a caption"),
        "{refused}"
    );
    assert_eq!(std::fs::read_to_string(&config)?, before);

    let output = choose(&fixtures::bundle())?;
    assert!(output.status.success(), "{}", said(&output));
    let (shown, log) = (String::from_utf8(output.stdout.clone())?, said(&output));
    assert!(shown.contains("ms a caption") && shown.contains("edge install"), "{shown}");
    let rejected = |way: &str| log.lines().any(|line| line.contains(way) && line.contains("not to be chosen"));
    assert!(rejected("ort/cuda") && rejected("ort/tensorrt"), "no such device is here: {log}");
    let text = std::fs::read_to_string(&config)?;
    assert!(text.contains("# mine") && text.contains("# the end") && text.contains("looks = 1"), "{text}");
    for key in ["runtime", "provider = \"cpu\"", "threads", "batch"] {
        assert!(text.contains(&format!("\n{key}")), "{key} in {text}");
    }
    assert!(!text.contains("bundle"), "the slots have it: {text}");
    let (status, log) = fly(&config)?;
    assert_eq!(status["counters"]["frames"], 1, "{status} {log}");
    Ok(())
}

/// Killed, it leaves no measurement behind that goes on.
#[test]
fn what_is_killed_ends_with_its_measurement() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = configure(folder.path(), &["scene_00000.jpg"], "", "")?;
    let image = fixtures::scenes().join("images/scene_00001.jpg");
    let mut command = edge();
    command.args(["bench", "--count", "100000", "--choose"]).arg(&config).arg("--candidate").arg(fixtures::bundle());
    let mut program = command.arg(&image).spawn()?;
    let children = format!("/proc/{0}/task/{0}/children", program.id());
    let child = (0..200).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        std::fs::read_to_string(&children).ok()?.split_whitespace().next().map(str::to_owned)
    });
    let child = child.ok_or("nothing was measured")?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    program.kill()?;
    program.wait()?;
    let is_over = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        let state = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        state.is_empty() || state.contains(") Z ")
    });
    assert!(is_over, "process {child} goes on");
    Ok(())
}

/// Whoever cannot leave the configuration whose it is hears that before anything is measured. Root can, so this becomes nobody.
#[test]
fn whose_configuration_it_is_is_asked_first() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir()?;
    let config = configure(folder.path(), &["scene_00000.jpg"], "", "")?;
    let before = std::fs::read_to_string(&config)?;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777))?;
    let program = folder.path().join("edge");
    std::fs::copy(env!("CARGO_BIN_EXE_edge"), &program)?;
    let copied = |from: std::path::PathBuf, to: &str| -> Result<()> {
        std::fs::copy(from, folder.path().join(to))?;
        Ok(())
    };
    copied(fixtures::scenes().join("images/scene_00001.jpg"), "a.jpg")?;
    let mut nobody = std::process::Command::new("setpriv");
    nobody.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&program).current_dir(folder.path());
    let Ok(output) =
        nobody.args(["bench", "--choose", "edge.toml", "a.jpg", "--candidate"]).arg(fixtures::bundle()).output()
    else {
        // setpriv is not here.
        return Ok(());
    };
    if said(&output).starts_with("setpriv: ") {
        // This is not root.
        return Ok(());
    }
    let refused = said(&output);
    assert!(!output.status.success() && refused.contains("cannot be written anew for its owner"), "{refused}");
    assert!(!refused.contains("ms a caption") && std::fs::read_to_string(&config)? == before, "{refused}");
    Ok(())
}
