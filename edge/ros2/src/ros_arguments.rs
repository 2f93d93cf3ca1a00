//! What `ros2 run` and `ros2 launch` pass: `--ros-args -r from:=to -p name:=value --params-file FILE`, until `--` or the end.
//! <https://design.ros2.org/articles/ros_command_line_arguments.html>

use crate::error::{Error, Result};
use crate::names::Remap;
use std::ffi::OsString;
use std::path::PathBuf;

/// What was given for this node.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct RosArguments {
    pub(crate) remaps: Vec<Remap>,
    /// In the order in which they were given: the last one counts.
    pub(crate) parameters: Vec<Given>,
}

/// Where parameters come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// `-p [node:]name:=value`, the value as YAML.
    Value { node: Option<String>, name: String, value: String },
    /// `--params-file`.
    File(PathBuf),
}

/// Takes the arguments of ROS out: what is left are the program's own.
///
/// # Errors
/// An argument of ROS that is not known, or says nothing.
pub(crate) fn split(arguments: impl IntoIterator<Item = OsString>) -> Result<(Vec<OsString>, RosArguments)> {
    let (mut own, mut found) = (Vec::new(), RosArguments::default());
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        if argument == "--ros-args" {
            take(&mut arguments, &mut found)?;
        } else {
            own.push(argument);
        }
    }
    Ok((own, found))
}

fn take(arguments: &mut impl Iterator<Item = OsString>, found: &mut RosArguments) -> Result<()> {
    while let Some(argument) = arguments.next() {
        let flag = text(argument)?;
        let mut value = || {
            let missing = || Error::Argument(format!("{flag} of --ros-args has no value"));
            arguments.next().ok_or_else(missing).and_then(text)
        };
        match flag.as_str() {
            "--" => return Ok(()),
            "-r" | "--remap" => found.remaps.push(remap(&value()?)?),
            "-p" | "--param" => found.parameters.push(parameter(&value()?)?),
            "--params-file" => found.parameters.push(Given::File(value()?.into())),
            // This program logs to standard error whatever they say; an enclave is refused where security is asked for (`environment`).
            "--log-level" | "--log-config-file" | "--log-file-name" | "-e" | "--enclave" => drop(value()?),
            "--enable-rosout-logs"
            | "--disable-rosout-logs"
            | "--enable-stdout-logs"
            | "--disable-stdout-logs"
            | "--enable-external-lib-logs"
            | "--disable-external-lib-logs" => {}
            unknown => {
                let expected = "-r from:=to, -p name:=value, --params-file FILE, or -- before other arguments";
                return Err(Error::Argument(format!("{unknown} after --ros-args, expected {expected}")));
            }
        }
    }
    Ok(())
}

fn text(argument: OsString) -> Result<String> {
    argument.into_string().map_err(|odd| Error::Argument(format!("{} is no UTF-8", odd.display())))
}

fn remap(given: &str) -> Result<Remap> {
    match given.split_once(":=") {
        Some((from, to)) if !from.is_empty() && !to.is_empty() && !from.contains(':') => {
            Ok(Remap { from: from.into(), to: to.into() })
        }
        _ => Err(Error::Argument(format!("-r {given}, expected from:=to"))),
    }
}

fn parameter(given: &str) -> Result<Given> {
    let Some((name, value)) = given.split_once(":=").filter(|(name, _)| !name.is_empty()) else {
        return Err(Error::Argument(format!("-p {given}, expected name:=value")));
    };
    let (node, name) = name.split_once(':').map_or((None, name), |(node, name)| (Some(node.to_owned()), name));
    Ok(Given::Value { node, name: name.into(), value: value.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split_words(words: &str) -> Result<(Vec<OsString>, RosArguments)> {
        split(words.split_whitespace().map(OsString::from))
    }

    #[test]
    fn what_launch_passes_is_taken() -> Result<()> {
        let words = "edge-ros2 --log json --ros-args -r __node:=eye --remap image:=/camera/image_raw -p looks:=4 \
                     --params-file /tmp/launch_params_x -p eye:period:=0.5 --log-level info --disable-stdout-logs -- --version";
        let (own, found) = split_words(words)?;
        assert_eq!(own, ["edge-ros2", "--log", "json", "--version"].map(OsString::from));
        let remap = |from: &str, to: &str| Remap { from: from.into(), to: to.into() };
        assert_eq!(found.remaps, [remap("__node", "eye"), remap("image", "/camera/image_raw")]);
        let value = |node: Option<&str>, name: &str, value: &str| Given::Value {
            node: node.map(Into::into),
            name: name.into(),
            value: value.into(),
        };
        let file = Given::File("/tmp/launch_params_x".into());
        assert_eq!(found.parameters, [value(None, "looks", "4"), file, value(Some("eye"), "period", "0.5")]);
        Ok(())
    }

    #[test]
    fn what_says_nothing_is_refused() {
        for words in [
            "--ros-args -r image",
            "--ros-args -r rostopic://image:=a",
            "--ros-args -p looks=4",
            "--ros-args -p :=4",
            "--ros-args --params-file",
            "--ros-args --looks 4",
        ] {
            assert!(split_words(words).is_err(), "{words}");
        }
    }
}
