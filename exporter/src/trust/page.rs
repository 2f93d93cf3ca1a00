//! The report of `exporter trust` as one HTML page: reliability, risk against coverage, folders outside, and the worst mistakes of those
//! that an operator would believe.

use super::measure::{Measured, Report, TOO_GOOD};
use crate::error::Result;
use cssa::page::{self, escape, reliability};
use cssa_image::embedded;
use std::fmt::Write;

/// Mistakes shown.
const MISTAKES: usize = 24;
/// Side of an image, in pixels.
const SIDE: u32 = 220;

/// The page.
pub fn page(title: &str, report: &Report, measured: &[Measured]) -> Result<String> {
    let mut page = String::new();
    if report.fitted {
        writeln!(page, "<p class=\"wrong\">{TOO_GOOD}</p>")?;
    }
    if let Some(table) = &report.objects {
        writeln!(page, "<p>Wrong by {}, not by the bundle's own table.</p>", escape(&table.display().to_string()))?;
    }
    page.push_str("<table>\n");
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let by_chance = report.ece_by_chance;
    let rows = [
        ("images", report.images.to_string()),
        ("CIDEr", format!("{:.3}", report.cider)),
        ("distinct captions", report.distinct.to_string()),
        ("wrong captions", percent(report.wrong)),
        ("missed objects", percent(report.missed)),
        ("calibration error (ECE)", format!("{:.3}", report.ece)),
        (
            "ECE by chance, at most in 95 of 100",
            [by_chance.mean, by_chance.most].map(|error| format!("{error:.3}")).join(", "),
        ),
        ("AUROC of confidence against wrong", format!("{:.3}", report.auroc)),
        ("area under risk and coverage (AURC)", format!("{:.3}", report.aurc)),
        ("wrong among all, the surest 80 %, 50 %", report.risk.map(percent).join(", ")),
        ("flagged as outside", percent(report.flagged)),
        ("believed (not outside, confidence ≥ 0.5)", percent(report.believed)),
        ("believed and wrong", percent(report.believed_and_wrong)),
    ];
    for (name, value) in rows {
        writeln!(page, "<tr><td>{name}</td><td>{value}</td></tr>")?;
    }
    page.push_str("</table>\n<h2>Reliability</h2>\n");
    page.push_str(&reliability::diagram(&report.bins, "confidence"));
    if !report.outside.is_empty() {
        page.push_str("<h2>Outside</h2>\n<table><tr><th>folder</th><th>images</th><th>flagged</th><th>less familiar than all but 5 %</th><th>reasons</th></tr>\n");
        for folder in &report.outside {
            let reasons: Vec<String> =
                folder.reasons.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
            let (name, flagged, caught) = (escape(&folder.name), percent(folder.flagged), percent(folder.caught));
            writeln!(
                page,
                "<tr><td>{name}</td><td>{}</td><td>{flagged}</td><td>{caught}</td><td>{}</td></tr>",
                folder.images,
                reasons.join(", ")
            )?;
        }
        page.push_str("</table>\n");
    }
    page.push_str("<h2>The worst mistakes that are believed</h2>\n");
    let mut mistakes: Vec<&Measured> = measured.iter().filter(|one| one.is_wrong() && one.is_believed()).collect();
    mistakes.sort_by_key(|one| std::cmp::Reverse(one.stated.confidence));
    if mistakes.is_empty() {
        page.push_str("<p>None.</p>\n");
    }
    for one in mistakes.into_iter().take(MISTAKES) {
        let references: String = one.references.iter().map(|text| format!("<li>{}</li>", escape(text))).collect();
        let name = one.stated.image.file_name().unwrap_or_default().to_string_lossy().into_owned();
        writeln!(
            page,
            "<article><img alt=\"\" src=\"{}\"><div><p>{}<br>invented: <span class=\"wrong\">{}</span></p><ul>{references}</ul><small>{} · confidence {:.2} · \
             familiarity {:.2}</small></div></article>",
            embedded(&one.stated.image, SIDE)?,
            escape(&one.stated.caption),
            escape(&one.invented.join(", ")),
            escape(&name),
            one.stated.confidence.value(),
            one.stated.familiarity
        )?;
    }
    Ok(page::page(title, "", &page))
}

#[cfg(test)]
mod tests {
    use super::super::measure::report;
    use super::super::stated::Stated;
    use super::*;
    use cssa::objects::ObjectGroups;
    use cssa::trust::{Confidence, Reason};

    /// Mistakes that nobody believes are not among those that are believed, and figures that are too good are said to be.
    #[test]
    fn the_worst_mistakes_are_believed() -> anyhow::Result<()> {
        let one = |name: &str, thousandths, reasons: &[Reason], invented: &[&str]| Measured {
            stated: Stated {
                image: fixtures::scenes().join("images/scene_00000.jpg"),
                caption: format!("the caption {name}"),
                confidence: Confidence::from_thousandths(thousandths).unwrap_or(Confidence::MAX),
                familiarity: 0.5,
                reasons: reasons.to_vec(),
            },
            references: vec!["a road".into()],
            invented: invented.iter().map(|&word| word.to_owned()).collect(),
        };
        let measured = [
            one("doubted", 499, &[], &["river"]),
            one("flagged", 900, &[Reason::Foggy], &["river"]),
            one("right", 990, &[], &[]),
            one("believed", 500, &[], &["river"]),
            one("worst", 800, &[], &["river"]),
        ];
        let mut figures = report(&measured, &ObjectGroups::default(), &[])?;
        let shown = page("Trust", &figures, &measured)?;
        let place = |name: &str| shown.find(&format!("the caption {name}"));
        assert_eq!(["doubted", "flagged", "right"].map(place), [None; 3]);
        assert!(place("worst").is_some() && place("worst") < place("believed"));
        assert!(!shown.contains(TOO_GOOD));
        figures.fitted = true;
        assert!(page("Trust", &figures, &measured)?.contains(TOO_GOOD));
        assert!(page("Trust", &figures, &measured[..3])?.contains("<p>None.</p>"));
        Ok(())
    }
}
