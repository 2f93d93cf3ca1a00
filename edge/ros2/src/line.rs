//! A caption as others get it: one JSON object, with the keys of `edge caption --json`.

use crate::frame::Outcome;
use crate::messages::Time;
use cssa::trust::{Confidence, Reason};
use cssa_captioner::{Caption, Looks};
use cssa_image::Place;
use serde::Serialize;

#[derive(Serialize)]
struct Line<'a> {
    /// The topic that it came from.
    image: &'a str,
    frame_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stamp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    header_stamp: Option<Time>,
    caption: &'a str,
    score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<Confidence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    familiarity: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outside: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<&'a [Reason]>,
    looks: Looks,
    #[serde(skip_serializing_if = "Option::is_none")]
    latitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    longitude: Option<f64>,
    latency_ms: f64,
    runtime: &'a str,
}

/// The JSON of a caption; what is not known is left out.
pub(crate) fn json(outcome: &Outcome, caption: &Caption, place: Option<Place>, runtime: &str) -> String {
    let stamp = outcome.header.stamp;
    let degrees = |degrees: f64| (degrees * 1e7).round() / 1e7;
    let line = Line {
        image: &outcome.topic,
        frame_id: &outcome.header.frame_id,
        stamp: stamp.utc(),
        header_stamp: stamp.nanoseconds().map(|_| stamp),
        caption: &caption.text,
        score: caption.score,
        confidence: caption.confidence,
        familiarity: caption.familiarity,
        outside: caption.familiarity.is_some().then(|| caption.outside().is_some()),
        reasons: caption.familiarity.is_some().then_some(caption.reasons.as_slice()),
        looks: caption.looks,
        latitude: place.map(|place| degrees(place.latitude)),
        longitude: place.map(|place| degrees(place.longitude)),
        latency_ms: (outcome.received.elapsed().as_secs_f64() * 1e5).round() / 100.0,
        runtime,
    };
    serde_json::to_string(&line).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Header;
    use serde_json::{Value, json};
    use std::time::Instant;

    fn written(stamp: Time, place: Option<Place>) -> Value {
        let caption = Caption { text: "a \"port\"".into(), score: 0.5, ..Caption::default() };
        let header = Header { stamp, frame_id: "camera".into() };
        let outcome = Outcome {
            number: 1,
            topic: "/image".into(),
            header,
            received: Instant::now(),
            result: Ok(caption.clone()),
        };
        let mut found: Value = serde_json::from_str(&json(&outcome, &caption, place, "tract")).unwrap_or_default();
        assert!(found.as_object_mut().and_then(|keys| keys.remove("latency_ms")).is_some());
        found
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let bare = json!({ "image": "/image", "frame_id": "camera", "caption": "a \"port\"", "score": 0.5, "looks": 1, "runtime": "tract" });
        assert_eq!(written(Time::default(), None), bare);
        let full = written(Time { sec: 1_900_000_000, nanosec: 5 }, Place::new(48.123_456_789, 11.0));
        assert_eq!(full["stamp"], "2030-03-17T17:46:40.000000005Z");
        assert_eq!(full["header_stamp"], json!({ "sec": 1_900_000_000, "nanosec": 5 }));
        assert_eq!((&full["latitude"], &full["longitude"]), (&json!(48.123_456_8), &json!(11.0)));
        let simulated = written(Time { sec: 12, nanosec: 0 }, None);
        assert_eq!((simulated.get("stamp"), &simulated["header_stamp"]["sec"]), (None, &json!(12)));
    }
}
