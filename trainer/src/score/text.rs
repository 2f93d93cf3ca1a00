//! A score report for people.

use super::{Baseline, Named, Report};
use std::fmt::Write;

/// Scores, a line each.
pub fn lines(scores: &Named) -> String {
    scores.iter().map(|(name, score)| format!("  {name:8} {score:.4}")).collect::<Vec<_>>().join("\n")
}

impl Report {
    /// As text.
    pub fn text(&self) -> String {
        let mut parts = vec![format!("{} images\n{}", self.images, lines(&self.scores))];
        parts.extend(self.absent.iter().map(|(name, reason)| format!("  {name:8} absent: {reason}")));
        parts.push(self.statistics_text());
        match &self.deduplicated {
            Some(distinct) => {
                parts.push(format!("de-duplicated, {} images\n{}", distinct.images, lines(&distinct.scores)));
            }
            None => parts.push("de-duplicated: no image keeps three references".into()),
        }
        for (name, found) in [("class lookup", &self.class_lookup), ("class consensus", &self.class_consensus)] {
            let name = format!("{name}, {} images, {} without class left out", found.images, found.left_out);
            parts.push(baseline(&name, &found.baseline));
        }
        parts.push(baseline("train retrieval", &self.train_retrieval));
        parts.extend(self.by_class.as_ref().map(|_| self.by_class_text()));
        parts.join("\n")
    }

    fn statistics_text(&self) -> String {
        let found = &self.statistics;
        let mut text = format!(
            "captions: {} distinct, {:.1} words long (references {:.1})\n95 % intervals over the images",
            found.distinct, found.words, found.reference_words
        );
        let values = [
            ("cider", self.scores["cider"]),
            ("invented", found.invented),
            ("missed", found.missed),
            ("wrong", found.wrong),
        ];
        for (name, value) in values {
            let [low, high] = found.intervals[name];
            write!(text, "\n  {name:8} {value:.4}  [{low:.4}, {high:.4}]").ok();
        }
        text
    }

    fn by_class_text(&self) -> String {
        let mut text = format!("{:24} {:>6} {:>7} {:>8} {:>6}", "class", "images", "cider", "distinct", "wrong");
        for row in self.by_class.iter().flatten() {
            let class = row.class.as_deref().unwrap_or("(name tells no class)");
            write!(text, "\n{class:24} {:6} {:7.4} {:8} {:6.4}", row.images, row.cider, row.distinct, row.wrong).ok();
        }
        text
    }
}

fn baseline(name: &str, found: &Baseline) -> String {
    match found {
        Baseline::Scores(scores) => format!("{name}\n{}", lines(scores)),
        Baseline::Absent(reason) => format!("{name}: absent: {reason}"),
    }
}
