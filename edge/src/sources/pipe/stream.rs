//! Finds the frames of a stream. What is no frame is debris: it is passed over by its length where a header gives one, else byte by byte
//! up to what can only be a frame's beginning.

use super::event::{Debris, Event, Raw};
use super::input::Input;
use super::jpeg::{self, Progress, Walk};
use super::multipart::{Part, part};
use super::pnm::{self, Found, Header};
use super::preview::Behind;
use std::io::{self, Read};

/// Largest frame, in bytes.
const MAX_FRAME: usize = 1 << 28;
/// A burst that has no end is said, and its bytes are counted, after so many.
const BURST: u64 = 1 << 20;
/// Longest header, in bytes, that is looked for among the pixels of a frame.
const TAIL: usize = 256;

/// A reader that holds no more than one frame.
#[derive(Debug)]
pub(super) struct FrameReader<R> {
    input: Input<R>,
    debris: Debris,
    /// The last thing ended here: a frame may begin with its first two bytes.
    is_aligned: bool,
    /// Bytes of a refused frame that are still to come.
    refused: u64,
    part: Option<OpenPart>,
    behind: Behind,
}

/// A part whose length is known.
#[derive(Debug)]
struct OpenPart {
    boundary: Vec<u8>,
    left: u64,
    /// Nothing of it was used.
    is_new: bool,
}

/// What stands at the first byte.
enum Head {
    Jpeg,
    Pnm(Header, usize),
    Part(Part),
    Between(usize),
    Noise(usize),
    More,
}

impl<R: Read> FrameReader<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input: Input::new(input),
            debris: Debris::default(),
            is_aligned: true,
            refused: 0,
            part: None,
            behind: Behind::default(),
        }
    }

    /// Bytes that were used since the start.
    pub(super) fn used(&self) -> u64 {
        self.input.used()
    }

    /// Bytes of memory that wait to be used.
    pub(super) fn held(&self) -> usize {
        self.input.held()
    }

    /// The next frame or the debris before it; `None` at the end of the stream.
    pub(super) fn next(&mut self) -> io::Result<Option<Event>> {
        let mut has_ended = false;
        loop {
            if self.debris.bytes() >= BURST {
                return Ok(Some(self.burst(true)));
            }
            match self.head(has_ended) {
                Head::More if self.input.bytes().is_empty() && has_ended => {
                    return Ok((self.debris.bytes() > 0).then(|| self.burst(false)));
                }
                // A beginning that the end of the stream cuts off.
                Head::More if has_ended => self.noise(self.input.bytes().len()),
                Head::More => has_ended = !self.input.fill()?,
                Head::Between(length) => self.between(length),
                Head::Noise(length) => self.noise(length),
                Head::Part(part) => self.open(part),
                Head::Jpeg if self.debris.bytes() > 0 && !self.may_be_preview() => return Ok(Some(self.burst(false))),
                Head::Jpeg => {
                    if let Some(frame) = self.jpeg()? {
                        return Ok(Some(frame));
                    }
                }
                Head::Pnm(..) if self.debris.bytes() > 0 => return Ok(Some(self.burst(false))),
                Head::Pnm(header, length) => return self.pnm(header, length).map(Event::Frame).map(Some),
            }
        }
    }

    fn head(&self, has_ended: bool) -> Head {
        let bytes = self.input.bytes();
        if let Some(part) = self.part.as_ref().filter(|part| part.left > 0)
            && !(part.is_new && matches!(bytes, [] | [0xFF] | [0xFF, 0xD8, ..] | [b'P'] | [b'P', b'4'..=b'7', ..]))
        {
            return rest_of_part(part, bytes, has_ended);
        }
        let Some(&first) = bytes.first() else { return Head::More };
        let is_aligned = self.is_aligned && self.refused == 0;
        let found = match (first, bytes.get(1)) {
            (0 | b'\r' | b'\n' | b' ' | b'\t', _) if is_aligned => {
                let is_padding = |byte: &&u8| matches!(byte, 0 | b'\r' | b'\n' | b' ' | b'\t');
                return Head::Between(bytes.iter().take_while(is_padding).count());
            }
            (0xFF | b'P' | b'-', None) => Head::More,
            (0xFF, Some(0xD8)) if is_aligned => Head::Jpeg,
            (0xFF, Some(0xFF)) if is_aligned => return Head::Between(1),
            (0xFF, Some(_)) => jpeg::begins(bytes).map_or(Head::More, |begins| if begins { Head::Jpeg } else { NO }),
            (b'P', _) => match pnm::header(bytes) {
                Found::Header(header, length) => Head::Pnm(header, length),
                Found::More => Head::More,
                Found::No => NO,
            },
            (b'-' | b'H' | b'C', _) => part(bytes).map_or_else(|more| if more { Head::More } else { NO }, Head::Part),
            _ => NO,
        };
        match found {
            Head::Noise(_) | Head::More if has_ended || matches!(found, Head::Noise(_)) => {
                let may_begin = |byte: &u8| matches!(byte, 0xFF | b'P' | b'-' | b'H' | b'C');
                let rest = &bytes[1..];
                let length = 1 + rest.iter().position(may_begin).unwrap_or(rest.len());
                if self.refused > 0 {
                    Head::Between(length.min(usize::try_from(self.refused).unwrap_or(length)))
                } else {
                    Head::Noise(length)
                }
            }
            found => found,
        }
    }

    /// Uses up bytes.
    fn take(&mut self, length: usize) -> Vec<u8> {
        let taken = self.input.take(length);
        self.count_in_part(taken.len());
        taken
    }

    /// Uses up bytes that nobody needs; gives how many.
    fn pass(&mut self, length: usize) -> usize {
        let passed = self.input.pass(length);
        self.count_in_part(passed);
        passed
    }

    fn count_in_part(&mut self, bytes: usize) {
        if let Some(part) = &mut self.part {
            part.left = part.left.saturating_sub(bytes as u64);
            part.is_new = false;
        }
    }

    fn between(&mut self, length: usize) {
        self.debris.between += self.pass(length) as u64;
        self.refused = self.refused.saturating_sub(length as u64);
        self.is_aligned = self.refused == 0;
    }

    fn noise(&mut self, length: usize) {
        self.debris.noise += self.pass(length) as u64;
        self.is_aligned = false;
    }

    fn open(&mut self, part: Part) {
        self.debris.between += self.pass(part.header) as u64;
        let (boundary, is_new) = (part.boundary, true);
        self.part = part.length.map(|left| OpenPart { boundary, left, is_new });
        self.is_aligned = true;
        self.refused = 0;
        // A part of its own is no preview of the one before.
        self.behind = Behind::default();
    }

    fn burst(&mut self, goes_on: bool) -> Event {
        let next = Debris { goes_on, ..Debris::default() };
        Event::Debris(std::mem::replace(&mut self.debris, next))
    }

    fn damaged(&mut self, problem: String, resume: usize) -> Event {
        self.pass(resume);
        self.begin();
        self.behind = Behind::default();
        Event::Frame(Raw::Damaged(problem))
    }

    /// A frame was used up: what comes next is no part of the burst before it.
    fn begin(&mut self) {
        (self.is_aligned, self.refused) = (true, 0);
        self.debris.goes_on = false;
    }

    fn may_be_preview(&self) -> bool {
        self.debris.noise == 0 && self.behind.frame.is_some()
    }

    /// A JPEG; nothing where it is the preview of the frame before, or where debris is to be said first.
    fn jpeg(&mut self) -> io::Result<Option<Event>> {
        let mut walk = Walk::new();
        loop {
            let part = self.part.as_ref().filter(|part| part.left <= MAX_FRAME as u64).map(|part| part.left as usize);
            let within = part.unwrap_or(usize::MAX).min(self.input.bytes().len());
            let progress = walk.advance(&self.input.bytes()[..within]);
            // Only what may be a preview is walked through before the debris in front of it is said.
            if !matches!(progress, Progress::More | Progress::End(_)) && self.debris.bytes() > 0 {
                self.behind = Behind::default();
                return Ok(None);
            }
            match progress {
                Progress::End(length) => return Ok(self.whole(length, &walk)),
                Progress::Cut(at) => {
                    self.part = None;
                    return Ok(Some(self.damaged("a JPEG that is cut off by the next".into(), at)));
                }
                Progress::Broken(at) => {
                    let event = self.damaged(format!("a JPEG whose byte {at} belongs to none of its segments"), at);
                    self.is_aligned = false;
                    return Ok(Some(event));
                }
                Progress::More if part.is_some_and(|length| self.input.bytes().len() >= length) => {
                    if self.part_ends(within)? {
                        return Ok(self.whole(within, &walk));
                    }
                    self.part = None;
                }
                Progress::More if self.input.bytes().len() > MAX_FRAME => {
                    let event =
                        self.damaged(format!("a JPEG of more than {MAX_FRAME} bytes"), self.input.bytes().len());
                    self.is_aligned = false;
                    return Ok(Some(event));
                }
                Progress::More => {
                    if !self.input.fill()? {
                        return Ok(self.cut_by_the_end(&walk));
                    }
                }
            }
        }
    }

    fn cut_by_the_end(&mut self, walk: &Walk) -> Option<Event> {
        if self.debris.bytes() > 0 {
            self.behind = Behind::default();
            return None;
        }
        Some(match walk.swallowed(self.input.bytes()) {
            Some(at) => self.damaged("a JPEG that is cut off by the next".into(), at),
            None => self.damaged("a JPEG that is cut off by the stream's end".into(), self.input.bytes().len()),
        })
    }

    fn whole(&mut self, length: usize, walk: &Walk) -> Option<Event> {
        let begins = self.input.used();
        if self.may_be_preview() && self.behind.is_preview(begins, length, walk.size()) {
            self.debris.between += self.pass(length) as u64;
            self.debris.preview = walk.size();
            self.behind.previews.extend(walk.size());
            return None;
        }
        if self.debris.bytes() > 0 {
            // The same bytes are looked at again, when the debris is said.
            self.behind = Behind::default();
            return None;
        }
        let pictures = walk.pictures(&self.input.bytes()[..length]);
        let pictures = pictures.into_iter().map(|(offset, length)| (begins + offset, length)).collect();
        let jpeg = self.take(length);
        self.begin();
        self.behind = Behind { frame: walk.size(), previews: Vec::new(), pictures };
        Some(Event::Frame(Raw::Jpeg(jpeg)))
    }

    /// Whether a part ends here, as its header says: another boundary follows, or nothing.
    fn part_ends(&mut self, at: usize) -> io::Result<bool> {
        loop {
            let Some(boundary) = self.part.as_ref().map(|part| part.boundary.clone()) else { return Ok(false) };
            let boundary = if boundary.is_empty() { b"--".to_vec() } else { boundary };
            let behind = self.input.bytes()[at..].trim_ascii_start();
            if behind.len() >= boundary.len() {
                return Ok(behind.starts_with(&boundary));
            }
            if !boundary.starts_with(behind) {
                return Ok(false);
            }
            if !self.input.fill()? {
                return Ok(self.input.bytes()[at..].trim_ascii_start().is_empty());
            }
        }
    }

    fn pnm(&mut self, header: Header, begins: usize) -> io::Result<Raw> {
        self.behind = Behind::default();
        if let Some(problem) = header.problem() {
            self.pass(begins);
            self.begin();
            self.refused = header.length();
            return Ok(Raw::Damaged(problem));
        }
        let length = header.length() as usize;
        let end = begins + length;
        let mut searched = begins;
        loop {
            let (found, upto) = next_header(self.input.bytes(), searched, end);
            if let Some(next) = found {
                self.pass(next);
                self.begin();
                return Ok(Raw::Damaged(format!("a {} that is cut off by the next", header.name())));
            }
            searched = upto;
            if self.input.bytes().len() >= end && searched >= end {
                break;
            }
            if !self.input.fill()? {
                if self.input.bytes().len() >= end {
                    break;
                }
                let there = self.pass(self.input.bytes().len()) - begins;
                self.begin();
                let name = header.name();
                return Ok(Raw::Damaged(format!("a {name} that is cut off: {there} of {length} bytes")));
            }
        }
        let frame = self.take(end);
        self.begin();
        let picture = header.decode(&frame[begins..]);
        Ok(picture.map_or_else(|| Raw::Damaged("a frame of no size".into()), Raw::Picture))
    }
}

const NO: Head = Head::Noise(1);

/// Passes over what is left of a part, up to the next boundary where its length was wrong.
fn rest_of_part(part: &OpenPart, bytes: &[u8], has_ended: bool) -> Head {
    let left = usize::try_from(part.left).unwrap_or(usize::MAX).min(bytes.len());
    let boundary = part.boundary.as_slice();
    if boundary.is_empty() {
        return if left == 0 { Head::More } else { Head::Between(left) };
    }
    match bytes[..left].windows(boundary.len()).position(|window| window == boundary) {
        Some(0) => super::multipart::part(bytes)
            .map_or_else(|more| if more && !has_ended { Head::More } else { Head::Between(1) }, Head::Part),
        Some(at) => Head::Between(at),
        None if left as u64 == part.left || has_ended && left > 0 => Head::Between(left),
        // The next boundary may have begun.
        None => match left.saturating_sub(boundary.len()) {
            0 => Head::More,
            length => Head::Between(length),
        },
    }
}

/// Looks for the header of another frame among the pixels of one, which end at `end`; gives where it begins, and up to where there is
/// none. One that begins with the last byte is not waited for: a frame may end with any byte.
fn next_header(bytes: &[u8], from: usize, end: usize) -> (Option<usize>, usize) {
    let last = end.saturating_sub(1);
    let limit = last.min(bytes.len());
    let mut at = from;
    while at < limit {
        let Some(next) = bytes[at..limit].iter().position(|&byte| byte == b'P') else { break };
        at += next;
        match pnm::header(&bytes[at..bytes.len().min(at + TAIL)]) {
            Found::Header(..) => return (Some(at), at),
            Found::More if bytes.len() - at < TAIL => return (None, at),
            Found::More | Found::No => at += 1,
        }
    }
    (None, if limit == last { end } else { limit })
}
