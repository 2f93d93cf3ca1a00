//! Sentences out of a stream of bytes: each begins at `$` or `!` and ends at `*hh`, whatever stands between.

/// Longest sentence: the standard has 82 bytes, receivers with more decimals write more.
const MAX_SENTENCE: usize = 256;

/// What finds sentences.
#[derive(Debug, Default)]
pub(super) struct Framer {
    state: State,
    sentence: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum State {
    #[default]
    Outside,
    Inside,
    /// The first digit of the checksum is due.
    First,
    /// The second one; this is the first.
    Second(u8),
}

impl Framer {
    /// Takes a byte; gives a sentence that ends with it, from its address to before its checksum, which is right.
    pub(super) fn push(&mut self, byte: u8) -> Option<String> {
        if matches!(byte, b'$' | b'!') {
            self.sentence.clear();
            self.state = if byte == b'$' { State::Inside } else { State::Outside };
            return None;
        }
        self.state = match self.state {
            State::Outside => State::Outside,
            State::Inside if byte == b'*' => State::First,
            State::Inside if matches!(byte, b' '..=b'~') && self.sentence.len() < MAX_SENTENCE => {
                self.sentence.push(char::from(byte));
                State::Inside
            }
            State::Inside => State::Outside,
            State::First => digit(byte).map_or(State::Outside, State::Second),
            State::Second(first) => {
                self.state = State::Outside;
                let sum = self.sentence.bytes().fold(0, |sum, byte| sum ^ byte);
                let is_right = digit(byte).is_some_and(|second| first << 4 | second == sum);
                return is_right.then(|| std::mem::take(&mut self.sentence));
            }
        };
        None
    }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}
