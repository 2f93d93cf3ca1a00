//! Drawn scenes: pictures as seen from straight above, with captions that are true of them.

mod airport;
mod built;
mod canvas;
mod captions;
mod courts;
mod harbor;
mod junctions;
mod land;
mod landscape;
mod nature;
mod objects;
mod output;
mod picture;
mod rivers;
mod roads;
mod shape;
mod sport;
#[cfg(test)]
mod tests;
mod water;

pub use landscape::{Landscape, STEP};
pub use output::write;

use canvas::Exposure;
use captions::Story;
use cssa::random::Random;
use image::RgbImage;
use picture::Picture;

/// A picture of 256 by 256 pixels with five captions.
pub struct Scene {
    /// The picture.
    pub image: RgbImage,
    /// Five different captions, all true.
    pub captions: [String; 5],
    /// The name of the kind of scene.
    pub category: &'static str,
}

/// Draws one kind of scene and says what captions may tell about it.
type Layout = fn(&mut Picture) -> Story;

const LAYOUTS: [Layout; 21] = [
    land::farmland,
    land::forest,
    water::beach,
    water::pond,
    rivers::river,
    rivers::bridge,
    roads::road_with_cars,
    roads::intersection,
    junctions::roundabout,
    junctions::parking,
    built::residential,
    built::houses,
    built::industrial,
    built::tanks,
    airport::airplanes,
    airport::runway,
    harbor::harbor,
    sport::tennis,
    sport::baseball,
    sport::basketball,
    sport::playground,
];

/// Renders scene `index` of the collection `seed`; equal arguments give equal bytes.
pub fn render(seed: u64, index: u64) -> Scene {
    let (picture, scene) = compose(seed, index);
    drop(picture);
    scene
}

fn compose(seed: u64, index: u64) -> (Picture, Scene) {
    let mut random = Random::keyed(&[seed, index]);
    let layout = random.pick(&LAYOUTS);
    let mut picture = Picture::new(random);
    let story = layout(&mut picture);
    let captions = captions::captions(&mut picture, &story);
    let exposure = Exposure::new(&mut picture.random);
    let image = picture.canvas.finish(exposure, &mut picture.random);
    let scene = Scene { image, captions, category: story.category };
    (picture, scene)
}
