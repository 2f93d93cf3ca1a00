//! What comes and what is told of it, between ROS 2 and the captioner: frames into the slot, outcomes into captions, answers and counts.

use crate::answers::{Answer, Answers};
use crate::counts::{Counts, Gaps};
use crate::frame::{Form, Frame, Outcome};
use crate::line;
use crate::messages::{DiagnosticArray, Header, Text, Time, TriggerResponse};
use crate::parameters::Live;
use crate::places::Places;
use crate::refusal::Refusal;
use crate::slot::Slot;
use crate::topics::{Source, Topics};
use cssa::errors::chain;
use ros2_client::{Gid, MessageInfo, RmwRequestId};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Instant;

/// Two forms of a camera's frames are not further apart; a clock that was set back is.
const BEHIND: i64 = 10_000_000_000;
/// Messages of a topic that are taken before the others have their turn.
const TURN: usize = 32;

/// The node's state between two messages.
pub(crate) struct Flow {
    topics: Topics,
    slot: Arc<Slot>,
    node: String,
    bundle: String,
    runtime: String,
    live: Live,
    counts: Counts,
    gaps: Gaps<Gid>,
    places: Places,
    answers: Answers<RmwRequestId>,
    /// The last frame that was not repeated.
    last: Option<(Arc<str>, Header)>,
    /// The topic whose last frame had no picture: for its frames no other topic's is left out.
    blind: Option<Arc<str>>,
    number: u64,
    /// The kind of what was last said to be wrong: it is said once until a frame is captioned again.
    said: Option<&'static str>,
}

/// Whether a topic may have more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    Nothing,
    Maybe,
}

/// A message, or what is wrong with its bytes.
type Taken<M> = Result<(M, MessageInfo), String>;

impl Flow {
    pub(crate) fn new(topics: Topics, slot: Arc<Slot>, bundle: String, runtime: String) -> Self {
        let node = topics.node.fully_qualified_name();
        let live = Live::of(|name| topics.node.get_parameter(name));
        slot.set_period(live.period);
        Self {
            topics,
            slot,
            node,
            bundle,
            runtime,
            live,
            counts: Counts::default(),
            gaps: Gaps::default(),
            places: Places::default(),
            answers: Answers::default(),
            last: None,
            blind: None,
            number: 0,
            said: None,
        }
    }

    /// Takes what has come.
    pub(crate) fn take(&mut self) -> Left {
        self.obey_parameters();
        for _ in 0..TURN {
            let fix = next(&self.topics.fixes).map(|taken| self.fix(taken));
            let image = self.topics.images.as_ref().and_then(next);
            let image = image.map(|(topic, taken)| {
                let frame = |(mut image, info): (crate::messages::Image, _)| {
                    (std::mem::take(&mut image.header), Form::Raw(image), info)
                };
                self.came(topic, taken.map(frame));
            });
            let file = self.topics.files.as_ref().and_then(next);
            let file = file.map(|(topic, taken)| {
                let frame =
                    |(file, info): (crate::messages::CompressedImage, _)| (file.header, Form::File(file.data), info);
                self.came(topic, taken.map(frame));
            });
            let call = self.call();
            if (fix, image, file, call) == (None, None, None, None) {
                return Left::Nothing;
            }
        }
        Left::Maybe
    }

    fn obey_parameters(&mut self) {
        let live = Live::of(|name| self.topics.node.get_parameter(name));
        if live.period != self.live.period {
            self.slot.set_period(live.period);
        }
        self.live = live;
    }

    fn fix(&mut self, (_, taken): (Arc<str>, Taken<crate::messages::NavSatFix>)) {
        self.counts.fixes += 1;
        let is_place = taken.is_ok_and(|(fix, _)| self.places.say(&fix).is_ok());
        self.counts.fixes_refused += u64::from(!is_place);
    }

    fn came(&mut self, topic: Arc<str>, taken: Result<(Header, Form, MessageInfo), String>) {
        let received = Instant::now();
        let (header, form, info) = match taken {
            Ok(taken) => taken,
            Err(reason) => {
                self.counts.came(0);
                let refusal = Refusal::Message { topic: topic.to_string(), reason };
                return self.refuse(&refusal);
            }
        };
        self.counts.came(self.gaps.before(info.publisher_gid(), info.sequence_number()));
        let is_repeated = self.last.as_ref().is_some_and(|(before, last)| *before != topic && is_behind(&header, last));
        if is_repeated {
            self.counts.repeated += 1;
            return;
        }
        self.number += 1;
        self.answers.came(self.number);
        if let Err(refusal) = form.check(&header) {
            self.refuse(&refusal);
            return self.answer(self.number, Err(chain(&refusal)));
        }
        if self.blind.as_ref() != Some(&topic) {
            self.last = Some((Arc::clone(&topic), header.clone()));
        }
        let frame = Frame { number: self.number, topic, header, form, received };
        self.counts.older += u64::from(self.slot.put(frame).is_some());
    }

    fn call(&mut self) -> Option<()> {
        let id = match self.topics.service.receive_request() {
            Ok(None) => return None,
            Ok(Some((id, _))) => id,
            Err(problem) => {
                self.counts.warn(format!("a call of the service is damaged: {problem}"));
                return Some(());
            }
        };
        match self.answers.ask(id) {
            Some((id, answer)) => self.respond(id, answer),
            None => self.slot.hurry(),
        }
        Some(())
    }

    /// Tells what became of a frame.
    pub(crate) fn tell(&mut self, outcome: Outcome) {
        let caption = match &outcome.result {
            Ok(caption) => {
                self.blind.take_if(|topic| *topic == outcome.topic);
                caption
            }
            Err(refusal) => {
                self.blind = Some(Arc::clone(&outcome.topic));
                self.refuse(refusal);
                return self.answer(outcome.number, Err(chain(refusal)));
            }
        };
        let place = self.places.at(outcome.header.stamp, self.live.place_within);
        let text = line::json(&outcome, caption, place, &self.runtime);
        let confidence = caption.confidence.map(|confidence| f64::from(confidence.thousandths()) / 1e3);
        // Nobody knows how sure a caption without a confidence is: at least so much is not.
        let least = self.live.least_confidence;
        if least > 0.0 && confidence.is_none_or(|confidence| confidence < least) {
            self.counts.unsure += 1;
        } else {
            self.counts.captioned += 1;
            if let Err(problem) = self.topics.captions.publish(Text { data: text.clone() }) {
                self.counts.unpublished += 1;
                self.counts.warn(format!("a caption is not published: {problem}"));
            }
        }
        self.counts.latency = Some(outcome.received.elapsed());
        self.said = None;
        self.answer(outcome.number, Ok(text));
    }

    fn refuse(&mut self, refusal: &Refusal) {
        let (kind, problem) = (refusal.kind(), chain(refusal));
        if self.said.replace(kind) != Some(kind) {
            tracing::warn!("{problem}");
        }
        self.counts.refuse(kind, problem);
    }

    fn answer(&mut self, number: u64, answer: Answer) {
        for (id, answer) in self.answers.done(number, answer) {
            self.respond(id, answer);
        }
    }

    fn respond(&mut self, id: RmwRequestId, answer: Answer) {
        let success = answer.is_ok();
        let message = answer.unwrap_or_else(|problem| problem);
        if let Err(problem) = self.topics.service.send_response(id, TriggerResponse { success, message }) {
            self.counts.warn(format!("a call of the service is not answered: {problem}"));
        }
    }

    /// Publishes how it goes.
    pub(crate) fn report(&mut self) {
        let status = self.counts.status(&self.node, &self.bundle, &self.runtime);
        let header = Header { stamp: Time::now(), frame_id: String::new() };
        if let Err(problem) = self.topics.diagnostics.publish(DiagnosticArray { header, status: vec![status] }) {
            self.counts.warn(format!("diagnostics are not published: {problem}"));
        }
    }

    /// For the log, at the end.
    pub(crate) fn summary(&self) -> String {
        let Counts { frames, captioned, unsure, older, repeated, missed, .. } = &self.counts;
        let refused: u64 = self.counts.refused.values().sum();
        format!(
            "{frames} frames: {captioned} captioned, {unsure} unsure, {older} older, {repeated} repeated, {refused} refused; {missed} missed"
        )
    }
}

/// Whether a camera took a frame no later than another one, by its stamps.
fn is_behind(header: &Header, last: &Header) -> bool {
    let stamps = header.stamp.nanoseconds().zip(last.stamp.nanoseconds());
    header.frame_id == last.frame_id && stamps.is_some_and(|(at, last)| (0..BEHIND).contains(&(last - at)))
}

fn next<M: DeserializeOwned + 'static>(source: &Source<M>) -> Option<(Arc<str>, Taken<M>)> {
    let taken = source.messages.take().map_err(|problem| problem.to_string()).transpose()?;
    Some((Arc::clone(&source.topic), taken))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_behind_what_its_camera_took_later() {
        let header = |sec, frame_id: &str| Header { stamp: Time { sec, nanosec: 0 }, frame_id: frame_id.into() };
        assert!(is_behind(&header(100, "a"), &header(100, "a")));
        assert!(is_behind(&header(99, "a"), &header(100, "a")));
        assert!(!is_behind(&header(101, "a"), &header(100, "a")));
        assert!(!is_behind(&header(99, "b"), &header(100, "a")), "another camera");
        assert!(!is_behind(&header(90, "a"), &header(100, "a")), "a recording that begins again");
        assert!(!is_behind(&header(0, "a"), &header(0, "a")), "nobody knows when");
    }
}
