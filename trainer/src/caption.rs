//! `trainer caption`: images without references, captioned by a run.

use crate::error::{Error, Result, ensure};
use crate::trained::Trained;
use cssa::model::Search;
use cssa::search::Hypothesis;
use cssa_image::images;
use serde::Serialize;
use std::path::PathBuf;

/// A caption with its probability, as it is printed.
#[derive(Debug, Serialize)]
struct Line {
    caption: String,
    /// ln p of all its tokens, the end included.
    log_probability: f32,
    /// Geometric mean of the tokens' probabilities.
    score: f32,
}

#[derive(Serialize)]
struct Captioned {
    image: String,
    #[serde(flatten)]
    chosen: Line,
    #[serde(skip_serializing_if = "Option::is_none")]
    n_best: Option<Vec<Line>>,
}

impl From<(String, Hypothesis)> for Line {
    fn from((caption, hypothesis): (String, Hypothesis)) -> Self {
        Self { caption, log_probability: hypothesis.log_probability, score: hypothesis.score() }
    }
}

/// Captions the images and those in folders, in the order of their names; `say` gets one JSON object an image. An image that cannot
/// be read is an error that names it, after all others have been captioned; an error of `say`'s own, `E`, ends it at once.
pub fn each<E: From<Error>>(
    trained: &Trained,
    paths: &[PathBuf],
    search: Search,
    n_best: Option<usize>,
    say: &mut dyn FnMut(&str) -> Result<(), E>,
) -> Result<(), E> {
    let (images, captioner) = (images(paths).map_err(Error::from)?, trained.captioner(search)?);
    let mut failed = Vec::new();
    for path in &images {
        let image = match cssa_image::read(path) {
            Ok(image) => image,
            Err(error) => {
                failed.push(error);
                continue;
            }
        };
        let features = trained.features(&image)?;
        let chosen = captioner.caption(&features)?.into();
        let list = |best| Ok::<_, Error>(captioner.n_best(&features, best)?.into_iter().map(Line::from).collect());
        let n_best = n_best.map(list).transpose()?;
        let captioned = Captioned { image: path.display().to_string(), chosen, n_best };
        say(&serde_json::to_string(&captioned).map_err(Error::from)?)?;
    }
    ensure!(failed.is_empty(), Error::UnreadableImages { failed, images: images.len() }.into());
    Ok(())
}
