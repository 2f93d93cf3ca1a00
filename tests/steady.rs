//! What captioning takes from the allocator once it has begun.

use allocation_counter::measure;
use anyhow::{Context, Result};
use cssa::bundle::Bundle;
use cssa::search::Rows;
use cssa::vocabulary::TokenId;
use cssa_captioner::Captioner;
use cssa_captioner::{Choice, Decoder, Part, Provider, Settings};

/// Steps of two images with three captions each, their rows swapped.
fn steps(decoder: &mut Decoder, logits: &mut Vec<f32>) -> Result<()> {
    for position in 0..20 {
        let parents = if position == 0 { [0; 6] } else { [1, 1, 0, 5, 3, 4] };
        let rows = Rows { position, images: &[0, 0, 0, 1, 1, 1], tokens: &[TokenId(7); 6], parents: &parents };
        decoder.step(rows, logits)?;
    }
    Ok(())
}

#[test]
fn the_decoders_steps_allocate_nothing() -> Result<()> {
    let bundle = Bundle::read(&fixtures::bundle())?;
    let model = &bundle.manifest.model;
    let mut decoder = Decoder::open(&bundle.decoder, model, 1)?;
    let values = vec![0.5; model.cells() * model.width];
    let mut logits = Vec::new();
    let mut caption = |decoder: &mut Decoder| -> Result<()> {
        for layer in 0..model.decoder_layers {
            for (image, part) in [(0, Part::Keys), (0, Part::Values), (1, Part::Keys), (1, Part::Values)] {
                decoder.set_cross_attention(image, layer, part, &values)?;
            }
        }
        steps(decoder, &mut logits)
    };
    caption(&mut decoder)?;
    let mut done = Ok(());
    let taken = measure(|| done = caption(&mut decoder));
    done?;
    assert_eq!(taken.count_total, 0, "{taken:?}");
    Ok(())
}

/// What a caption takes for its image, its words and the search it gives back, and the next one takes as much.
#[test]
fn a_caption_keeps_nothing() -> Result<()> {
    let bundle = Bundle::read(&fixtures::bundle())?;
    let settings = Settings { choice: Choice::Auto, provider: Provider::Cpu, threads: 1, ..Settings::default() };
    let mut captioner = Captioner::open(&bundle, &settings)?;
    let image = cssa_image::read(&fixtures::scenes().join("images/scene_00000.jpg"))?;
    let mut captioned = || -> Result<allocation_counter::AllocationInfo> {
        let mut text = None;
        let taken = measure(|| text = captioner.caption(&image).ok().map(|caption| caption.text.len()));
        text.context("no caption")?;
        Ok(taken)
    };
    captioned()?;
    let (second, third) = (captioned()?, captioned()?);
    assert_eq!((second.bytes_current, third.bytes_current), (0, 0), "{second:?} {third:?}");
    assert_eq!(second.count_total, third.count_total);
    Ok(())
}
