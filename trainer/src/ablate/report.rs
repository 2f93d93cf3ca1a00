//! `table-N.md` and `table-N.csv`.

use super::Row;
use super::compare::{Comparison, Outcomes, compare};
use super::outcome::{Outcome, Part};
use super::tables::Table;
use std::collections::BTreeSet;

const SCORES: [&str; 6] = ["bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider"];

/// Mean and sample standard deviation of a score over the seeds; no deviation for a single seed.
fn spread(outcomes: &Outcomes, part: &Part, score: &str) -> Option<(f64, Option<f64>)> {
    let values: Option<Vec<f64>> =
        outcomes.values().map(|outcome| outcome.part(part)?.scores.get(score).copied()).collect();
    let values = values.filter(|values| !values.is_empty())?;
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    Some((mean, (values.len() > 1).then(|| variance.sqrt())))
}

/// The splits of the datasets that the table shows.
fn parts(table: Table, rows: &[Row]) -> BTreeSet<Part> {
    let outcomes = rows.iter().flat_map(|row| row.outcomes.values());
    let shown = |outcome: &'_ Outcome| {
        let dev = outcome.dev.iter().filter(|_| table.shows_dev());
        let parts = outcome.datasets.iter().chain(dev);
        parts.map(|(name, scored)| (name.clone(), scored.split.clone())).collect::<Vec<_>>()
    };
    outcomes.flat_map(shown).collect()
}

/// The paper's CIDEr for a dataset.
fn paper(row: &Row, dataset: &str) -> Option<f64> {
    let column = ["ucm", "sydney", "rsicd"].iter().position(|name| dataset.to_lowercase().contains(name))?;
    row.cell.paper.map(|figures| figures[column])
}

/// The table's comparisons between cells that are there.
fn comparisons(table: Table, rows: &[Row], part: &Part) -> Vec<(&'static str, &'static str, Comparison)> {
    let outcomes = |name: &str| rows.iter().find(|row| row.cell.name == name).map(|row| &row.outcomes);
    let pairs = table.comparisons().into_iter();
    pairs.filter_map(|(cell, base)| Some((cell, base, compare(outcomes(cell)?, outcomes(base)?, part)?))).collect()
}

pub(super) fn markdown(table: Table, rows: &[Row]) -> String {
    let mut text = String::new();
    for part in parts(table, rows) {
        let (dataset, split) = &part;
        text.push_str(&format!(
            "\n{dataset}, {split}: mean ± deviation over the seeds\n\n| | {} | CIDEr in the paper | seeds |\n|---|{}---|---|\n",
            SCORES.join(" | "),
            "---|".repeat(SCORES.len())
        ));
        for row in rows {
            let score = |score: &&str| match spread(&row.outcomes, &part, score) {
                Some((mean, Some(deviation))) => format!("{mean:.4} ± {deviation:.4}"),
                Some((mean, None)) => format!("{mean:.4}"),
                None => "–".into(),
            };
            let scores: Vec<String> = SCORES.iter().map(score).collect();
            let paper = paper(row, dataset).map_or("–".into(), |cider| format!("{cider:.4}"));
            let (name, seeds) = (row.cell.name, row.outcomes.len());
            text.push_str(&format!("| {name} | {} | {paper} | {seeds} |\n", scores.join(" | ")));
        }
        let compared = comparisons(table, rows, &part);
        let Some((_, _, first)) = compared.first() else { continue };
        let drawn = if first.seeds > 1 { "seeds and images" } else { "images; one seed: seeds are not resampled" };
        text.push_str(&format!(
            "\nCIDEr, paired by seed and image; 95 % bootstrap interval over {drawn}\n\n\
             | | against | difference | 95 % interval | seeds | images | |\n|---|---|---|---|---|---|---|\n"
        ));
        for (cell, base, Comparison { interval, seeds, images, verdict }) in compared {
            text.push_str(&format!(
                "| {cell} | {base} | {:+.4} | {:+.4} to {:+.4} | {seeds} | {images} | {} |\n",
                interval.mean,
                interval.low,
                interval.high,
                verdict.name()
            ));
        }
    }
    text.trim_start().to_owned()
}

/// A row a score, then, with `against`, a row a difference in CIDEr.
pub(super) fn csv(table: Table, rows: &[Row]) -> String {
    let mut text = String::from("dataset,split,cell,score,against,mean,deviation,low,high,seeds,paper,verdict\n");
    for part in parts(table, rows) {
        let (dataset, split) = &part;
        for row in rows {
            for score in SCORES {
                let Some((mean, deviation)) = spread(&row.outcomes, &part, score) else { continue };
                let deviation = deviation.map_or(String::new(), |deviation| format!("{deviation:.6}"));
                let paper = paper(row, dataset).filter(|_| score == "cider");
                let paper = paper.map_or(String::new(), |paper| format!("{paper:.4}"));
                let (name, seeds) = (row.cell.name, row.outcomes.len());
                text.push_str(&format!("{dataset},{split},{name},{score},,{mean:.6},{deviation},,,{seeds},{paper},\n"));
            }
        }
        for (cell, base, Comparison { interval, seeds, verdict, .. }) in comparisons(table, rows, &part) {
            text.push_str(&format!(
                "{dataset},{split},{cell},cider,{base},{:.6},,{:.6},{:.6},{seeds},,{}\n",
                interval.mean,
                interval.low,
                interval.high,
                verdict.name()
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ablate::compare::tests::outcomes;

    fn rows(ciders: [&[f64]; 4]) -> Vec<Row> {
        let cells = Table::Four.cells().into_iter().zip(ciders);
        cells.map(|(cell, seeds)| Row { cell, outcomes: outcomes(seeds) }).collect()
    }

    #[test]
    fn tables_show_mean_deviation_and_the_papers_figure() {
        let rows = rows([&[1.0, 1.2], &[1.1, 1.3], &[1.0, 1.1], &[1.0, 1.0]]);
        let text = markdown(Table::Four, &rows);
        assert!(text.contains("15.6000 ± 0.1414 | 3.5912 | 2 |"), "{text}");
        assert!(csv(Table::Four, &rows).contains("UCM,test,dgp,cider,,15.700000,0.141421,,,2,3.6639,\n"));
    }

    #[test]
    fn helps_stands_only_where_the_interval_excludes_zero() {
        let found = rows([&[1.0, 3.0], &[1.1, 3.1], &[1.2, 2.8], &[0.9, 2.9]]);
        let text = markdown(Table::Four, &found);
        let line = |cell: &str| text.lines().find(|line| line.starts_with(cell)).unwrap_or_default().to_owned();
        assert!(line("| dgp | neither | +0.1000 |").ends_with("| 2 | 30 | helps |"), "{text}");
        assert!(line("| mccl | neither |").ends_with("| not shown |"), "{text}");
        assert!(line("| dgp+mccl | neither | -0.1000 |").ends_with("| hurts |"), "{text}");
        assert!(line("| dgp+mccl | dgp | -0.2000 |").ends_with("| hurts |"), "{text}");
        assert_eq!(text.matches("helps").count(), 1, "{text}");
        let csv = csv(Table::Four, &found);
        assert!(csv.contains("UCM,test,dgp,cider,neither,0.100000,,0.100000,0.100000,2,,helps"), "{csv}");
        assert_eq!(csv.matches("helps").count(), 1);
    }

    #[test]
    fn what_raises_quality_is_shown_on_dev_and_test() {
        let cells = Table::Ten.cells().into_iter().zip([1.0, 1.1, 1.0, 1.2, 0.9]);
        let rows: Vec<Row> =
            cells.map(|(cell, first)| Row { cell, outcomes: outcomes(&[first, first + 1.0]) }).collect();
        let text = markdown(Table::Ten, &rows);
        let dev = text.find("UCM, dev: mean").zip(text.find("UCM, test: mean"));
        assert!(dev.is_some_and(|(dev, test)| dev < test), "{text}");
        assert_eq!(text.matches("| teachers | base | +0.2000 |").count(), 2, "{text}");
        assert_eq!(
            text.matches("| base | no-average | +0.1000 | +0.1000 to +0.1000 | 2 | 30 | helps |").count(),
            2,
            "{text}"
        );
        assert!(
            !text.contains("| no-average | base |") && csv(Table::Ten, &rows).contains("UCM,dev,scene,cider,base,0.1")
        );
        let others = self::rows([&[1.0], &[1.1], &[1.2], &[1.0]]);
        assert!(!markdown(Table::Four, &others).contains("UCM, dev"));
    }

    #[test]
    fn one_seed_says_that_seeds_are_not_resampled() {
        let one = rows([&[1.0], &[1.1], &[1.2], &[1.0]]);
        assert!(markdown(Table::Four, &one).contains("over images; one seed: seeds are not resampled"));
        let cells: Vec<Row> = one.into_iter().skip(1).collect();
        let text = markdown(Table::Four, &cells);
        assert!(!text.contains("neither") && text.contains("| dgp+mccl | dgp | -0.1000"), "{text}");
    }
}
