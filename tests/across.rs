//! Tests across crates, in one program.

mod architecture;
mod circles;
mod command_line;
mod commanding;
mod demo;
mod downlink;
mod examples;
mod flight;
mod frames;
mod ground;
mod link;
mod map;
mod packages;
mod parity;
mod pictures;
mod quantization;
mod report;
mod trust;
mod whole_path;
mod wire;
