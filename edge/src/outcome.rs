//! What became of a frame: exactly one of these, counted.

use cssa::trust::Reason;
use std::fmt;

/// Why a frame gave no caption for the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dropped {
    /// The image is damaged, cut off, or larger than the decoder allows.
    Unreadable,
    /// The program ended twice while the frame was at work.
    Quarantined,
    /// A live frame came while another was being captioned.
    Busy,
    /// The model failed or its numbers left their range.
    Model,
    /// The confidence is below the threshold.
    LowConfidence,
    /// The image is outside of what the model knows.
    Outside,
    /// The image is outside, in a run of such frames that is reported as one.
    OutsideRun,
    /// The place said the same before.
    NotNovel,
    /// The hour's bytes are spent.
    OverBudget,
    /// Captioned and queued, but more important captions took its place.
    QueueFull,
    /// Captioned, but no packet of the link holds it.
    TooLong,
    /// Too hot to work.
    TooHot,
    /// The trigger was low.
    NotTriggered,
    /// The ground has paused captioning.
    Paused,
}

/// What kept a caption from the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The image.
    Image,
    /// The policy.
    Policy,
    /// The queue and the link.
    Link,
    /// The machine.
    Machine,
}

impl Dropped {
    /// All reasons.
    pub const ALL: [Self; 14] = [
        Self::Unreadable,
        Self::Quarantined,
        Self::Busy,
        Self::Model,
        Self::LowConfidence,
        Self::Outside,
        Self::OutsideRun,
        Self::NotNovel,
        Self::OverBudget,
        Self::QueueFull,
        Self::TooLong,
        Self::TooHot,
        Self::NotTriggered,
        Self::Paused,
    ];

    /// What kept the caption from the link, as housekeeping sums it up.
    #[must_use]
    pub fn group(self) -> Group {
        match self {
            Self::Unreadable | Self::Quarantined | Self::Outside | Self::OutsideRun => Group::Image,
            Self::LowConfidence | Self::NotNovel | Self::OverBudget => Group::Policy,
            Self::QueueFull | Self::TooLong => Group::Link,
            Self::Busy | Self::Model | Self::TooHot | Self::NotTriggered | Self::Paused => Group::Machine,
        }
    }

    /// Its counter's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "dropped_unreadable",
            Self::Quarantined => "dropped_quarantined",
            Self::Busy => "dropped_busy",
            Self::Model => "dropped_model",
            Self::LowConfidence => "dropped_low_confidence",
            Self::Outside => "dropped_outside",
            Self::OutsideRun => "dropped_outside_run",
            Self::NotNovel => "dropped_not_novel",
            Self::OverBudget => "dropped_over_budget",
            Self::QueueFull => "dropped_queue_full",
            Self::TooLong => "dropped_too_long",
            Self::TooHot => "dropped_too_hot",
            Self::NotTriggered => "dropped_not_triggered",
            Self::Paused => "dropped_paused",
        }
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The name of the counter of images that are outside for a reason, whatever became of their captions.
#[must_use]
pub fn outside_counter(reason: Reason) -> &'static str {
    match reason {
        Reason::Unfamiliar => "outside_unfamiliar",
        Reason::Blank => "outside_blank",
        Reason::Dark => "outside_dark",
        Reason::Overexposed => "outside_overexposed",
        Reason::Defocused => "outside_defocused",
        Reason::Smeared => "outside_smeared",
        Reason::Noisy => "outside_noisy",
        Reason::Foggy => "outside_foggy",
    }
}
