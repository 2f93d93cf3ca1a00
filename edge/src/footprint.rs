//! What a frame shows of the ground, for whoever keeps, sends or prints it.

use cssa_wire::Position;

/// What a frame shows of the ground.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Footprint {
    /// Where the ray through the frame's middle meets the ground.
    pub centre: Position,
    /// How far that may be off, in metres.
    pub accuracy: f64,
    /// Where the frame's corners lie: upper left, upper right, lower right, lower left; seen from above, clockwise.
    pub corners: [Position; 4],
}
