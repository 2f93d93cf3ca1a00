//! Which scene class a caption fits best, against the class that the file's name tells.

use crate::trained::CaptionedSplit;
use cssa::dataset::{Dataset, Split, scene_class};
use cssa::metrics::{self, CiderScorer};
use cssa::page::escape;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

/// References of a class that captions are compared with, at most, spread over its train images.
const REFERENCES: usize = 100;
/// The most classes that are drawn as a square.
const DRAWN: usize = 48;
/// The most frequent confusions that are listed.
const LISTED: usize = 10;
/// Side of a cell, width of a letter, and room for the axes' titles, in pixels.
const CELL: usize = 22;
const LETTER: usize = 7;
const TITLES: usize = 104;

/// An image's references, as tokens.
type References = Vec<Vec<String>>;

/// How often images of a class (row) are captioned as those of another (column).
#[derive(Debug, Serialize)]
pub(super) struct Confusion {
    pub(super) dataset: String,
    pub(super) classes: Vec<String>,
    pub(super) counts: Vec<Vec<usize>>,
    /// Images whose name tells no class that a train image has.
    pub(super) left_out: usize,
}

impl Confusion {
    /// The class of a caption is the one whose train references it is most like: by mean CIDEr-D, with the document frequencies of all
    /// train images. Nothing where the names tell fewer than two classes.
    pub(super) fn of(split: &CaptionedSplit<'_>, dataset: &Dataset) -> Option<Self> {
        // Classes that are numbers stand in the order of these.
        let mut known: BTreeMap<(Option<u32>, String), Vec<References>> = BTreeMap::new();
        for image in dataset.split(Split::Train) {
            if let Some(class) = scene_class(&dataset.name, &image.filename) {
                known
                    .entry((class.parse().ok(), class))
                    .or_default()
                    .push(image.captions.iter().map(|text| metrics::tokenize(text)).collect());
            }
        }
        if known.len() < 2 {
            return None;
        }
        let scorer = CiderScorer::new(&known.values().flatten().cloned().collect::<Vec<_>>());
        let prepared: Vec<_> = known
            .values()
            .map(|images| {
                let all: Vec<Vec<String>> = images.iter().flatten().cloned().collect();
                let every = all.len().div_ceil(REFERENCES).max(1);
                scorer.prepare(&all.into_iter().step_by(every).collect::<Vec<_>>())
            })
            .collect();
        let mut nearest: HashMap<&str, usize> = HashMap::new();
        let classes: Vec<String> = known.into_keys().map(|(_, class)| class).collect();
        let (mut counts, mut left_out) = (vec![vec![0; classes.len()]; classes.len()], 0);
        for (image, (caption, _)) in split.images.iter().zip(&split.captions) {
            let class = scene_class(&split.dataset, &image.filename);
            let Some(row) = class.and_then(|class| classes.iter().position(|known| *known == class)) else {
                left_out += 1;
                continue;
            };
            let column = *nearest.entry(caption).or_insert_with(|| {
                let tokens = metrics::tokenize(caption);
                let scores = prepared.iter().map(|references| scorer.score_against(&tokens, references));
                let best = scores.enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
                best.map_or(0, |(class, _)| class)
            });
            counts[row][column] += 1;
        }
        Some(Self { dataset: split.dataset.clone(), classes, counts, left_out })
    }

    fn total(&self) -> usize {
        self.counts.iter().flatten().sum()
    }

    fn right(&self) -> usize {
        (0..self.classes.len()).map(|class| self.counts[class][class]).sum()
    }

    fn svg(&self) -> String {
        let longest = self.classes.iter().map(|class| class.chars().count()).max().unwrap_or(0);
        let (left, top) = (TITLES.max(longest * LETTER + 14), 34 + longest * LETTER);
        let side = self.classes.len() * CELL;
        let (width, height) = ((left + side + longest * LETTER / 2 + 8).max(left + 150), top + side + 6);
        let mut svg = format!(
            "<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" \
             aria-label=\"true class by row, class of the caption by column\">\
             <text class=\"title\" x=\"{left}\" y=\"14\">caption reads like →</text>\
             <text class=\"title\" x=\"{0}\" y=\"{1}\" text-anchor=\"end\">true class ↓</text>",
            left - 8,
            top - 8
        );
        for (n, class) in self.classes.iter().enumerate() {
            let middle = n * CELL + CELL / 2 + 4;
            let name = escape(class);
            let _ = write!(
                svg,
                "<text class=\"class\" text-anchor=\"end\" x=\"{}\" y=\"{}\">{name}</text>\
                 <text class=\"class\" transform=\"translate({} {}) rotate(-60)\">{name}</text>",
                left - 8,
                top + middle,
                left + middle,
                top - 6
            );
        }
        for (row, counts) in self.counts.iter().enumerate() {
            let total = counts.iter().sum::<usize>().max(1) as f64;
            for (column, &count) in counts.iter().enumerate() {
                let (x, y) = (left + column * CELL, top + row * CELL);
                let _ = write!(
                    svg,
                    "<rect class=\"grid\" fill=\"var(--pane)\" x=\"{x}\" y=\"{y}\" width=\"{CELL}\" height=\"{CELL}\"/>"
                );
                if count > 0 {
                    let share = count as f64 / total;
                    let _ = write!(
                        svg,
                        "<rect class=\"cell\" fill-opacity=\"{:.2}\" x=\"{x}\" y=\"{y}\" width=\"{CELL}\" height=\"{CELL}\">\
                         <title>{count} of {total} {} read like {}</title></rect>\
                         <text class=\"count\" text-anchor=\"middle\" x=\"{}\" y=\"{}\">{count}</text>",
                        0.12 + 0.55 * share,
                        escape(&self.classes[row]),
                        escape(&self.classes[column]),
                        x + CELL / 2,
                        y + CELL / 2 + 4
                    );
                }
            }
        }
        svg.push_str("</svg>\n");
        svg
    }
}

pub(super) fn write(body: &mut String, confusions: &[Confusion], absent: Option<&str>) {
    body.push_str("<h2 id=\"classes\">Classes</h2>\n");
    if let Some(absent) = absent {
        let _ = writeln!(body, "<p class=\"note\">{absent}</p>");
        return;
    }
    if confusions.is_empty() {
        body.push_str("<p class=\"note\">No file name of these datasets tells a scene class.</p>\n");
        return;
    }
    body.push_str(
        "<p class=\"note\">The true class is the file name's. A caption counts for the class whose train references it is most \
         like (mean CIDEr-D). Rows are true classes; a cell is the darker, the larger its share of the row.</p>\n",
    );
    for confusion in confusions {
        let (right, total) = (confusion.right(), confusion.total());
        let left = match confusion.left_out {
            0 => String::new(),
            count => format!(", {count} without a class left out"),
        };
        let _ = writeln!(
            body,
            "<h3>{}: {right} of {total} captions read like their class ({:.1} %){left}</h3>\n<div class=\"side\">",
            escape(&confusion.dataset),
            100.0 * right as f64 / total.max(1) as f64
        );
        if confusion.classes.len() <= DRAWN {
            body.push_str(&confusion.svg());
        }
        write_list(body, confusion);
        body.push_str("</div>\n");
    }
}

fn write_list(body: &mut String, Confusion { classes, counts, .. }: &Confusion) {
    let mut wrong: Vec<(usize, &String, &String)> = Vec::new();
    for (row, counts) in counts.iter().enumerate() {
        for (column, &count) in counts.iter().enumerate() {
            if row != column && count > 0 {
                wrong.push((count, &classes[row], &classes[column]));
            }
        }
    }
    wrong.sort_by(|a, b| b.cmp(a));
    if wrong.is_empty() {
        body.push_str("<p>No caption reads like another class.</p>\n");
        return;
    }
    body.push_str("<table><tr><th>true class</th><th>reads like</th><th>images</th></tr>\n");
    for (count, class, other) in wrong.iter().take(LISTED) {
        let _ = writeln!(body, "<tr><td>{}</td><td>{}</td><td>{count}</td></tr>", escape(class), escape(other));
    }
    body.push_str("</table>\n");
}
