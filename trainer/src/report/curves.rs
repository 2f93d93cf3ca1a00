//! The curves of a run: losses and learning rates by step, scores on dev by epoch.

use crate::events::Curves;
use crate::log::Epoch;
use cssa::page::chart::{Chart, Series};
use cssa::page::escape;
use std::fmt::Write;

/// Points of a curve that are drawn: pixels are no more.
const DRAWN: usize = 1000;
const STAGES: [(&str, &str); 3] =
    [("mccl", "MCCL, alignment"), ("rsic", "RSIC, captioning"), ("scst", "SCST, self-critical training")];

pub(super) fn write(body: &mut String, curves: &Curves, epochs: &[Epoch]) {
    body.push_str("<h2 id=\"curves\">Curves</h2>\n");
    body.push_str(match (curves.is_empty(), epochs.is_empty()) {
        (true, true) => "<p class=\"note\">The run keeps neither event files nor metrics.json.</p>\n",
        (true, false) => {
            "<p class=\"note\">The run keeps no event files: losses are means of epochs, and learning rates are not known.</p>\n"
        }
        (false, _) => {
            "<p class=\"note\">A loss is the mean over its epoch so far, so that it begins anew with each epoch. A step is \
             one batch. The dashed line marks the epoch whose weights the run has.</p>\n"
        }
    });
    body.push_str("<div class=\"charts\">\n");
    dev_charts(body, epochs);
    for (stage, title) in STAGES {
        for (curve, what, label) in
            [("loss", "loss", "training loss"), ("learning_rate", "learning rate", "learning rate")]
        {
            if let Some(points) = curves.get(&format!("{stage}/{curve}")) {
                let points: Vec<(f64, f64)> = points.iter().map(|(step, value)| (*step as f64, *value)).collect();
                let series = [Series { name: what.into(), points: thinned(points) }];
                let title = format!("{title}: {what}");
                figure(body, &Chart { title: &title, x: "step", y: label, series: &series, mark: None });
            }
        }
    }
    body.push_str("</div>\n");
    recalls(body, curves);
    table(body, epochs);
}

/// Scores on dev, and losses where there are no steps, over all epochs in their order.
fn dev_charts(body: &mut String, epochs: &[Epoch]) {
    let start = usize::from(epochs.first().is_none_or(|epoch| epoch.epoch > 0));
    let place = |n: usize| (n + start) as f64;
    let chosen = epochs.iter().rposition(|epoch| epoch.chosen);
    let mark = chosen.map(|n| (place(n), "chosen"));
    let of = |name: &str, value: fn(&Epoch) -> Option<f64>| {
        let points = epochs.iter().enumerate().filter_map(|(n, epoch)| Some((place(n), value(epoch)?))).collect();
        [Series { name: name.into(), points }]
    };
    for (title, y, series) in [
        ("CIDEr on dev", "CIDEr-D, mean over datasets", of("CIDEr", |epoch| epoch.dev_cider)),
        ("BLEU-4 on dev", "BLEU-4", of("BLEU-4", |epoch| epoch.dev_bleu_4)),
        ("Loss of each epoch", "mean training loss", of("loss", |epoch| (epoch.epoch > 0).then_some(epoch.train_loss))),
    ] {
        if series.iter().any(|series| !series.points.is_empty()) {
            figure(body, &Chart { title, x: "captioning epoch", y, series: &series, mark });
        }
    }
}

fn figure(body: &mut String, chart: &Chart<'_>) {
    let _ = writeln!(body, "<figure>{}</figure>", chart.svg().trim_end());
}

/// As many points as are drawn, the first and the last among them.
fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let every = points.len().div_ceil(DRAWN).max(1);
    let last = points.len().saturating_sub(1);
    points.into_iter().enumerate().filter(|(n, _)| n % every == 0 || *n == last).map(|(_, point)| point).collect()
}

/// What MCCL reached: recall on dev.
fn recalls(body: &mut String, curves: &Curves) {
    let reached = curves.iter().filter(|(name, _)| name.contains("_at_"));
    let rows: Vec<(String, f64)> = reached
        .filter_map(|(name, points)| {
            let name = name.strip_prefix("mccl/")?.replace("_at_", " @").replace('_', " ").replace('/', ": ");
            Some((name, *points.last_key_value()?.1))
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    body.push_str("<table><tr><th>recall on dev after MCCL</th><th>share</th></tr>\n");
    for (name, value) in rows {
        let _ = writeln!(body, "<tr><td>{}</td><td>{:.1} %</td></tr>", escape(&name), value * 100.0);
    }
    body.push_str("</table>\n");
}

fn table(body: &mut String, epochs: &[Epoch]) {
    if epochs.is_empty() {
        return;
    }
    body.push_str(
        "<table><tr><th>stage</th><th>epoch</th><th>training loss</th><th>CIDEr on dev</th><th>BLEU-4 on dev</th><th></th></tr>\n",
    );
    let number = |value: Option<f64>| value.map_or("–".into(), |value| format!("{value:.4}"));
    let last = epochs.iter().rposition(|epoch| epoch.chosen);
    for (n, Epoch { stage, epoch, train_loss, dev_cider, dev_bleu_4, .. }) in epochs.iter().enumerate() {
        let (class, note) = if last == Some(n) { (" class=\"chosen\"", "chosen") } else { ("", "") };
        let _ = writeln!(
            body,
            "<tr{class}><td>{}</td><td>{epoch}</td><td>{}</td><td>{}</td><td>{}</td><td>{note}</td></tr>",
            escape(stage),
            number((*epoch > 0).then_some(*train_loss)),
            number(*dev_cider),
            number(*dev_bleu_4)
        );
    }
    body.push_str("</table>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_curves_are_thinned_and_keep_their_ends() {
        let points: Vec<(f64, f64)> = (0..2501).map(|n| (f64::from(n), 1.0)).collect();
        let drawn = thinned(points);
        assert!(drawn.len() <= DRAWN + 1, "{}", drawn.len());
        assert_eq!((drawn.first().map(|point| point.0), drawn.last().map(|point| point.0)), (Some(0.0), Some(2500.0)));
        assert_eq!(thinned(vec![(1.0, 2.0)]), [(1.0, 2.0)]);
    }
}
