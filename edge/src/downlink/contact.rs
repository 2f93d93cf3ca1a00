//! Contacts with the ground, and what each may take.

use super::config::ContactConfig;
use crate::error::{Error, Result, ensure};
use crate::store::Contact;
use chrono::DateTime;
use cssa::files;
use std::path::Path;

/// Longest file of passes.
const MAX_FILE: u64 = 1 << 20;

/// What may be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowance {
    /// As much as the link takes.
    Free,
    /// So many bytes.
    Bytes(usize),
    /// A packet now and then, to find out whether the ground is there.
    Probe,
}

/// All contacts: the one at hand and when the next one is.
#[derive(Debug)]
pub(super) struct Contacts {
    config: Option<ContactConfig>,
    passes: Option<Vec<(u32, u32)>>,
    pub(super) at_hand: Option<Contact>,
    /// When the ground was heard, on the clock that never jumps.
    heard: Option<f64>,
}

impl Contacts {
    /// Goes on with the contact that was at hand before a start, if it is not over.
    pub(super) fn new(config: Option<&ContactConfig>, kept: Option<Contact>, now: f64, utc: u32) -> Result<Self> {
        let passes = config.and_then(|config| config.passes.as_deref()).map(read_passes).transpose()?;
        let heard = kept.map(|kept| now - f64::from(utc.saturating_sub(kept.heard)));
        Ok(Self { config: config.cloned(), passes, at_hand: kept, heard })
    }

    /// The ground was heard.
    pub(super) fn heard(&mut self, now: f64, utc: u32) {
        let Some(config) = &self.config else { return };
        let before = self.heard.replace(now);
        match &mut self.at_hand {
            Some(contact) if before.is_some_and(|before| now - before < config.gap_seconds) => contact.heard = utc,
            _ if self.passes.is_some() => {}
            contact => *contact = Some(Contact { begun: utc, spent: 0, heard: utc }),
        }
    }

    /// What may be sent now.
    pub(super) fn allowance(&mut self, now: f64, utc: u32) -> Allowance {
        let Some(config) = &self.config else { return Allowance::Free };
        let bytes = u64::from(config.bytes);
        let left = |contact: &Contact| Allowance::Bytes(bytes.saturating_sub(contact.spent) as usize);
        if let Some(passes) = &self.passes {
            let Some(&(begin, _)) = passes.iter().find(|&&(begin, end)| (begin..end).contains(&utc)) else {
                return Allowance::Bytes(0);
            };
            let anew = Contact { begun: begin, spent: 0, heard: utc };
            return left(same_or(self.at_hand.get_or_insert(anew), anew));
        }
        match &self.at_hand {
            Some(contact) if self.heard.is_some_and(|heard| now - heard < config.gap_seconds) => left(contact),
            _ => Allowance::Probe,
        }
    }

    /// Bytes of a contact that pictures leave for captions.
    pub(super) fn reserve(&self) -> usize {
        self.config.as_ref().map_or(0, |config| config.reserve.unwrap_or(config.bytes / 2) as usize)
    }

    /// The contact at hand once a packet of so many bytes has gone out.
    pub(super) fn after(&self, bytes: usize) -> Option<Contact> {
        self.at_hand.map(|contact| Contact { spent: contact.spent + bytes as u64, ..contact })
    }
}

/// This contact, or the new one where it began at another time.
fn same_or(contact: &mut Contact, anew: Contact) -> &Contact {
    if contact.begun != anew.begun {
        *contact = anew;
    }
    contact
}

/// Reads a file of passes.
///
/// # Errors
/// It cannot be read, or has a line that is no pass: the error names it.
pub(crate) fn read_passes(path: &Path) -> Result<Vec<(u32, u32)>> {
    let text = files::read_text(path, MAX_FILE)?;
    passes(&text).map_err(|error| Error::Config { path: path.into(), source: Box::new(error) })
}

/// Lines of begin and end; empty ones and those that begin with # are passed over.
fn passes(text: &str) -> Result<Vec<(u32, u32)>> {
    let mut all = Vec::new();
    for (n, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let refused = || Error::Pass { line: n + 1 };
        let times: Vec<u32> = line
            .split_whitespace()
            .map(|time| u32::try_from(DateTime::parse_from_rfc3339(time).ok()?.timestamp()).ok())
            .collect::<Option<_>>()
            .ok_or_else(refused)?;
        ensure!(times.len() == 2 && times[0] < times[1], refused());
        all.push((times[0], times[1]));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::chain;
    use anyhow::Result;

    fn config(passes: Option<std::path::PathBuf>) -> ContactConfig {
        ContactConfig { bytes: 100, gap_seconds: 60.0, reserve: None, passes }
    }

    #[test]
    fn a_contact_has_a_budget_and_survives_a_start() -> Result<()> {
        let mut contacts = Contacts::new(Some(&config(None)), None, 0.0, 1000)?;
        assert_eq!(contacts.allowance(1.0, 1001), Allowance::Probe);
        contacts.heard(5.0, 1005);
        contacts.at_hand = contacts.after(70);
        assert_eq!(contacts.allowance(6.0, 1006), Allowance::Bytes(30));
        contacts.heard(50.0, 1050);
        let kept = contacts.at_hand;
        let mut contacts = Contacts::new(Some(&config(None)), kept, 0.0, 1060)?;
        assert_eq!(contacts.allowance(1.0, 1061), Allowance::Bytes(30), "the same contact");
        assert_eq!(contacts.allowance(60.0, 1120), Allowance::Probe, "it is over");
        contacts.heard(61.0, 1121);
        assert_eq!(contacts.allowance(61.0, 1121), Allowance::Bytes(100), "the next one");
        let mut none = Contacts::new(None, None, 0.0, 0)?;
        none.heard(1.0, 1);
        assert_eq!(none.allowance(1.0, 1), Allowance::Free);
        Ok(())
    }

    #[test]
    fn passes_are_kept_to() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("passes");
        std::fs::write(
            &path,
            "# begin end\n1970-01-01T00:10:00Z 1970-01-01T00:11:00Z\n1970-01-01T00:20:00Z 1970-01-01T00:21:00Z\n",
        )?;
        let mut contacts = Contacts::new(Some(&config(Some(path.clone()))), None, 0.0, 0)?;
        let mut allowed = |utc| contacts.allowance(0.0, utc);
        assert_eq!(
            [599, 600, 659, 660].map(&mut allowed).map(|a| a == Allowance::Bytes(0)),
            [true, false, false, true]
        );
        contacts.at_hand = contacts.after(80);
        assert_eq!(contacts.allowance(0.0, 650), Allowance::Bytes(20));
        let mut again = Contacts::new(Some(&config(Some(path.clone()))), contacts.at_hand, 0.0, 655)?;
        assert_eq!(again.allowance(0.0, 655), Allowance::Bytes(20));
        again.heard(0.0, 656);
        assert_eq!(again.allowance(0.0, 1200), Allowance::Bytes(100));
        std::fs::write(&path, "1970-01-01T00:10:00Z\n")?;
        let wrong = Contacts::new(Some(&config(Some(path))), None, 0.0, 0);
        assert!(wrong.is_err_and(|error| chain(&error).contains("passes: line 1")));
        Ok(())
    }
}
