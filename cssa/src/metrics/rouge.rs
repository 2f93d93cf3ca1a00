//! ROUGE-L (Lin, 2004) as coco-caption computes it: the F-measure of the best precision and the best recall over the
//! references, with beta = 1.2.

use super::TokenizedItem;

const BETA: f64 = 1.2;

/// ROUGE-L of each item.
pub(super) fn rouge_l_per_item(corpus: &[TokenizedItem]) -> Vec<f64> {
    corpus.iter().map(rouge_l).collect()
}

/// An empty sentence counts as one empty token, which is how it is split at single spaces.
fn rouge_l(item: &TokenizedItem) -> f64 {
    let hypothesis: Vec<&str> = item.hypothesis.split(' ').collect();
    let (mut precision, mut recall) = (0.0_f64, 0.0_f64);
    for reference in &item.references {
        let reference: Vec<&str> = reference.split(' ').collect();
        let common = longest_common_subsequence(&hypothesis, &reference) as f64;
        precision = precision.max(common / hypothesis.len() as f64);
        recall = recall.max(common / reference.len() as f64);
    }
    if precision == 0.0 || recall == 0.0 {
        return 0.0;
    }
    (1.0 + BETA * BETA) * precision * recall / (recall + BETA * BETA * precision)
}

fn longest_common_subsequence(left: &[&str], right: &[&str]) -> usize {
    let mut lengths = vec![0; right.len() + 1];
    for word in left {
        let mut diagonal = 0;
        for (column, other) in right.iter().enumerate() {
            let above = lengths[column + 1];
            lengths[column + 1] = if word == other { diagonal + 1 } else { above.max(lengths[column]) };
            diagonal = above;
        }
    }
    lengths.last().copied().unwrap_or(0)
}
