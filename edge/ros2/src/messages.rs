//! The messages of ROS 2 that are taken and given, field by field as their `.msg` files have them: CDR writes fields in this order, without names.

use ros2_client::Message;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// Most bytes of an image's data: four bytes for each pixel that `cssa-image` takes would be a gigabyte, more than a camera has.
pub(crate) const MAX_DATA: usize = 1 << 28;

/// `builtin_interfaces/Time`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Time {
    pub(crate) sec: i32,
    pub(crate) nanosec: u32,
}

/// `std_msgs/Header`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) stamp: Time,
    pub(crate) frame_id: String,
}

/// `sensor_msgs/Image`.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Image {
    pub(crate) header: Header,
    pub(crate) height: u32,
    pub(crate) width: u32,
    pub(crate) encoding: String,
    pub(crate) is_bigendian: u8,
    pub(crate) step: u32,
    pub(crate) data: Data,
}

/// `sensor_msgs/CompressedImage`.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct CompressedImage {
    pub(crate) header: Header,
    #[serde(rename = "format")]
    pub(crate) _format: String,
    pub(crate) data: Data,
}

/// `uint8[]`, copied once where it is no longer than [`MAX_DATA`], and left where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Data {
    pub(crate) bytes: Vec<u8>,
    /// As the message has it.
    pub(crate) length: usize,
}

impl From<Vec<u8>> for Data {
    fn from(bytes: Vec<u8>) -> Self {
        Self { length: bytes.len(), bytes }
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Data;

            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Data, E> {
                let length = bytes.len();
                Ok(Data { bytes: if length <= MAX_DATA { bytes.to_vec() } else { Vec::new() }, length })
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// `sensor_msgs/NavSatStatus`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct NavSatStatus {
    /// −1: no fix; −2, of later releases: not known.
    pub(crate) status: i8,
    #[serde(rename = "service")]
    pub(crate) _service: u16,
}

/// `sensor_msgs/NavSatFix`.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct NavSatFix {
    pub(crate) header: Header,
    pub(crate) status: NavSatStatus,
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
    #[serde(rename = "altitude")]
    pub(crate) _altitude: f64,
    /// East, north, up; square metres.
    pub(crate) position_covariance: [f64; 9],
    /// 0: not known.
    pub(crate) position_covariance_type: u8,
}

/// `std_msgs/String`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Text {
    pub(crate) data: String,
}

/// `diagnostic_msgs/DiagnosticArray`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DiagnosticArray {
    pub(crate) header: Header,
    pub(crate) status: Vec<DiagnosticStatus>,
}

/// `diagnostic_msgs/DiagnosticStatus`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct DiagnosticStatus {
    pub(crate) level: u8,
    pub(crate) name: String,
    pub(crate) message: String,
    pub(crate) hardware_id: String,
    pub(crate) values: Vec<KeyValue>,
}

/// `diagnostic_msgs/KeyValue`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct KeyValue {
    pub(crate) key: String,
    pub(crate) value: String,
}

/// `std_srvs/Trigger`, the request: empty, which IDL cannot say.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct TriggerRequest {
    structure_needs_at_least_one_member: u8,
}

impl Message for TriggerRequest {}

/// `std_srvs/Trigger`, the response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TriggerResponse {
    pub(crate) success: bool,
    pub(crate) message: String,
}

impl Message for TriggerResponse {}
