//! Names of tensors that begin with the name of what held the network: `module.` of DataParallel, `module.encoder_q.` of MoCo,
//! `backbone.`, `_orig_mod.` of torch.compile.

use crate::error::Result;
use cssa::files::FileError;
use cssa::tensors::Tensors;

/// What holds the network that was trained, where a file has a slower copy of it, too.
const TRAINED: [&str; 4] = ["encoder_q.", "base_encoder.", "online_encoder.", "student."];

/// The tensors without the prefix under which all `wanted` names are, and that prefix; as they are where there is none.
pub fn without_prefix(tensors: Tensors, wanted: &[&str]) -> Result<(Tensors, Option<String>)> {
    let has_all = |prefix: &str| wanted.iter().all(|name| tensors.get(&format!("{prefix}{name}")).is_ok());
    let Some(first) = wanted.first().filter(|_| !has_all("")) else { return Ok((tensors, None)) };
    let prefixes = tensors.names().filter_map(|name| name.strip_suffix(first));
    let mut prefixes: Vec<String> =
        prefixes.filter(|prefix| prefix.ends_with('.') && has_all(prefix)).map(str::to_owned).collect();
    if prefixes.len() > 1 {
        let is_trained = |prefix: &String| TRAINED.iter().any(|trained| prefix.ends_with(trained));
        let trained: Vec<String> = prefixes.iter().filter(|prefix| is_trained(prefix)).cloned().collect();
        if trained.len() != 1 {
            let problem = format!("has the network more than once, as {}: keep one of them", prefixes.join(", "));
            return Err(FileError::content(tensors.path(), problem).into());
        }
        prefixes = trained;
    }
    Ok(match prefixes.pop() {
        Some(prefix) => (tensors.without_prefix(&prefix), Some(prefix)),
        None => (tensors, None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cssa::tensors::Array;
    use std::path::Path;

    fn tensors(names: &[&str]) -> Tensors {
        let array = |name: &&str| ((*name).to_owned(), Array { shape: vec![1], data: vec![name.len() as f32] });
        Tensors::new(Path::new("moco.pth"), names.iter().map(array).collect())
    }

    #[test]
    fn what_held_the_network_is_taken_off() -> Result<()> {
        let wanted = ["conv1.weight", "layer1.0.conv1.weight"];
        let under = |prefix: &str| wanted.map(|name| format!("{prefix}{name}"));
        let cases: [(&[&str], Option<&str>); 4] = [
            (&[""], None),
            (&["module."], Some("module.")),
            (&["module.encoder_k.", "module.encoder_q."], Some("module.encoder_q.")),
            (&["_orig_mod.backbone."], Some("_orig_mod.backbone.")),
        ];
        for (prefixes, expected) in cases {
            let names: Vec<String> = prefixes.iter().flat_map(|prefix| under(prefix)).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let (found, prefix) = without_prefix(tensors(&names), &wanted)?;
            assert_eq!(prefix.as_deref(), expected);
            let length = expected.unwrap_or_default().len() + wanted[1].len();
            assert_eq!(found.get(wanted[1])?.data, [length as f32]);
        }
        let two = without_prefix(tensors(&["a.conv1.weight", "b.conv1.weight"]), &wanted[..1]);
        assert!(two.is_err_and(|error| error.to_string().contains("more than once, as a., b.")));
        let (none, prefix) = without_prefix(tensors(&["module.conv1.weight"]), &wanted)?;
        assert!(prefix.is_none() && none.get("module.conv1.weight").is_ok(), "a part of it is not it");
        Ok(())
    }
}
