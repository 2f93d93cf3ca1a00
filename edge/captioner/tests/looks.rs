//! Second looks and trust with the default bundle.

use cssa::bundle::Bundle;
use cssa::trust::Reason;
use cssa_captioner::{Captioner, Choice, Looks, Settings, find_library};
use image::{Rgb, RgbImage};
use std::error::Error;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

fn scene(number: usize) -> Result<RgbImage> {
    Ok(cssa_image::read(&fixtures::scenes().join(format!("images/scene_{number:05}.jpg")))?)
}

fn settings(choice: Choice, looks: Looks) -> Settings {
    Settings { choice, looks, threads: 1, ..Settings::default() }
}

/// Views that go through the encoder together are seen as those that go one by one, as a bundle of format 2 makes them.
#[test]
fn a_batch_of_views_is_seen_as_each_alone() -> Result {
    let choices = [find_library().map(|_| Choice::Ort), Some(Choice::Tract)];
    for choice in choices.into_iter().flatten() {
        let bundle = Bundle::read(&fixtures::bundle())?;
        let mut alone = bundle.clone();
        alone.manifest.format = 2;
        let found = [bundle, alone].map(|bundle| -> Result<Vec<Vec<u16>>> {
            let mut captioner = Captioner::open(&bundle, &settings(choice, Looks::One))?;
            let sight = captioner.sight(&scene(3)?)?;
            let views = captioner.candidates(&sight, Looks::Eight)?;
            assert_eq!(views.len(), 8);
            let best = views.iter().filter_map(|list| list.first());
            Ok(best.map(|best| best.tokens.iter().map(|token| token.0).collect()).collect())
        });
        let [together, alone] = found;
        let (together, alone) = (together?, alone?);
        let same = together.iter().zip(&alone).filter(|(a, b)| a == b).count();
        assert!(same >= 7, "{choice}: {together:?} and {alone:?}");
        assert_eq!(together[0], alone[0]);
    }
    Ok(())
}

#[test]
fn a_caption_says_how_sure_it_is_and_a_blank_image_is_outside() -> Result {
    let bundle = Bundle::read(&fixtures::bundle())?;
    for looks in Looks::ALL {
        let mut captioner = Captioner::open(&bundle, &settings(Choice::Auto, looks))?;
        let caption = captioner.caption(&scene(8)?)?;
        assert_eq!(caption.looks, looks);
        assert!(caption.confidence.is_some() && caption.familiarity.is_some(), "{looks} looks");
        let blank = captioner.caption(&RgbImage::from_pixel(300, 200, Rgb([90, 160, 120])))?;
        assert_eq!(blank.outside(), Some(Reason::Blank), "{looks} looks");
        assert!(blank.familiarity.is_some_and(|familiarity| familiarity < 0.5), "{:?}", blank.familiarity);
    }
    Ok(())
}

#[test]
fn without_statistics_there_is_no_confidence_and_one_look() -> Result {
    let mut bundle = Bundle::read(&fixtures::bundle())?;
    bundle.trust = None;
    let mut captioner = Captioner::open(&bundle, &settings(Choice::Auto, Looks::Four))?;
    assert!(!captioner.is_calibrated());
    let caption = captioner.caption(&scene(1)?)?;
    assert_eq!((caption.confidence, caption.familiarity, caption.looks), (None, None, Looks::One));
    assert!(caption.reasons.is_empty() && !caption.text.is_empty());
    Ok(())
}
