//! The node's parameters: what each may be, what it is at the start, and which of them may change in flight.

use crate::error::{Error, Result};
use crate::params_file;
use crate::ros_arguments::Given;
use cssa_captioner::{Choice, Looks, Provider};
use ros2_client::{NodeOptions, ParameterValue};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Every node has it; this one's stamps are the messages' own.
const USE_SIM_TIME: &str = "use_sim_time";

/// What a parameter may be.
#[derive(Clone, Copy)]
enum Kind {
    Path,
    Name(&'static [&'static str]),
    Count(i64, i64),
    Looks,
    Number(f64, f64),
}

/// When a parameter may be set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Start,
    Always,
}

const DECLARED: [(&str, Kind, When); 13] = [
    ("beam", Kind::Count(0, 16), When::Start),
    ("bundle", Kind::Path, When::Start),
    ("least_confidence", Kind::Number(0.0, 1.0), When::Always),
    ("looks", Kind::Looks, When::Start),
    ("memory_mib", Kind::Count(256, 1 << 20), When::Start),
    ("period", Kind::Number(0.0, 86_400.0), When::Always),
    ("place_seconds", Kind::Number(0.0, 60.0), When::Always),
    ("provider", Kind::Name(Provider::NAMES), When::Start),
    ("reliability", Kind::Name(&["best_effort", "reliable"]), When::Start),
    ("runtime", Kind::Name(Choice::NAMES), When::Start),
    ("threads", Kind::Count(1, 64), When::Start),
    ("transport", Kind::Name(&["both", "raw", "compressed"]), When::Start),
    ("trust", Kind::Path, When::Start),
];

fn defaults() -> BTreeMap<String, ParameterValue> {
    let text = |text: &str| ParameterValue::String(text.into());
    let values = [
        ("beam", ParameterValue::Integer(0)),
        ("bundle", text("")),
        ("least_confidence", ParameterValue::Double(0.0)),
        ("looks", ParameterValue::Integer(1)),
        ("memory_mib", ParameterValue::Integer(4096)),
        ("period", ParameterValue::Double(0.0)),
        ("place_seconds", ParameterValue::Double(1.0)),
        ("provider", text("cpu")),
        ("reliability", text("best_effort")),
        ("runtime", text("auto")),
        ("threads", ParameterValue::Integer(2)),
        ("transport", text("both")),
        ("trust", text("")),
    ];
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

impl Kind {
    fn takes(self, value: &ParameterValue) -> bool {
        match (self, value) {
            (Self::Path, ParameterValue::String(_)) => true,
            (Self::Name(names), ParameterValue::String(name)) => names.contains(&name.as_str()),
            (Self::Count(least, most), ParameterValue::Integer(count)) => (least..=most).contains(count),
            (Self::Looks, ParameterValue::Integer(count)) => looks(*count).is_some(),
            (Self::Number(least, most), ParameterValue::Double(number)) => (least..=most).contains(number),
            _ => false,
        }
    }

    fn expected(self) -> String {
        match self {
            Self::Path => "a path as a string".into(),
            Self::Name(names) => format!("one of {}", names.join(", ")),
            Self::Count(least, most) => format!("a whole number of {least} to {most}"),
            Self::Looks => format!("one of {}", Looks::NAMES.join(", ")),
            Self::Number(least, most) => format!("a number of {least} to {most}"),
        }
    }
}

fn looks(count: i64) -> Option<Looks> {
    u8::try_from(count).ok().and_then(|count| Looks::try_from(count).ok())
}

fn declared(name: &str) -> Option<(Kind, When)> {
    DECLARED.iter().find(|(declared, ..)| *declared == name).map(|(_, kind, when)| (*kind, *when))
}

/// The parameters at the start.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parameters(BTreeMap<String, ParameterValue>);

impl Parameters {
    /// The defaults, and above them what was given for the node with this full name, the last one highest.
    ///
    /// # Errors
    /// A file that cannot be read, a value that its parameter may not have, a `-p` of no parameter. A file may have parameters of other
    /// nodes, also under `/**`: those that are not known are said and left.
    pub(crate) fn new(given: &[Given], full_node: &str) -> Result<Self> {
        let mut found = Self(defaults());
        for one in given {
            match one {
                Given::Value { node: Some(node), .. } if !is_called(full_node, node) => {}
                Given::Value { name, value, .. } => {
                    let refused = |problem| Error::Argument(format!("-p {name}:={value} is no YAML: {problem}"));
                    found.give(name, &params_file::value(value).map_err(refused)?)?;
                }
                Given::File(path) => {
                    for (name, value) in params_file::read(path, full_node)? {
                        match found.give(&name, &value) {
                            Err(error @ Error::UnknownParameter { .. }) => {
                                tracing::warn!("{}: {error}", path.display());
                            }
                            given => given.map_err(|error| {
                                let problem = error.to_string();
                                Error::ParametersFile { path: path.clone(), problem }
                            })?,
                        }
                    }
                }
            }
        }
        Ok(found)
    }

    fn give(&mut self, name: &str, value: &Value) -> Result<()> {
        if name == USE_SIM_TIME {
            return Ok(());
        }
        let Some((kind, _)) = declared(name) else {
            let expected: Vec<&str> = DECLARED.iter().map(|(name, ..)| *name).collect();
            return Err(Error::UnknownParameter { name: name.into(), expected: expected.join(", ") });
        };
        let typed = match (kind, value) {
            // YAML's 1 is 1.0 where the parameter is a number.
            (Kind::Number(..), Value::Number(number)) => number.as_f64().map(ParameterValue::Double),
            (_, Value::Number(number)) => number.as_i64().map(ParameterValue::Integer),
            (_, Value::String(text)) => Some(ParameterValue::String(text.clone())),
            _ => None,
        };
        let typed = typed.filter(|typed| kind.takes(typed)).ok_or_else(|| {
            let (name, found) = (name.to_owned(), value.to_string());
            Error::Parameter { name, found, expected: kind.expected() }
        })?;
        self.0.insert(name.into(), typed);
        Ok(())
    }

    /// Declares them: the node's services give and set them as they may be.
    pub(crate) fn declare(&self, options: NodeOptions) -> NodeOptions {
        let declare = |options: NodeOptions, (name, value): (&String, &ParameterValue)| {
            options.declare_parameter(name, value.clone())
        };
        let start = self.clone();
        self.0.iter().fold(options, declare).parameter_validator(Box::new(move |name, value| start.allows(name, value)))
    }

    /// Whether a parameter may become `value` in flight; where it is fixed it may be set to what it is.
    fn allows(&self, name: &str, value: &ParameterValue) -> Result<(), String> {
        let Some((kind, when)) = declared(name) else { return Err(format!("parameter {name} is not known")) };
        if when == When::Start && self.0.get(name) != Some(value) {
            return Err(format!("parameter {name} is fixed at the start of the node"));
        }
        if kind.takes(value) { Ok(()) } else { Err(format!("parameter {name}: expected {}", kind.expected())) }
    }

    /// A path, `None` where it is empty.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        Some(self.text(name)).filter(|text| !text.is_empty()).map(Into::into)
    }

    /// A name.
    pub(crate) fn text(&self, name: &str) -> &str {
        match self.0.get(name) {
            Some(ParameterValue::String(text)) => text,
            _ => "",
        }
    }

    /// A whole number.
    pub(crate) fn count(&self, name: &str) -> usize {
        match self.0.get(name) {
            Some(ParameterValue::Integer(count)) => usize::try_from(*count).unwrap_or_default(),
            _ => 0,
        }
    }

    /// How many looks.
    pub(crate) fn looks(&self) -> Looks {
        looks(self.count("looks") as i64).unwrap_or_default()
    }
}

/// What may change in flight, as it is now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Live {
    pub(crate) least_confidence: f64,
    pub(crate) period: Duration,
    pub(crate) place_within: Duration,
}

impl Live {
    /// By the node's own parameters.
    pub(crate) fn of(parameter: impl Fn(&str) -> Option<ParameterValue>) -> Self {
        let number = |name| match parameter(name) {
            Some(ParameterValue::Double(number)) => number,
            _ => 0.0,
        };
        let seconds = |name| Duration::try_from_secs_f64(number(name)).unwrap_or_default();
        Self {
            least_confidence: number("least_confidence"),
            period: seconds("period"),
            place_within: seconds("place_seconds"),
        }
    }
}

/// Whether `-p node:name:=value` means the node.
fn is_called(full_node: &str, node: &str) -> bool {
    full_node == node || full_node.rsplit('/').next() == Some(node)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(parameters: &[(&str, &str)]) -> Result<Parameters> {
        let one = |(name, value): &(&str, &str)| {
            let (node, name) = name.split_once(':').map_or((None, *name), |(node, name)| (Some(node.into()), name));
            Given::Value { node, name: name.into(), value: (*value).into() }
        };
        Parameters::new(&parameters.iter().map(one).collect::<Vec<_>>(), "/cssa")
    }

    #[test]
    fn each_declared_parameter_has_a_default_that_it_may_be() {
        let defaults = defaults();
        assert_eq!(defaults.keys().map(String::as_str).collect::<Vec<_>>(), DECLARED.map(|(name, ..)| name));
        assert!(DECLARED.iter().all(|(name, kind, _)| kind.takes(&defaults[*name])));
    }

    #[test]
    fn the_last_given_value_counts() -> Result<()> {
        let found =
            given(&[("looks", "2"), ("looks", "4"), ("period", "1"), ("other:looks", "8"), ("cssa:runtime", "tract")])?;
        assert_eq!((found.looks(), found.text("runtime")), (Looks::Four, "tract"));
        let live = Live::of(|name| found.0.get(name).cloned());
        let expected =
            Live { least_confidence: 0.0, period: Duration::from_secs(1), place_within: Duration::from_secs(1) };
        assert_eq!(live, expected);
        Ok(())
    }

    #[test]
    fn what_a_parameter_may_not_be_is_refused_by_its_name() {
        for (name, value, said) in [
            ("looks", "3", "parameter looks is 3, expected one of 1, 2, 4, 8"),
            ("looks", "four", "parameter looks is \"four\", expected one of 1, 2, 4, 8"),
            ("bundle", "7", "parameter bundle is 7, expected a path as a string"),
            ("period", "~", "parameter period is null, expected a number of 0 to 86400"),
            ("period", "-1", "parameter period is -1, expected a number of 0 to 86400"),
            ("runtime", "onnx", "parameter runtime is \"onnx\", expected one of auto, ort, tract"),
        ] {
            assert_eq!(given(&[(name, value)]).err().map(|error| error.to_string()).as_deref(), Some(said));
        }
        assert!(matches!(given(&[("look", "4")]), Err(Error::UnknownParameter { .. })));
    }

    #[test]
    fn what_a_file_may_not_say_is_refused_by_the_file() -> Result<(), Box<dyn std::error::Error>> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), "cssa:\n  ros__parameters:\n    looks: 3\n    other: 1\n")?;
        let refused = Parameters::new(&[Given::File(file.path().into())], "/cssa").err().map(|error| error.to_string());
        let expected = format!("{}: parameter looks is 3, expected one of 1, 2, 4, 8", file.path().display());
        assert_eq!(refused, Some(expected));
        Ok(())
    }

    #[test]
    fn in_flight_some_may_change() -> Result<()> {
        let start = given(&[("looks", "4")])?;
        assert_eq!(start.allows("period", &ParameterValue::Double(2.5)), Ok(()));
        assert_eq!(start.allows("looks", &ParameterValue::Integer(4)), Ok(()));
        assert!(start.allows("looks", &ParameterValue::Integer(1)).is_err_and(|said| said.contains("fixed")));
        assert!(start.allows("period", &ParameterValue::Double(f64::NAN)).is_err());
        assert!(start.allows("period", &ParameterValue::NotSet).is_err());
        Ok(())
    }
}
