//! `ground command`: puts commands for vehicles into an archive, and lists what became of them.

use super::vehicle_key::VehicleKey;
use super::{delta, new_key, opened, printable};
use anyhow::{Context, Result, ensure};
use cssa_terminal::print;
use cssa_wire::{Command, DeltaPart, WatchWord};
use ground::Place;
use ground::archive::{Archive, ArchivedCommand};
use serde::Deserialize;
use serde_json::Value;
use std::path::PathBuf;

/// Commands of a list at most, the newest.
const MAX_LISTED: u32 = 1000;

/// Options of `ground command`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ground command --archive captions.gpkg --vehicle 12 threshold 0.6
      Has vehicle 12 drop captions with less confidence.
  ground command --archive captions.gpkg --list
      Prints the commands, the newest first, with what became of them.")]
pub(crate) struct CommandOptions {
    /// Archive. A `ground receive --key` on the same archive sends the command when it hears the vehicle, and again
    /// until it answers.
    #[arg(long)]
    archive: Place,
    /// Number of the vehicle; 0: the one without a number. Default: the only vehicle of the archive.
    #[arg(long)]
    vehicle: Option<u16>,
    /// List the commands, the newest first, with their state: waiting, sent, done, refused, not kept, unanswered or
    /// withdrawn.
    #[arg(long)]
    list: bool,
    /// Withdraw a command that has not been sent, by its number in the list, or a range such as 12-40.
    #[arg(long, value_name = "NUMBER", conflicts_with = "list", value_parser = numbers)]
    withdraw: Option<(i64, i64)>,
    /// With --list: print one JSON object per command.
    #[arg(long, requires = "list")]
    json: bool,
    #[command(subcommand)]
    action: Option<Action>,
}

/// What a vehicle is to do.
#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Drop captions with less confidence than this.
    #[command(after_help = "\
Examples:
  ground command --archive captions.gpkg --vehicle 12 threshold 0.6
      Captions with a confidence below 0.6 are dropped on board.")]
    Threshold {
        /// Confidence, 0 to 1.
        #[arg(value_parser = thousandths)]
        confidence: u16,
    },
    /// Replace the watch-words. Without words there are none.
    #[command(after_help = "\
Examples:
  ground command --archive captions.gpkg --vehicle 12 watch ship=3 \"oil tank\"=1
      Captions that name a ship are sent first.")]
    Watch {
        /// WORD=PRIORITY, such as ship=3 or "oil tank"=1. Priorities are 1 to 3.
        #[arg(value_parser = watch_word)]
        words: Vec<WatchWord>,
    },
    /// Set when a repeated caption of a place is sent again.
    #[command(after_help = "\
Examples:
  ground command --archive captions.gpkg --vehicle 12 novelty 100 30
      A caption that repeats the last one within 100 metres and 30 minutes is dropped.")]
    Novelty {
        /// Frames closer than this are of one place. 0: every frame is new.
        metres: u16,
        /// After this long a place may say the same again.
        minutes: u16,
    },
    /// Set the link's rate.
    #[command(after_help = "\
Examples:
  ground command --archive captions.gpkg --vehicle 12 rate 1200
      The vehicle sends 1,200 bytes per second at most.")]
    Rate {
        /// Bytes per second. 0: no limit.
        bytes_per_second: u32,
    },
    /// Set the budget of the queue.
    #[command(after_help = "\
Examples:
  ground command --archive captions.gpkg --vehicle 12 budget 50000
      The queue takes 50,000 bytes per hour at most.")]
    Budget {
        /// Bytes per hour. 0: no limit.
        bytes_per_hour: u32,
    },
    /// Stop captioning until `resume`.
    #[command(after_help = "\
Examples:
  ground command --archive captions.gpkg --vehicle 12 pause
      The vehicle takes frames and captions none.")]
    Pause,
    /// Resume captioning.
    #[command(after_help = "\
Examples:
  ground command --archive captions.gpkg --vehicle 12 resume
      The vehicle captions again.")]
    Resume,
    /// Caption the golden image and answer with the result.
    #[command(after_help = "\
Examples:
  ground command --archive captions.gpkg --vehicle 12 self-test
      --list shows the golden image's caption and whether it is the recorded one.")]
    SelfTest,
    /// Switch to the bundle of a slot.
    #[command(after_help = "\
Examples:
  ground command --archive captions.gpkg --vehicle 12 slot b
      The vehicle flies the bundle of slot b.")]
    Slot {
        /// a or b.
        #[arg(value_parser = slot)]
        slot: u8,
    },
    /// Send a status at once.
    #[command(after_help = "\
Examples:
  ground command --archive captions.gpkg --vehicle 12 status
      The vehicle sends its counters without waiting for the next heartbeat.")]
    Status,
    /// Delete all pictures kept on board.
    #[command(after_help = "\
Examples:
  ground command --archive captions.gpkg --vehicle 12 forget-pictures
      No picture can be asked for until new frames have come.")]
    ForgetPictures,
    /// Send a delta (exporter delta) and install the bundle that it makes from the current one. It is sent in parts;
    /// other commands do not wait for them. The new bundle flies after `slot`, or from the next start.
    #[command(after_help = "\
Examples:
  ground command --archive captions.gpkg --vehicle 12 delta new.delta
      The vehicle makes the new bundle of its own one and installs it into the inactive slot.")]
    Delta {
        /// Delta, at most 320 KB: 80 bytes per part, and 4,000 commands may wait.
        path: PathBuf,
    },
    /// Give the vehicle a new key, wrapped under the old one. Whoever has the old key and recorded the packet has the
    /// new one, too: this rotates keys, it does not heal a leak. When it is done, start ground receive with --key NEW
    /// --key OLD. The vehicle changes when it hears the new key, and keeps it over starts, above its link.key.
    #[command(after_help = "\
Examples:
  ground command --archive captions.gpkg --vehicle 12 new-key new.key --key uav.key
      The vehicle changes to new.key, which is sent wrapped under uav.key.")]
    NewKey {
        /// File of the new key, made by ground key.
        path: PathBuf,
        /// Key that the vehicle has now, as given to ground receive --key.
        #[arg(long, required = true, value_name = "[VEHICLE=]PATH")]
        key: Vec<VehicleKey>,
    },
}

fn thousandths(confidence: &str) -> Result<u16, String> {
    let expected = || "expected a confidence from 0 to 1, as 0.6".to_owned();
    let confidence: f64 = confidence.parse().map_err(|_| expected())?;
    if (0.0..=1.0).contains(&confidence) { Ok((confidence * 1000.0).round() as u16) } else { Err(expected()) }
}

fn watch_word(given: &str) -> Result<WatchWord, String> {
    let expected = || "expected WORD=PRIORITY with a priority of 1 to 3, as ship=3".to_owned();
    let (word, priority) = given.rsplit_once('=').ok_or_else(expected)?;
    Ok(WatchWord { word: word.trim().to_owned(), priority: priority.trim().parse().map_err(|_| expected())? })
}

fn numbers(range: &str) -> Result<(i64, i64), String> {
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let number = |text: &str| text.trim().parse().map_err(|_| "expected a number or two, as 12 or 12-40".to_owned());
    Ok((number(first)?, number(last)?))
}

fn slot(name: &str) -> Result<u8, String> {
    match name {
        "a" => Ok(1),
        "b" => Ok(2),
        _ => Err("expected a or b".to_owned()),
    }
}

impl Action {
    /// What goes up to a vehicle, in order.
    fn commands(self, vehicle: u16) -> Result<Vec<Command>> {
        Ok(vec![match self {
            Self::Threshold { confidence } => Command::SetThreshold { thousandths: confidence },
            Self::Watch { words } => {
                let again = words.iter().enumerate().find(|(n, word)| words[..*n].iter().any(|b| b.word == word.word));
                ensure!(
                    again.is_none(),
                    "{:?} is named twice, expected one priority a word",
                    again.map_or("", |(_, word)| &word.word)
                );
                Command::SetWatchWords(words)
            }
            Self::Novelty { metres, minutes } => Command::SetNovelty { metres, minutes },
            Self::Rate { bytes_per_second } => Command::SetRate { bytes_per_second },
            Self::Budget { bytes_per_hour } => Command::SetBudget { bytes_per_hour },
            Self::Pause => Command::Pause,
            Self::Resume => Command::Resume,
            Self::SelfTest => Command::SelfTest,
            Self::Slot { slot } => Command::SwitchSlot { slot },
            Self::Status => Command::StatusNow,
            Self::ForgetPictures => Command::ForgetPictures,
            Self::Delta { path } => return delta::parts(&path),
            Self::NewKey { path, key } => new_key::wrapped(&path, &key, vehicle)?,
        }])
    }
}

/// Gives a command, or lists those that were given.
pub(crate) fn command(options: CommandOptions) -> Result<()> {
    let CommandOptions { archive: place, vehicle, list, json, withdraw, action } = options;
    let is_there = place.file().is_none_or(|path| path.is_file());
    ensure!(is_there, "{place}: no such file, expected the archive of a ground receive");
    if let Some((first, last)) = withdraw {
        ensure!(action.is_none(), "--withdraw: expected no command beside it");
        let withdrawn = opened(&place)?.withdraw_commands(first, last, vehicle)?;
        ensure!(withdrawn > 0, "{first} to {last}: no command there waits, expected one that has not gone out yet");
        return print(&format!("{withdrawn} commands are withdrawn"));
    }
    let Some(action) = action else {
        ensure!(list, "expected --list or what a vehicle is to do: see ground command --help");
        let archive = Archive::read_at(&place)?;
        let commands = archive.commands(MAX_LISTED)?.into_iter();
        let mut commands = commands.filter(|command| vehicle.is_none_or(|vehicle| vehicle == command.vehicle));
        return commands.try_for_each(|command| {
            if json { print(&serde_json::to_string(&command)?) } else { print(&printable(&line(&command))) }
        });
    };
    ensure!(!list, "--list: expected no command beside it");
    let mut archive = opened(&place)?;
    let vehicle = match vehicle {
        Some(vehicle) => vehicle,
        None => archive
            .only_vehicle()?
            .with_context(|| format!("{place}: holds packets of no vehicle or of several: name one with --vehicle"))?,
    };
    let commands = action.commands(vehicle)?;
    let room = archive.command_room()?;
    ensure!(
        commands.len() <= room,
        "{} commands, expected {room} at most that wait beside those without an outcome: ground command --list shows them",
        commands.len()
    );
    let ids = commands.iter().map(|command| archive.give_command(vehicle, command)).collect::<Result<Vec<_>, _>>()?;
    let named = match ids[..] {
        [id] => format!("command {id}"),
        _ => format!("commands {} to {}", ids.first().unwrap_or(&0), ids.last().unwrap_or(&0)),
    };
    let (wait, them) = if ids.len() == 1 { ("waits", "it") } else { ("wait", "them") };
    let unheard = if archive.has_heard(vehicle)? {
        ""
    } else {
        ", once something is heard of that vehicle, which this archive has never heard"
    };
    print(&format!(
        "{named} for vehicle {vehicle} {wait}: ground receive --key sends {them}{unheard}; ground command --list shows the result"
    ))
}

/// A command as a line.
fn line(command: &ArchivedCommand) -> String {
    let ArchivedCommand { id, vehicle, made, state, .. } = command;
    let number = command.station.zip(command.counter);
    let number =
        number.map_or(String::new(), |(station, counter)| format!(" as number {counter} of station {station}"));
    let reason = command.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
    let answered = command.answered.as_ref().map_or(String::new(), |answered| format!(", {answered}"));
    format!("{id} vehicle {vehicle} {} given {made}{number}{answered}: {state}{reason}", typed(&command.command))
}

/// A command as it is typed; one of a later program as it is kept.
fn typed(kept: &Value) -> String {
    let Ok(command) = Command::deserialize(kept) else { return kept.to_string() };
    match &command {
        Command::SetThreshold { thousandths } => format!("threshold {}", f64::from(*thousandths) / 1000.0),
        Command::SetWatchWords(words) => {
            words.iter().fold("watch".to_owned(), |said, word| format!("{said} {:?}={}", word.word, word.priority))
        }
        Command::SetNovelty { metres, minutes } => format!("novelty {metres} {minutes}"),
        Command::SetRate { bytes_per_second } => format!("rate {bytes_per_second}"),
        Command::SetBudget { bytes_per_hour } => format!("budget {bytes_per_hour}"),
        Command::Pause => "pause".to_owned(),
        Command::Resume => "resume".to_owned(),
        Command::SelfTest => "self-test".to_owned(),
        Command::SwitchSlot { slot } => format!("slot {}", if *slot == 1 { "a" } else { "b" }),
        Command::StatusNow => "status".to_owned(),
        Command::DeltaPart(DeltaPart { id, part, parts, .. }) => format!("delta {id}, part {} of {parts}", part + 1),
        Command::NewKeyPart { part: 0, parts: 1, .. } => "new-key".to_owned(),
        Command::NewKeyPart { part, parts, .. } => format!("new key, part {} of {parts}", u16::from(*part) + 1),
        Command::ForgetPictures => "forget-pictures".to_owned(),
    }
}
