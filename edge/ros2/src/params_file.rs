//! A parameter file of ROS 2: YAML of nodes, by name or with `*` for one token and `**` for any, and under each `ros__parameters`.

use crate::error::{Error, Result};
use serde_json::{Map, Value};
use std::io::Read;
use std::path::Path;

/// Most bytes of a file, and deepest nesting.
const MAX_BYTES: u64 = 1 << 20;
const MAX_DEPTH: usize = 32;
const PARAMETERS: &str = "ros__parameters";

/// The parameters that a file has for `node` (`/drone/cssa`), nested ones with dots, wildcards first.
///
/// # Errors
/// The file cannot be read, is no YAML, or has another form.
pub(crate) fn read(path: &Path, node: &str) -> Result<Vec<(String, Value)>> {
    let refused = |problem: String| Error::ParametersFile { path: path.into(), problem };
    let file = std::fs::File::open(path).map_err(|error| refused(format!("cannot be read: {error}")))?;
    let mut text = String::new();
    let mut limited = file.take(MAX_BYTES + 1);
    limited.read_to_string(&mut text).map_err(|error| refused(format!("cannot be read: {error}")))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(refused(format!("is longer than {MAX_BYTES} bytes")));
    }
    parse(&text, node).map_err(refused)
}

/// A value as `-p name:=value` has it.
///
/// # Errors
/// It is no YAML.
pub(crate) fn value(text: &str) -> Result<Value, String> {
    // A piece of the text below the message would be more lines.
    serde_saphyr::from_str(text).map_err(|error| error.without_snippet().to_string())
}

fn parse(text: &str, node: &str) -> Result<Vec<(String, Value)>, String> {
    let nodes: Option<Map<String, Value>> =
        serde_saphyr::from_str(text).map_err(|error| format!("is no YAML of nodes: {}", error.without_snippet()))?;
    let mut found = Vec::new();
    let tokens: Vec<&str> = tokens(node).collect();
    nodes_of(&nodes.unwrap_or_default(), &mut Vec::new(), &tokens, &mut found)?;
    // What is written for fewer nodes stands above what is written for many.
    found.sort_by_key(|(wildcards, ..)| std::cmp::Reverse(*wildcards));
    Ok(found.into_iter().map(|(_, name, value)| (name, value)).collect())
}

fn tokens(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|token| !token.is_empty())
}

type Found = Vec<(usize, String, Value)>;

fn nodes_of<'a>(
    nodes: &'a Map<String, Value>,
    path: &mut Vec<&'a str>,
    node: &[&str],
    found: &mut Found,
) -> Result<(), String> {
    if path.len() > MAX_DEPTH {
        return Err(format!("is nested deeper than {MAX_DEPTH} names"));
    }
    for (key, value) in nodes {
        let Value::Object(below) = value else {
            return Err(format!("{key} is {value}, expected {PARAMETERS} under a node"));
        };
        if key == PARAMETERS {
            if matches(path, node) {
                let wildcards = path.iter().map(|token| token.matches('*').count()).sum();
                flatten(below, "", wildcards, 0, found)?;
            }
            continue;
        }
        let depth = path.len();
        path.extend(tokens(key));
        nodes_of(below, path, node, found)?;
        path.truncate(depth);
    }
    Ok(())
}

fn matches(pattern: &[&str], node: &[&str]) -> bool {
    match (pattern.split_first(), node.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => (0..=node.len()).any(|taken| matches(rest, &node[taken..])),
        (Some((first, rest)), Some((token, further))) => (*first == "*" || first == token) && matches(rest, further),
        _ => false,
    }
}

fn flatten(
    values: &Map<String, Value>,
    prefix: &str,
    wildcards: usize,
    depth: usize,
    found: &mut Found,
) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(format!("has parameters nested deeper than {MAX_DEPTH} names"));
    }
    for (key, value) in values {
        let name = format!("{prefix}{key}");
        match value {
            Value::Object(below) => flatten(below, &format!("{name}."), wildcards, depth + 1, found)?,
            value => found.push((wildcards, name, value.clone())),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_file_speaks_to_nodes_by_name_and_by_pattern() {
        let text = "cssa:\n  ros__parameters:\n    looks: 4\n/**:\n  ros__parameters:\n    looks: 1\n    period: 0.5\n    a: {b: x}\n\
                    /drone/*:\n  ros__parameters: {period: 2.0}\nother:\n  ros__parameters: {looks: 8}\n";
        let named = |name: &str, value: Value| (name.to_owned(), value);
        let found = parse(text, "/cssa");
        let expected = vec![
            named("a.b", json!("x")),
            named("looks", json!(1)),
            named("period", json!(0.5)),
            named("looks", json!(4)),
        ];
        assert_eq!(found, Ok(expected));
        let drone = parse(text, "/drone/cssa").unwrap_or_default();
        assert_eq!(drone.last(), Some(&named("period", json!(2.0))));
        let nested = "drone:\n  cssa:\n    ros__parameters: {looks: 2}\n";
        assert_eq!(parse(nested, "/drone/cssa"), Ok(vec![named("looks", json!(2))]));
        assert_eq!(parse(nested, "/cssa"), Ok(Vec::new()));
        assert_eq!(parse("", "/cssa"), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_parameter_file_is_refused() {
        for text in ["looks: 4", "- a", "{", "cssa:\n  ros__parameters: 7", &"a: {".repeat(200)] {
            let refused = parse(text, "/cssa").err().unwrap_or_default();
            assert!(!refused.is_empty() && !refused.contains('\n'), "{text}: {refused}");
        }
    }

    #[test]
    fn values_are_yaml() {
        for (text, expected) in [("4", json!(4)), ("0.5", json!(0.5)), ("/a/b", json!("/a/b")), ("true", json!(true))] {
            assert_eq!(value(text), Ok(expected));
        }
        assert_eq!(value("'4'"), Ok(json!("4")));
        assert!(value("[").is_err());
    }
}
