//! Second looks: a picture from above shows the same when it is turned, so what a model sees in one of its quarter turns and mirror
//! images and not in the others is doubtful.

use crate::unknown_name::UnknownName;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How many of a picture's eight quarter turns and mirror images are captioned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Looks {
    /// The picture as it is.
    #[default]
    One,
    /// And by a half turn.
    Two,
    /// The four quarter turns.
    Four,
    /// And their mirror images.
    Eight,
}

impl Looks {
    /// All numbers of looks.
    pub const ALL: [Self; 4] = [Self::One, Self::Two, Self::Four, Self::Eight];
    /// What they are called.
    pub const NAMES: &'static [&'static str] = &["1", "2", "4", "8"];

    /// How many.
    #[must_use]
    pub fn count(self) -> usize {
        1 << self as usize
    }
}

impl From<Looks> for u8 {
    fn from(looks: Looks) -> Self {
        1 << looks as u8
    }
}

impl TryFrom<u8> for Looks {
    type Error = UnknownName;

    fn try_from(count: u8) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|looks| u8::from(*looks) == count);
        found.ok_or_else(|| UnknownName { found: count.to_string(), expected: Self::NAMES })
    }
}

impl FromStr for Looks {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|looks| looks.to_string() == name);
        found.ok_or_else(|| UnknownName { found: name.into(), expected: Self::NAMES })
    }
}

impl fmt::Display for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.count())
    }
}

/// A quarter turn or mirror image: rows and columns change places, then columns, then rows run backwards.
#[derive(Clone, Copy)]
struct View {
    transposed: bool,
    columns_backwards: bool,
    rows_backwards: bool,
}

/// In the order in which looks take them: any number of looks is of the first ones.
const VIEWS: [View; 8] = {
    const fn view(transposed: bool, columns_backwards: bool, rows_backwards: bool) -> View {
        View { transposed, columns_backwards, rows_backwards }
    }
    [
        view(false, false, false),
        view(false, true, true),
        view(true, true, false),
        view(true, false, true),
        view(false, true, false),
        view(false, false, true),
        view(true, false, false),
        view(true, true, true),
    ]
};

/// Appends the planes of view `number`, 0 to 7, of a picture `[3, side, side]` to `views`.
pub(crate) fn append(views: &mut Vec<f32>, picture: &[f32], side: usize, number: usize) {
    let View { transposed, columns_backwards, rows_backwards } = VIEWS[number % VIEWS.len()];
    for plane in picture.chunks_exact(side * side) {
        for row in 0..side {
            let row = if rows_backwards { side - 1 - row } else { row };
            let at = |column: usize| {
                let column = if columns_backwards { side - 1 - column } else { column };
                if transposed { plane[column * side + row] } else { plane[row * side + column] }
            };
            views.extend((0..side).map(at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_the_eight_symmetries_of_the_square() {
        let picture: Vec<f32> = [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0], [9.0; 4]].concat();
        let seen = |number| {
            let mut view = Vec::new();
            append(&mut view, &picture, 2, number);
            assert_eq!(view.len(), picture.len());
            [view[0], view[1], view[2], view[3]]
        };
        assert_eq!(seen(0), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(seen(1), [4.0, 3.0, 2.0, 1.0], "a half turn");
        assert_eq!(seen(2), [3.0, 1.0, 4.0, 2.0], "a quarter turn clockwise");
        assert_eq!(seen(3), [2.0, 4.0, 1.0, 3.0], "and the other way round");
        let mut all: Vec<String> = (0..8).map(|number| format!("{:?}", seen(number))).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 8);
    }

    #[test]
    fn numbers_of_looks_are_powers_of_two() {
        assert_eq!(Looks::ALL.map(Looks::count), [1, 2, 4, 8]);
        assert_eq!("4".parse::<Looks>(), Ok(Looks::Four));
        assert_eq!(
            "3".parse::<Looks>().map_err(|error| error.to_string()),
            Err(r#""3", expected one of ["1", "2", "4", "8"]"#.into())
        );
        assert_eq!((Looks::try_from(8), u8::from(Looks::Two)), (Ok(Looks::Eight), 2));
    }
}
