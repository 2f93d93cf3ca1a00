//! A page of images with their references and captions, right and wrong words coloured (paper figures 6 and 8). One file that
//! needs nothing else: the images are inside it.

use crate::error::Result;
use cssa::dataset::Listed;
use cssa::metrics::{self, Item};
use cssa::page::{self, escape};
use cssa_image::embedded;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Side of the images on the page, in pixels.
pub(crate) const SIDE: u32 = 200;

/// Words that carry no meaning of their own and are neither right nor wrong.
const PLAIN: &str = "a an the of in on at to and or is are be there it this that with by for from as its their some other \
                     which has have";

/// The page for the images of one split; the worst captions come first.
pub fn page(title: &str, entries: &[(&Listed, &str)]) -> Result<String> {
    let item = |(entry, caption): &(&Listed, &str)| Item {
        hypothesis: (*caption).to_owned(),
        references: entry.captions.clone(),
    };
    let items: Vec<Item> = entries.iter().map(item).collect();
    let scores = super::super::score::named(&metrics::score(&items)?);
    let each = metrics::cider_per_item(&items)?;
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by(|&a, &b| each[a].total_cmp(&each[b]));
    let mut page = String::from("<table><tr>");
    for name in scores.keys() {
        write!(page, "<th>{name}</th>")?;
    }
    page.push_str("</tr><tr>");
    for score in scores.values() {
        write!(page, "<td>{score:.4}</td>")?;
    }
    writeln!(
        page,
        "</tr></table>\n<p>{} images, worst first. <span class=\"right\">Right</span>: in a reference. <span \
         class=\"wrong\">Wrong</span>: in none.</p>",
        entries.len()
    )?;
    for n in order {
        let (entry, caption) = entries[n];
        let picture = format!("<img alt=\"\" src=\"{}\">", embedded(&entry.path, SIDE)?);
        let note = format!("{} · CIDEr {:.3}", entry.filename, each[n]);
        page.push_str(&article(&picture, caption, &entry.captions, &note));
    }
    Ok(page::page(title, "", &page))
}

/// One image with its caption, its references and a note.
pub(crate) fn article(picture: &str, caption: &str, references: &[String], note: &str) -> String {
    let listed: String = references.iter().map(|reference| format!("<li>{}</li>", escape(reference))).collect();
    format!(
        "<article>{picture}<div><p>{}</p><ul>{listed}</ul><small>{}</small></div></article>\n",
        coloured(caption, references),
        escape(note)
    )
}

/// The caption as HTML, words marked by whether a reference has them.
fn coloured(caption: &str, references: &[String]) -> String {
    let known: BTreeSet<String> = references.iter().flat_map(|reference| metrics::tokenize(reference)).collect();
    let marked = caption.split_whitespace().map(|word| {
        let tokens = metrics::tokenize(word);
        let plain = tokens.iter().all(|token| PLAIN.split_whitespace().any(|plain| plain == token));
        let class = match (plain, tokens.iter().all(|token| known.contains(token))) {
            (true, _) => return escape(word),
            (false, true) => "right",
            (false, false) => "wrong",
        };
        format!("<span class=\"{class}\">{}</span>", escape(word))
    });
    marked.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_marked_and_escaped() {
        let found = coloured("many <b> planes near a road .", &["Two planes are on a road .".into()]);
        assert_eq!(
            found,
            "<span class=\"wrong\">many</span> <span class=\"wrong\">&lt;b&gt;</span> <span class=\"right\">planes</span> \
             <span class=\"wrong\">near</span> a <span class=\"right\">road</span> ."
        );
    }
}
