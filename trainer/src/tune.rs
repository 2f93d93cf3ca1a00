//! `trainer tune`: ways to search, compared on dev.

use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::trained::Trained;
use cssa::dataset::Split;
use cssa::model::{Consensus, Search};
use std::path::{Path, PathBuf};

/// Every beam and every consensus with every length exponent and every length class.
pub fn searches(
    beams: &[u8],
    length_exponents: &[f32],
    lengths: &[Option<u8>],
    consensus: &[Consensus],
) -> Vec<Search> {
    let plain = beams.iter().map(|&beam| (usize::from(beam), None));
    let wide = consensus.iter().map(|&consensus| (consensus.beam, Some(consensus)));
    let with = |(beam, consensus)| {
        let with = move |length_exponent| {
            lengths.iter().map(move |&length| Search { beam, length_exponent, length, consensus })
        };
        length_exponents.iter().copied().flat_map(with)
    };
    plain.chain(wide).flat_map(with).collect()
}

/// The search with the highest CIDEr on dev, mean over the datasets; says what each gave. An error of `say`'s own, `E`, is given
/// back.
pub fn best<E: From<Error>>(
    trained: &Trained,
    tried: &[Search],
    data: &[PathBuf],
    cache: &Path,
    say: &mut dyn FnMut(&str) -> Result<(), E>,
) -> Result<Search, E> {
    let mut best: Option<(f64, Search)> = None;
    for &search in tried {
        let found = trained.evaluate(data, Split::Dev, search, cache, &Progress::Shown)?;
        let cider = found.iter().map(|found| found.scores["cider"]).sum::<f64>() / found.len() as f64;
        say(&format!("{search}: dev CIDEr {cider:.4}"))?;
        if best.is_none_or(|(other, _)| cider > other) {
            best = Some((cider, search));
        }
    }
    Ok(best.ok_or(Error::NothingToTry)?.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_tried_with_every_exponent() {
        let consensus = Consensus { beam: 5, draws: 16 };
        let tried = searches(&[1, 3], &[0.0, 1.0], &[None], &[consensus]);
        assert_eq!(tried.len(), 6);
        assert_eq!(tried[5], Search { beam: 5, length_exponent: 1.0, length: None, consensus: Some(consensus) });
        assert_eq!(tried[5].to_string(), "consensus of beam 5 and 16 draws, length exponent 1");
        assert_eq!(tried[0].to_string(), "beam 1, length exponent 0");
        let classes = searches(&[1], &[0.5], &[Some(1), Some(2)], &[]);
        assert_eq!(classes[1].to_string(), "beam 1, length exponent 0.5, length class 2");
    }
}
