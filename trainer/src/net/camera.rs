//! What cameras and links do to pictures besides T_img: motion and focus blur, haze, compression.

use crate::error::{Error, Result};
use cssa::random::Random;
use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, RgbImage};
use tch::{Device, Kind, Tensor};

/// Largest deviation of the blur, in pixels of the network's input.
const MAX_BLUR: f32 = 2.0;
/// Largest share of the light that haze adds.
const MAX_HAZE: f32 = 0.5;
/// The haze's own brightness is at least this.
const DIM_HAZE: f32 = 180.0;
/// Qualities of JPEG.
const QUALITIES: (u8, u8) = (30, 95);
/// Taps of the blur to each side: the largest deviation twice.
const RADIUS: i64 = 4;

/// Names what is drawn, for caches of what was made with it.
pub(super) fn constants() -> String {
    format!("camera {MAX_BLUR} {MAX_HAZE} {DIM_HAZE} {QUALITIES:?} {RADIUS}")
}

/// What happens to one image.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Camera {
    /// Deviation in pixels; 0 where it stays sharp.
    blur: f32,
    /// Quality of JPEG, where it is compressed.
    quality: Option<u8>,
}

/// Light between camera and ground: what is left of the ground's, and what is added.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Haze {
    pub(super) factor: f32,
    pub(super) summand: f32,
}

impl Haze {
    /// Haze in half of the images.
    pub(super) fn draw(random: &mut Random) -> Self {
        let share = if random.chance(0.5) { random.range(0.0, MAX_HAZE) } else { 0.0 };
        Self { factor: 1.0 - share, summand: share * random.range(DIM_HAZE, 255.0) }
    }
}

impl Camera {
    /// Blur in half of the images, compression in half.
    pub(super) fn draw(random: &mut Random) -> Self {
        let blur = if random.chance(0.5) { random.range(0.0, MAX_BLUR) } else { 0.0 };
        let (least, most) = (usize::from(QUALITIES.0), usize::from(QUALITIES.1));
        let quality = least + random.below(most - least + 1);
        let quality = random.chance(0.5).then(|| u8::try_from(quality).unwrap_or(QUALITIES.1));
        Self { blur, quality }
    }
}

/// Images `[b, 3, s, s]` each blurred by its own Gaussian; those at the edge go on as mirrored.
pub(super) fn blurred(images: &Tensor, cameras: &[Camera]) -> Tensor {
    if cameras.iter().all(|camera| camera.blur == 0.0) {
        return images.shallow_clone();
    }
    let taps = 2 * RADIUS + 1;
    let weights = cameras.iter().flat_map(|camera| {
        let weight = move |place: i64| {
            let place = place as f32;
            let sharp = if place == 0.0 { 1.0 } else { 0.0 };
            if camera.blur > 0.0 { libm::expf(-0.5 * (place / camera.blur).powi(2)) } else { sharp }
        };
        let weights: Vec<f32> = (-RADIUS..=RADIUS).map(weight).collect();
        let sum: f32 = weights.iter().sum();
        [(); 3].map(|()| weights.iter().map(|weight| weight / sum).collect::<Vec<f32>>()).concat()
    });
    let weights: Vec<f32> = weights.collect();
    let channels = 3 * cameras.len() as i64;
    let weights = Tensor::from_slice(&weights).to_device(images.device());
    let (side, none) = (*images.size().last().unwrap_or(&0), None::<&Tensor>);
    let padded = images.reshape([1, channels, side, side]).reflection_pad2d([RADIUS; 4]);
    let (down, across) = (weights.view([channels, 1, taps, 1]), weights.view([channels, 1, 1, taps]));
    let conv = |images: &Tensor, weights: &Tensor| images.conv2d(weights, none, [1, 1], [0, 0], [1, 1], channels);
    conv(&conv(&padded, &down), &across).reshape([-1, 3, side, side])
}

/// Images `[b, 3, s, s]`, values 0 to 255, those that are to be compressed as JPEG's decoder gives them back.
pub(super) fn compressed(images: &Tensor, cameras: &[Camera]) -> Result<Tensor> {
    let chosen = cameras.iter().enumerate().filter_map(|(n, camera)| Some((n as i64, camera.quality?)));
    let chosen: Vec<(i64, u8)> = chosen.collect();
    if chosen.is_empty() {
        return Ok(images.shallow_clone());
    }
    let side = *images.size().last().unwrap_or(&0);
    let places = Tensor::from_slice(&chosen.iter().map(|(n, _)| *n).collect::<Vec<i64>>()).to_device(images.device());
    let pixels = images.index_select(0, &places).round().to_kind(Kind::Uint8).to_device(Device::Cpu);
    let pixels = Vec::<u8>::try_from(pixels.permute([0, 2, 3, 1]).contiguous().view(-1))?;
    let length = 3 * (side * side) as usize;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = chosen.len().div_ceil(threads).max(1);
    let parts = pixels.chunks(share * length).zip(chosen.chunks(share));
    let decoded: Vec<Result<Vec<u8>>> = std::thread::scope(|scope| {
        let threads = parts.map(|(pixels, chosen)| {
            scope.spawn(move || {
                let pairs = pixels.chunks(length).zip(chosen);
                let images = pairs.map(|(pixels, &(_, quality))| round_trip(pixels, side as u32, quality));
                Ok(images.collect::<Result<Vec<Vec<u8>>>>()?.concat())
            })
        });
        let threads: Vec<_> = threads.collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(Err(BROKEN))).collect()
    });
    let decoded = decoded.into_iter().collect::<Result<Vec<Vec<u8>>>>()?.concat();
    let decoded = Tensor::from_slice(&decoded).view([-1, side, side, 3]).permute([0, 3, 1, 2]);
    Ok(images.index_copy(0, &places, &decoded.to_device(images.device()).to_kind(images.kind())))
}

/// What [`compressed`] says where JPEG's own round trip fails, which none of its inputs can make it do.
const BROKEN: Error = Error::Broken("an image that cannot be compressed as JPEG and read again");

/// Interleaved pixels through JPEG.
fn round_trip(pixels: &[u8], side: u32, quality: u8) -> Result<Vec<u8>> {
    let image = RgbImage::from_raw(side, side, pixels.to_vec()).ok_or(BROKEN)?;
    let mut jpeg = Vec::new();
    image.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, quality)).map_err(|_| BROKEN)?;
    let decoded = image::load_from_memory_with_format(&jpeg, ImageFormat::Jpeg).map_err(|_| BROKEN)?;
    Ok(decoded.into_rgb8().into_raw())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Result;

    fn noise() -> Tensor {
        tch::manual_seed(1);
        Tensor::rand([3, 3, 32, 32], (Kind::Float, Device::Cpu)) * 255.0
    }

    fn apart(a: &Tensor, b: &Tensor, image: i64) -> f64 {
        (a.get(image) - b.get(image)).abs().mean(Kind::Float).double_value(&[])
    }

    #[test]
    fn each_image_has_its_own_blur_and_compression() -> Result<()> {
        let sharp = Camera::default();
        let cameras = [sharp, Camera { blur: 0.5, quality: Some(95) }, Camera { blur: 2.0, quality: Some(30) }];
        let images = noise();
        let soft = blurred(&images, &cameras);
        assert_eq!(soft.size(), images.size());
        assert!(apart(&images, &soft, 0) < 1e-4, "a sharp image stays as it is");
        assert!(apart(&images, &soft, 2) > 2.0 * apart(&images, &soft, 1) && apart(&images, &soft, 1) > 1.0);
        let mean = |images: &Tensor| images.get(2).mean(Kind::Float).double_value(&[]);
        assert!((mean(&images) - mean(&soft)).abs() < 3.0, "blur keeps the brightness");
        let jpeg = compressed(&soft, &cameras)?;
        assert_eq!(apart(&soft, &jpeg, 0), 0.0);
        let smooth = Tensor::arange(32, (Kind::Float, Device::Cpu)).view([1, 1, 1, 32]).expand([3, 3, 32, 32], false);
        let again = compressed(&smooth.contiguous(), &cameras)?;
        assert!(apart(&smooth, &again, 1) < 2.0, "channels and rows stand where they stood");
        assert!(apart(&soft, &jpeg, 2) > apart(&soft, &jpeg, 1), "coarser JPEG is further away");
        Ok(())
    }

    #[test]
    fn draws_stay_within_their_bounds() {
        let mut random = Random::new(5);
        let drawn: Vec<Camera> = (0..200).map(|_| Camera::draw(&mut random)).collect();
        assert!(drawn.iter().all(|camera| (0.0..=MAX_BLUR).contains(&camera.blur)));
        assert!(drawn.iter().filter_map(|camera| camera.quality).all(|quality| (30..=95).contains(&quality)));
        let some = |n: usize| (50..150).contains(&n);
        assert!(some(drawn.iter().filter(|camera| camera.quality.is_some()).count()));
        assert!(some(drawn.iter().filter(|camera| camera.blur > 0.0).count()));
        let hazes: Vec<Haze> = (0..200).map(|_| Haze::draw(&mut random)).collect();
        assert!(hazes.iter().all(|haze| haze.factor >= 0.5 && 255.0 * haze.factor + haze.summand <= 255.1));
    }
}
