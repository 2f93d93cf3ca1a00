//! What can go wrong aboard, by name and by the number that [`Housekeeping`](crate::Housekeeping) has.

use core::fmt;

/// A kind of fault. The number is its place, from 1: only ever append.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum FaultKind {
    /// The system's clock was set.
    ClockJumps = 1,
    /// A thread shows no sign of life.
    LifelessThreads,
    /// The link took nothing, or gave an error.
    LinkErrors,
    /// A file of the model, or a tensor of it, is damaged.
    ModelDamage,
    /// The model failed again and again.
    ModelFailures,
    /// The model was loaded anew.
    ModelReloads,
    /// The bundle at work has no statistics for the confidence that the policy asks for.
    NoConfidence,
    /// The receiver of positions is missing, busy, or refused.
    PositionReceiver,
    /// It says nothing.
    PositionSilent,
    /// It says something that is not understood.
    PositionUnreadable,
    /// It has no position.
    PositionWithoutFix,
    /// A self-test failed.
    SelfTestFailures,
    /// A slot did not load.
    SlotFailures,
    /// The record of the slots could not be written.
    SlotRecordErrors,
    /// It could not be read.
    SlotsDamaged,
    /// The source of frames failed.
    SourceErrors,
    /// A camera gave nothing for a minute.
    SourceSilent,
    /// The status could not be written.
    StatusErrors,
    /// The ground station's text could not be shown.
    StatustextErrors,
    /// The store was damaged, and moved aside.
    StoreDamaged,
    /// The disk of the store took nothing.
    StoreErrors,
    /// A watch-word that no caption can have.
    WatchWords,
    /// The watchdog's line did not change.
    WatchdogErrors,
    /// The system's clock was not set at the start.
    ClockNotSet,
    /// The tags of an image are damaged.
    DamagedTags,
    /// A georeference gives a place that is none.
    PlacesOutside,
    /// The receiver's time is far from the clock's.
    PositionTime,
    /// The power monitor failed.
    PowerErrors,
    /// A frame at which the program ended twice is not read any more.
    Quarantined,
    /// The tags of an image say that there was no fix.
    TagsWithoutFix,
    /// The temperature could not be read.
    TemperatureErrors,
    /// The tags of an image have a time and no zone.
    TimesWithoutZone,
    /// The trigger's line could not be read.
    TriggerErrors,
    /// A georeference is in a coordinate system that is not known.
    UnknownCoordinateSystems,
    /// The system does not give a file.
    UnreadFiles,
    /// The tags of an image have values that cannot be.
    UnusableTags,
    /// It is too hot: no frame is captioned.
    TooHot,
    /// A picture of a frame could not be kept, or made.
    PictureErrors,
}

impl FaultKind {
    /// All kinds, by their numbers.
    pub const ALL: [Self; 38] = [
        Self::ClockJumps,
        Self::LifelessThreads,
        Self::LinkErrors,
        Self::ModelDamage,
        Self::ModelFailures,
        Self::ModelReloads,
        Self::NoConfidence,
        Self::PositionReceiver,
        Self::PositionSilent,
        Self::PositionUnreadable,
        Self::PositionWithoutFix,
        Self::SelfTestFailures,
        Self::SlotFailures,
        Self::SlotRecordErrors,
        Self::SlotsDamaged,
        Self::SourceErrors,
        Self::SourceSilent,
        Self::StatusErrors,
        Self::StatustextErrors,
        Self::StoreDamaged,
        Self::StoreErrors,
        Self::WatchWords,
        Self::WatchdogErrors,
        Self::ClockNotSet,
        Self::DamagedTags,
        Self::PlacesOutside,
        Self::PositionTime,
        Self::PowerErrors,
        Self::Quarantined,
        Self::TagsWithoutFix,
        Self::TemperatureErrors,
        Self::TimesWithoutZone,
        Self::TriggerErrors,
        Self::UnknownCoordinateSystems,
        Self::UnreadFiles,
        Self::UnusableTags,
        Self::TooHot,
        Self::PictureErrors,
    ];

    /// Its number in a packet.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The kind of a number; nothing for 0, and for what a later program calls so.
    #[must_use]
    pub fn of_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code).checked_sub(1)?).copied()
    }

    /// The kind of a name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Its name in `status.json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ClockJumps => "clock_jumps",
            Self::LifelessThreads => "lifeless_threads",
            Self::LinkErrors => "link_errors",
            Self::ModelDamage => "model_damage",
            Self::ModelFailures => "model_failures",
            Self::ModelReloads => "model_reloads",
            Self::NoConfidence => "no_confidence",
            Self::PositionReceiver => "position_receiver",
            Self::PositionSilent => "position_silent",
            Self::PositionUnreadable => "position_unreadable",
            Self::PositionWithoutFix => "position_without_fix",
            Self::SelfTestFailures => "self_test_failures",
            Self::SlotFailures => "slot_failures",
            Self::SlotRecordErrors => "slot_record_errors",
            Self::SlotsDamaged => "slots_damaged",
            Self::SourceErrors => "source_errors",
            Self::SourceSilent => "source_silent",
            Self::StatusErrors => "status_errors",
            Self::StatustextErrors => "statustext_errors",
            Self::StoreDamaged => "store_damaged",
            Self::StoreErrors => "store_errors",
            Self::WatchWords => "watch_words",
            Self::WatchdogErrors => "watchdog_errors",
            Self::ClockNotSet => "clock_not_set",
            Self::DamagedTags => "damaged_tags",
            Self::PlacesOutside => "places_outside",
            Self::PositionTime => "position_time",
            Self::PowerErrors => "power_errors",
            Self::Quarantined => "quarantined",
            Self::TagsWithoutFix => "tags_without_fix",
            Self::TemperatureErrors => "temperature_errors",
            Self::TimesWithoutZone => "times_without_zone",
            Self::TriggerErrors => "trigger_errors",
            Self::UnknownCoordinateSystems => "unknown_coordinate_systems",
            Self::UnreadFiles => "unread_files",
            Self::UnusableTags => "unusable_tags",
            Self::TooHot => "too_hot",
            Self::PictureErrors => "picture_errors",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_number_and_a_name_of_its_own() {
        for (n, kind) in FaultKind::ALL.into_iter().enumerate() {
            assert_eq!((usize::from(kind.code()), FaultKind::of_code(kind.code())), (n + 1, Some(kind)));
            assert_eq!(FaultKind::ALL.iter().filter(|other| other.name() == kind.name()).count(), 1);
            assert_eq!(FaultKind::of_name(kind.name()), Some(kind));
        }
        assert_eq!([0, 39, 255].map(FaultKind::of_code), [None; 3]);
    }
}
