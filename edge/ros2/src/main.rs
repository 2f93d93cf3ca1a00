//! `edge-ros2`: a node of ROS 2 without a ROS installation: camera images in, captions out.
//!
//! Three threads beside those of DDS: this one moves messages ([`node`]), one captions ([`worker`]), one answers for parameters. Between the
//! first two is [`slot::Slot`], one frame wide: the newest frame wins.

mod answers;
mod counts;
mod environment;
mod error;
mod flow;
mod frame;
mod line;
mod messages;
mod names;
mod node;
mod options;
mod parameters;
mod params_file;
mod pixels;
mod places;
mod refusal;
mod ros_arguments;
mod slot;
mod stamp;
mod topics;
mod worker;

use anyhow::Result;
use environment::Environment;
use error::Error;
use names::Names;
use parameters::Parameters;
use ros_arguments::RosArguments;
use std::process::ExitCode;

fn main() -> ExitCode {
    cssa_terminal::without_telemetry();
    let (options, ros) = options::parse(std::env::args_os());
    cssa_terminal::run(options.log, || run(ros))
}

fn run(ros: Result<RosArguments, Error>) -> Result<()> {
    let RosArguments { remaps, parameters } = ros?;
    let stop = cssa_terminal::stop_flag()?;
    let environment = Environment::of(|name| std::env::var(name).ok())?;
    let names = Names::new(remaps)?;
    let parameters = Parameters::new(&parameters, &names.full_node())?;
    let (captioner, bundle) = worker::open(&parameters)?;
    let topics = topics::Topics::new(&names, &parameters, environment)?;
    Ok(node::run(topics, captioner, bundle, parameters.count("memory_mib"), &stop)?)
}
