//! Names of topics and services as ROS 2 resolves them: relative ones in the node's namespace, `~` in the node, then the remappings.
//! <https://design.ros2.org/articles/topic_and_service_names.html>

use crate::error::{Error, Result};
use ros2_client::{Name, NodeName};

/// What the node is called where nobody says otherwise.
const NODE: &str = "cssa";

/// `from:=to`, as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remap {
    pub(crate) from: String,
    pub(crate) to: String,
}

/// Who the node is, and what others call what it asks for.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    namespace: String,
    node: String,
    remaps: Vec<Remap>,
}

impl Names {
    /// Of `__node`, `__name` and `__ns` among the remappings, the first of each counts, as for all of them.
    ///
    /// # Errors
    /// A name that ROS 2 does not allow.
    pub(crate) fn new(remaps: Vec<Remap>) -> Result<Self> {
        let given = |names: &[&str]| {
            remaps.iter().find(|remap| names.contains(&remap.from.as_str())).map(|remap| remap.to.clone())
        };
        let node = given(&["__node", "__name"]).unwrap_or_else(|| NODE.into());
        let namespace = given(&["__ns"]).unwrap_or_else(|| "/".into());
        let namespace = if namespace.starts_with('/') { namespace } else { format!("/{namespace}") };
        let names = Self { namespace, node, remaps };
        names.node_name()?;
        parsed(&names.full_node())?;
        Ok(names)
    }

    /// The node's name.
    ///
    /// # Errors
    /// A name that ROS 2 does not allow.
    pub(crate) fn node_name(&self) -> Result<NodeName> {
        let refused = |problem| Error::Name { name: self.full_node(), problem: format!("{problem:?}") };
        NodeName::new(&self.namespace, &self.node).map_err(refused)
    }

    /// With its namespace: `/cssa`.
    pub(crate) fn full_node(&self) -> String {
        format!("{}/{}", self.prefix(), self.node)
    }

    /// What `name` of this program's text is called outside.
    ///
    /// # Errors
    /// A name that ROS 2 does not allow.
    pub(crate) fn resolve(&self, name: &str) -> Result<Name> {
        let plain = self.absolute(name);
        self.remapped(&plain)?.map_or_else(|| parsed(&plain), Ok)
    }

    /// As [`Names::resolve`], for what image_transport hangs under a topic: it moves along with it.
    ///
    /// # Errors
    /// A name that ROS 2 does not allow.
    pub(crate) fn resolve_under(&self, topic: &str, transport: &str) -> Result<Name> {
        let own = self.remapped(&self.absolute(&format!("{topic}/{transport}")))?;
        own.map_or_else(|| parsed(&format!("{}/{transport}", self.resolve(topic)?)), Ok)
    }

    fn remapped(&self, plain: &str) -> Result<Option<Name>> {
        let rule =
            self.remaps.iter().find(|remap| !remap.from.starts_with("__") && self.absolute(&remap.from) == plain);
        rule.map(|remap| parsed(&self.absolute(&remap.to))).transpose()
    }

    fn absolute(&self, name: &str) -> String {
        match name.strip_prefix("~/") {
            Some(private) => format!("{}/{private}", self.full_node()),
            None if name.starts_with('/') => name.into(),
            None => format!("{}/{name}", self.prefix()),
        }
    }

    fn prefix(&self) -> &str {
        self.namespace.trim_end_matches('/')
    }
}

fn parsed(name: &str) -> Result<Name> {
    Name::parse(name).map_err(|problem| Error::Name { name: name.into(), problem: format!("{problem:?}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(remaps: &[(&str, &str)]) -> Result<Names> {
        Names::new(remaps.iter().map(|(from, to)| Remap { from: (*from).into(), to: (*to).into() }).collect())
    }

    #[test]
    fn names_are_relative_private_or_remapped() -> Result<()> {
        let plain = names(&[])?;
        assert_eq!(plain.full_node(), "/cssa");
        assert_eq!(plain.resolve("image")?.to_string(), "/image");
        assert_eq!(plain.resolve("~/caption")?.to_string(), "/cssa/caption");
        let drone =
            names(&[("__ns", "/drone"), ("__node", "eye"), ("image", "camera/image_raw"), ("~/caption", "/words")])?;
        assert_eq!(drone.full_node(), "/drone/eye");
        assert_eq!(drone.resolve("image")?.to_string(), "/drone/camera/image_raw");
        assert_eq!(drone.resolve("fix")?.to_string(), "/drone/fix");
        assert_eq!(drone.resolve("~/caption")?.to_string(), "/words");
        assert_eq!(drone.resolve("/diagnostics")?.to_string(), "/diagnostics");
        Ok(())
    }

    #[test]
    fn compressed_images_move_with_their_topic() -> Result<()> {
        let moved = names(&[("image", "/camera/image_raw")])?;
        assert_eq!(moved.resolve_under("image", "compressed")?.to_string(), "/camera/image_raw/compressed");
        let own = names(&[("image", "/camera/image_raw"), ("image/compressed", "/jpeg")])?;
        assert_eq!(own.resolve_under("image", "compressed")?.to_string(), "/jpeg");
        Ok(())
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for (from, to) in [("image", "/a b"), ("image", "/a/"), ("image", ""), ("image", "/1st")] {
            assert!(names(&[(from, to)]).and_then(|names| names.resolve("image")).is_err(), "{to}");
        }
        assert!(names(&[("__node", "a/b")]).is_err());
        assert!(names(&[("__ns", "/a//b")]).is_err());
    }
}
