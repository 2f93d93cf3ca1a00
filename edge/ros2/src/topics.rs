//! What the node has in ROS 2: subscriptions, publishers, a service, its parameters. Other nodes meet it from here on.

use crate::environment::{Environment, Range};
use crate::error::{Error, Result};
use crate::messages::{CompressedImage, DiagnosticArray, Image, NavSatFix, Text, TriggerRequest, TriggerResponse};
use crate::names::Names;
use crate::parameters::Parameters;
use ros2_client::dds::rustdds::DomainParticipantBuilder;
use ros2_client::qos::{History, WhenFull};
use ros2_client::{
    Context, MessageTypeName, Name, Node, NodeOptions, Publisher, QosProfile, Server, ServiceTypeName, Subscription,
};
use std::fmt::Debug;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

/// Fixes, captions and calls that wait for who is slow.
const DEPTH: usize = 10;
/// A subscriber that takes nothing holds the node up for so long.
const FULL: WhenFull = WhenFull::Wait(Duration::from_millis(20));

/// What comes from one topic.
pub(crate) struct Source<M> {
    pub(crate) topic: Arc<str>,
    pub(crate) messages: Subscription<M>,
}

/// The node in ROS 2.
pub(crate) struct Topics {
    pub(crate) node: Node,
    pub(crate) images: Option<Source<Image>>,
    pub(crate) files: Option<Source<CompressedImage>>,
    pub(crate) fixes: Source<NavSatFix>,
    pub(crate) captions: Publisher<Text>,
    pub(crate) diagnostics: Publisher<DiagnosticArray>,
    pub(crate) service: Server<TriggerRequest, TriggerResponse>,
}

impl Topics {
    /// Joins the domain.
    ///
    /// # Errors
    /// There is no network, or a name that ROS 2 does not allow.
    pub(crate) fn new(names: &Names, parameters: &Parameters, environment: Environment) -> Result<Self> {
        let mut participant = DomainParticipantBuilder::new(environment.domain);
        if environment.range == Range::Localhost {
            participant = participant.with_only_networks([Ipv4Addr::LOCALHOST]);
        }
        let domain = format!("domain {} cannot be joined", environment.domain);
        let participant = participant.build().map_err(dds(&domain))?;
        let context = Context::from_domain_participant(participant).map_err(dds(&domain))?;
        let options = parameters.declare(NodeOptions::new());
        let mut node = context.new_node(names.node_name()?, options).map_err(dds(&names.full_node()))?;

        let newest = match parameters.text("reliability") {
            "reliable" => QosProfile::subscription_default().reliability_reliable(WhenFull::DEFAULT),
            _ => QosProfile::subscription_default(),
        };
        let several = History::KeepLast { depth: DEPTH };
        let transport = parameters.text("transport");
        let mut images = None;
        if transport != "compressed" {
            images = Some(subscribe(&mut node, &names.resolve("image")?, "Image", &newest)?);
        }
        let mut files = None;
        if transport != "raw" {
            let name = names.resolve_under("image", "compressed")?;
            files = Some(subscribe(&mut node, &name, "CompressedImage", &newest)?);
        }
        let fixes = QosProfile::subscription_default().history(several);
        let fixes = subscribe(&mut node, &names.resolve("fix")?, "NavSatFix", &fixes)?;

        let given = QosProfile::publisher_default().reliability_reliable(FULL).history(several);
        let captions = publish(&mut node, &names.resolve("~/caption")?, ("std_msgs", "String"), &given)?;
        let diagnostics =
            publish(&mut node, &names.resolve("/diagnostics")?, ("diagnostic_msgs", "DiagnosticArray"), &given)?;
        let name = names.resolve("~/caption")?;
        let kind = ServiceTypeName::new("std_srvs", "Trigger");
        let service = node.create_server(environment.mapping, &name, &kind, given.clone(), given);
        let service = service.map_err(dds(&name.to_string()))?;
        Ok(Self { node, images, files, fixes, captions, diagnostics, service })
    }

    /// The topics that frames come from.
    pub(crate) fn frames_from(&self) -> String {
        let images = self.images.as_ref().map(|source| &*source.topic);
        let files = self.files.as_ref().map(|source| &*source.topic);
        images.into_iter().chain(files).collect::<Vec<_>>().join(" and ")
    }
}

fn dds<E: Debug>(what: &str) -> impl Fn(E) -> Error {
    move |problem| Error::Dds { what: what.into(), problem: format!("{problem:?}") }
}

fn subscribe<M: 'static>(node: &mut Node, name: &Name, kind: &str, qos: &QosProfile) -> Result<Source<M>> {
    let shown = name.to_string();
    let topic = node.create_topic(name, MessageTypeName::new("sensor_msgs", kind), qos).map_err(dds(&shown))?;
    let messages = node.create_subscription(&topic, Some(qos.clone())).map_err(dds(&shown))?;
    Ok(Source { topic: shown.into(), messages })
}

fn publish<M: serde::Serialize>(
    node: &mut Node,
    name: &Name,
    (package, kind): (&str, &str),
    qos: &QosProfile,
) -> Result<Publisher<M>> {
    let shown = name.to_string();
    let topic = node.create_topic(name, MessageTypeName::new(package, kind), qos).map_err(dds(&shown))?;
    node.create_publisher(&topic, Some(qos.clone())).map_err(dds(&shown))
}
