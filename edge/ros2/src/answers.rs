//! Who asked what the newest frame shows, and what they are told: its caption where there is one, else when there is, else why not.

/// Most calls that wait at a time.
const MAX_WAITING: usize = 64;

/// What a call is told.
pub(crate) type Answer = Result<String, String>;

/// Calls by the frame that was the newest when they came.
#[derive(Debug)]
pub(crate) struct Answers<Id> {
    newest: u64,
    said: Option<(u64, Answer)>,
    waiting: Vec<(Id, u64)>,
}

impl<Id> Default for Answers<Id> {
    fn default() -> Self {
        Self { newest: 0, said: None, waiting: Vec::new() }
    }
}

impl<Id> Answers<Id> {
    /// A frame came.
    pub(crate) fn came(&mut self, number: u64) {
        self.newest = number;
    }

    /// A call, and its answer where that is known; else it waits for this frame or a newer one.
    pub(crate) fn ask(&mut self, id: Id) -> Option<(Id, Answer)> {
        if self.newest == 0 {
            return Some((id, Err("no frame has come yet".into())));
        }
        if let Some((number, answer)) = &self.said
            && *number >= self.newest
        {
            return Some((id, answer.clone()));
        }
        if self.waiting.len() >= MAX_WAITING {
            return Some((id, Err(format!("{MAX_WAITING} calls wait already"))));
        }
        self.waiting.push((id, self.newest));
        None
    }

    /// What became of a frame, and who waited for that.
    pub(crate) fn done(&mut self, number: u64, answer: Answer) -> Vec<(Id, Answer)> {
        if self.said.as_ref().is_some_and(|(said, _)| *said > number) {
            return Vec::new();
        }
        let (ready, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(|(_, asked)| *asked <= number);
        self.waiting = waiting;
        self.said = Some((number, answer.clone()));
        ready.into_iter().map(|(id, _)| (id, answer.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yes(text: &str) -> Answer {
        Ok(text.into())
    }

    #[test]
    fn a_call_is_about_the_newest_frame_or_a_newer_one() {
        let mut answers = Answers::default();
        assert_eq!(answers.ask('a'), Some(('a', Err("no frame has come yet".into()))));
        answers.came(1);
        assert_eq!(answers.ask('b'), None);
        answers.came(2);
        assert_eq!(answers.ask('c'), None);
        assert_eq!(answers.done(1, yes("one")), [('b', yes("one"))]);
        assert_eq!(answers.ask('d'), None, "frame 2 is newer than what is known");
        answers.came(3);
        assert_eq!(answers.done(3, Err("dark".into())), [('c', Err("dark".into())), ('d', Err("dark".into()))]);
        assert_eq!(answers.ask('e'), Some(('e', Err("dark".into()))));
        assert_eq!(answers.done(2, yes("late")), [], "what is older tells nobody");
        assert_eq!(answers.ask('f'), Some(('f', Err("dark".into()))));
    }

    #[test]
    fn calls_do_not_pile_up() {
        let mut answers = Answers::default();
        answers.came(1);
        assert!((0..MAX_WAITING).all(|id| answers.ask(id).is_none()));
        assert!(answers.ask(MAX_WAITING).is_some_and(|(_, answer)| answer.is_err()));
        assert_eq!(answers.done(1, yes("one")).len(), MAX_WAITING);
    }
}
