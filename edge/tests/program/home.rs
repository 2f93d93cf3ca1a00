//! What a program leaves in its user's home folder: nothing.

use super::{Result, edge, said};

/// ONNX Runtime would put a device's number and a database of its use there.
#[test]
fn nothing_is_left_in_the_home_folder() -> Result<()> {
    let home = tempfile::tempdir()?;
    let mut command = edge();
    command.env_remove("ORT_DISABLE_TELEMETRY").env_remove("XDG_CACHE_HOME").env("HOME", home.path());
    let output = command.arg("caption").arg(fixtures::scenes().join("images/scene_00000.jpg")).output()?;
    assert!(output.status.success() && !output.stdout.is_empty(), "{}", said(&output));
    let left: Vec<_> = std::fs::read_dir(home.path())?.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    assert!(left.is_empty(), "{left:?}");
    Ok(())
}
