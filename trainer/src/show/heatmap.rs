//! Attention over an image as the paper's figure 4 shows it, one PNG.
//!
//! First row: what the decoder attends to when it says a word (category attention). Second row: what a cell of the grid
//! attends to in the DG-former's last layer (position attention), the cell framed. Columns: the image, then with DGP, with DGP
//! but without decay, without DGP.

use crate::error::{Error, Result, ensure};
use crate::net::{DgFormer, Geometry, RsicDecoder};
use crate::trained::Trained;
use cssa::preprocess;
use cssa::vocabulary::TokenId;
use image::imageops::FilterType;
use image::{ImageBuffer, Luma, Rgb, RgbImage};
use std::path::Path;
use tch::Tensor;

/// What to show.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The image.
    pub image: &'a Path,
    /// A word of the caption.
    pub word: &'a str,
    /// Column and row of a cell, from 0 at the upper left.
    pub cell: (usize, usize),
    /// The caption; the model's own where there is none.
    pub caption: Option<String>,
}

/// A heatmap with what it shows.
#[derive(Clone, Debug)]
pub struct Heatmap {
    /// The picture.
    pub picture: RgbImage,
    /// The caption whose word is shown.
    pub caption: String,
}

/// Side of a panel in pixels.
const PANEL: u32 = 260;
/// Space between panels.
const GAP: u32 = 8;

const COLUMNS: [Geometry; 3] = [Geometry::Decaying, Geometry::Constant, Geometry::Absent];

/// Draws a heatmap. `runs` is one trained model, whose DGP is then reduced, or three: with DGP, trained without decay, trained
/// without DGP.
pub fn draw(runs: &[&Trained], request: &Request<'_>) -> Result<Heatmap> {
    ensure!(runs.len() == 1 || runs.len() == 3, Error::Heatmap(format!("{} runs, expected 1 or 3", runs.len())));
    let pixels = cssa_image::read(request.image)?;
    let first = runs[0];
    let grid = first.model().grid();
    let (x, y) = request.cell;
    ensure!(x < grid && y < grid, Error::Heatmap(format!("cell {x},{y} is outside the grid of {grid} × {grid}")));
    let caption = match &request.caption {
        Some(caption) => caption.clone(),
        None => first.caption(&pixels)?,
    };
    let plain = preprocess::resize(&pixels, PANEL);
    let mut framed = plain.clone();
    frame(&mut framed, request.cell, grid);
    let mut panels = [vec![plain.clone()], vec![framed.clone()]];
    for (n, column) in COLUMNS.into_iter().enumerate() {
        let (run, geometry) = if runs.len() == 1 { (first, column) } else { (runs[n], Geometry::Decaying) };
        let (category, position) = maps(run, &pixels, geometry, &caption, request)?;
        let grid = run.model().grid();
        panels[0].push(overlay(&plain, category, grid)?);
        let mut position = overlay(&plain, position, grid)?;
        frame(&mut position, request.cell, grid);
        panels[1].push(position);
    }
    let extent = |count: usize| count as u32 * (PANEL + GAP) - GAP;
    let mut picture = RgbImage::from_pixel(extent(panels[0].len()), extent(2), Rgb([255; 3]));
    for (row, panels) in panels.iter().enumerate() {
        for (column, panel) in panels.iter().enumerate() {
            let [x, y] = [column, row].map(|n| i64::from(n as u32 * (PANEL + GAP)));
            image::imageops::replace(&mut picture, panel, x, y);
        }
    }
    Ok(Heatmap { picture, caption })
}

/// Category and position attention over the cells.
fn maps(
    run: &Trained,
    pixels: &RgbImage,
    geometry: Geometry,
    caption: &str,
    request: &Request<'_>,
) -> Result<(Vec<f32>, Vec<f32>)> {
    let words = run.vocabulary().encode(caption);
    let asked = run.vocabulary().id(request.word);
    ensure!(asked != TokenId::UNKNOWN, Error::Heatmap(format!("the model does not know the word {:?}", request.word)));
    let unsaid = || Error::Heatmap(format!("the word {:?} is not in the caption {caption:?}", request.word));
    let place = words.iter().position(|word| *word == asked).ok_or_else(unsaid)?;
    let start = run.vocabulary().start(words.len());
    let read: Vec<i64> = std::iter::once(start).chain(words).take(place + 1).map(|token| i64::from(token.0)).collect();
    let features = run.features(pixels)?;
    tch::no_grad(|| {
        let (memory, seen) = DgFormer::new(run.store(), run.model())?.observed(&features, geometry);
        let decoder = RsicDecoder::new(run.store(), run.model())?;
        let tokens = Tensor::from_slice(&read).unsqueeze(0).to_device(run.store().device());
        let attended = decoder.attended(&tokens, &decoder.memory_keys(&memory));
        let (column, row) = request.cell;
        let cell = (row * run.model().grid() + column) as i64;
        let last = seen.last().ok_or(Error::Broken("a DG-former without layers"))?;
        let values = |tensor: Tensor| Vec::<f32>::try_from(tensor.to_device(tch::Device::Cpu).contiguous());
        Ok((values(attended.get(0).get(place as i64))?, values(last.get(0).get(cell))?))
    })
}

/// The image with attention from blue (least) over green to red (most), smooth between the cells.
fn overlay(image: &RgbImage, attention: Vec<f32>, grid: usize) -> Result<RgbImage> {
    let (least, most) = attention.iter().fold((f32::MAX, f32::MIN), |(a, b), &x| (a.min(x), b.max(x)));
    let cells = ImageBuffer::<Luma<f32>, _>::from_raw(grid as u32, grid as u32, attention);
    let cells = cells.ok_or(Error::Broken("too few cells"))?;
    let smooth = image::imageops::resize(&cells, image.width(), image.height(), FilterType::Triangle);
    Ok(RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let heat = heat((smooth.get_pixel(x, y).0[0] - least) / (most - least).max(1e-12));
        let Rgb(pixel) = *image.get_pixel(x, y);
        Rgb([0, 1, 2].map(|c| (0.5 * f32::from(pixel[c]) + 0.5 * heat[c]) as u8))
    }))
}

/// A colour for 0 to 1.
fn heat(value: f32) -> [f32; 3] {
    let bump = |centre: f32| (1.5 - (4.0 * value - centre).abs()).clamp(0.0, 1.0) * 255.0;
    [bump(3.0), bump(2.0), bump(1.0)]
}

fn frame(panel: &mut RgbImage, (column, row): (usize, usize), grid: usize) {
    let edge = |n: usize| (n as u32 * PANEL / grid as u32).min(PANEL - 1);
    let (left, right, top, bottom) = (edge(column), edge(column + 1), edge(row), edge(row + 1));
    for (x, y, pixel) in panel.enumerate_pixels_mut() {
        let inside = (left..=right).contains(&x) && (top..=bottom).contains(&y);
        let border = x < left + 2 || x + 2 > right || y < top + 2 || y + 2 > bottom;
        if inside && border {
            *pixel = Rgb([255; 3]);
        }
    }
}
