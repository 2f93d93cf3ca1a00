//! The variables by which ROS 2 is set up.

use crate::error::{Error, Result};
use ros2_client::ServiceMapping;

/// Highest domain whose ports are free on Linux.
const MAX_DOMAIN: u16 = 232;

/// How the node meets others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Environment {
    /// `ROS_DOMAIN_ID`.
    pub(crate) domain: u16,
    /// `ROS_AUTOMATIC_DISCOVERY_RANGE`, or `ROS_LOCALHOST_ONLY` of earlier releases.
    pub(crate) range: Range,
    /// How services are written, which the middlewares do in two ways: `RMW_IMPLEMENTATION`.
    pub(crate) mapping: ServiceMapping,
}

/// Who is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    Subnet,
    Localhost,
}

impl Environment {
    /// By the variables of `variable`, which is `std::env::var` outside of tests.
    ///
    /// # Errors
    /// A variable that is none of its values, or asks for what this program has not: SROS 2, another middleware.
    pub(crate) fn of(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let refused = |name: &str, value: &str, expected: &str| {
            Err(Error::Environment(format!("{name} is {value:?}, expected {expected}")))
        };
        let domain = match given("ROS_DOMAIN_ID") {
            None => 0,
            Some(text) => match text.parse() {
                Ok(domain) if domain <= MAX_DOMAIN => domain,
                _ => return refused("ROS_DOMAIN_ID", &text, "0 to 232"),
            },
        };
        let range = match (given("ROS_AUTOMATIC_DISCOVERY_RANGE").as_deref(), given("ROS_LOCALHOST_ONLY").as_deref()) {
            (Some("LOCALHOST"), _) | (None, Some("1")) => Range::Localhost,
            (Some("SUBNET" | "SYSTEM_DEFAULT"), _) | (None, _) => Range::Subnet,
            (Some(other), _) => {
                return refused(
                    "ROS_AUTOMATIC_DISCOVERY_RANGE",
                    other,
                    "SUBNET or LOCALHOST (this node looks for others by multicast)",
                );
            }
        };
        if let Some(true) = given("ROS_SECURITY_ENABLE").map(|value| value == "true") {
            return refused("ROS_SECURITY_ENABLE", "true", "false: this node has no SROS 2");
        }
        let mapping = match given("RMW_IMPLEMENTATION").as_deref() {
            None => ServiceMapping::Enhanced,
            Some(name) if name.starts_with("rmw_fastrtps") => ServiceMapping::Enhanced,
            Some(name) if name.starts_with("rmw_cyclonedds") => ServiceMapping::Cyclone,
            Some(name) => return refused("RMW_IMPLEMENTATION", name, "rmw_fastrtps_cpp or rmw_cyclonedds_cpp"),
        };
        Ok(Self { domain, range, mapping })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Environment> {
        Environment::of(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into()))
    }

    #[test]
    fn the_variables_of_ros_are_heeded() {
        let plain = Environment { domain: 0, range: Range::Subnet, mapping: ServiceMapping::Enhanced };
        assert_eq!(of(&[]).ok(), Some(plain));
        let set = [("ROS_DOMAIN_ID", "42"), ("ROS_LOCALHOST_ONLY", "1"), ("RMW_IMPLEMENTATION", "rmw_cyclonedds_cpp")];
        let expected = Environment { domain: 42, range: Range::Localhost, mapping: ServiceMapping::Cyclone };
        assert_eq!(of(&set).ok(), Some(expected));
        let newer = of(&[("ROS_LOCALHOST_ONLY", "1"), ("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET")]);
        assert_eq!(newer.ok(), Some(plain), "the newer variable stands above the older one");
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        for one in [
            ("ROS_DOMAIN_ID", "233"),
            ("ROS_DOMAIN_ID", "-1"),
            ("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF"),
            ("ROS_SECURITY_ENABLE", "true"),
            ("RMW_IMPLEMENTATION", "rmw_zenoh_cpp"),
        ] {
            assert!(of(&[one]).is_err(), "{one:?}");
        }
    }
}
