//! What the train images show that are most like a picture: an object that few of them have is doubtful.
//!
//! Images are compared by the cosine of their whitened mean memories (deep nearest neighbours, Sun et al. 2022), in 8-bit integers.

use alloc::vec::Vec;

/// A unit vector's components are multiplied by this and rounded: cosines come out times its square.
const SCALE: f32 = 360.0;
/// Cosines are given in 256ths.
const UNITS: i64 = 256;
/// Neighbours that are looked at.
pub const FAR: usize = 40;
/// Of these the nearest.
pub const NEAR: usize = 10;

/// The train images: where they lie and what their captions name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbours {
    width: usize,
    /// `[images, d]`.
    vectors: Vec<i8>,
    /// Bits of the object groups, `[images, bytes]`.
    objects: Vec<u8>,
    bytes: usize,
}

/// What the neighbours of a picture show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Neighbourhood {
    /// Of the [`NEAR`] nearest, how many have each object group.
    pub near: Vec<u8>,
    /// Of the [`FAR`] nearest.
    pub far: Vec<u8>,
    /// Cosine to the nearest, in 256ths.
    pub nearest: i32,
    /// Mean cosine to the [`NEAR`] nearest, in 256ths.
    pub mean: i32,
}

impl Neighbours {
    /// From the vectors `[images, width]` and the bits of the object groups, `groups` an image; `None` where they do not fit together, or
    /// there are fewer images than [`FAR`].
    #[must_use]
    pub fn new(width: usize, vectors: Vec<i8>, groups: usize, objects: Vec<u8>) -> Option<Self> {
        let bytes = groups.div_ceil(8);
        let images = vectors.len().checked_div(width)?;
        let fits = images * width == vectors.len() && images * bytes == objects.len() && images >= FAR;
        fits.then_some(Self { width, vectors, objects, bytes })
    }

    /// A whitened mean memory as images are compared by it.
    #[must_use]
    pub fn vector(whitened: &[f32]) -> Vec<i8> {
        let norm = libm::sqrtf(whitened.iter().map(|value| value * value).sum::<f32>()).max(f32::MIN_POSITIVE);
        whitened.iter().map(|value| libm::roundf(value / norm * SCALE).clamp(-127.0, 127.0) as i8).collect()
    }

    /// The bits of some object groups of `groups`.
    #[must_use]
    pub fn bits(objects: &[usize], groups: usize) -> Vec<u8> {
        let mut bits = alloc::vec![0; groups.div_ceil(8)];
        for &object in objects.iter().filter(|&&object| object < groups) {
            bits[object / 8] |= 1 << (object % 8);
        }
        bits
    }

    /// The vectors, `[images, d]`.
    #[must_use]
    pub fn vectors(&self) -> &[i8] {
        &self.vectors
    }

    /// The bits of the object groups, a row of bytes an image.
    #[must_use]
    pub fn objects(&self) -> &[u8] {
        &self.objects
    }

    /// What the images nearest to `vector` show.
    #[must_use]
    pub fn around(&self, vector: &[i8]) -> Neighbourhood {
        let products: Vec<i32> = self.vectors.chunks_exact(self.width).map(|other| dot(vector, other)).collect();
        self.with_products(&products)
    }

    /// The same by the product of `vector` with that of every image, Σ a · b: a caller may have instructions for it.
    #[must_use]
    pub fn with_products(&self, products: &[i32]) -> Neighbourhood {
        let mut found: Vec<(i32, usize)> = Vec::with_capacity(FAR + 1);
        for (image, &product) in products.iter().enumerate() {
            if found.len() == FAR && found[FAR - 1].0 >= product {
                continue;
            }
            let place = found.partition_point(|&(known, _)| known >= product);
            found.insert(place, (product, image));
            found.truncate(FAR);
        }
        let count = |nearest: &[(i32, usize)]| {
            let mut counts = alloc::vec![0u8; 8 * self.bytes];
            for &(_, image) in nearest {
                for (byte, bits) in self.objects[image * self.bytes..][..self.bytes].iter().enumerate() {
                    for bit in 0..8 {
                        counts[8 * byte + bit] += bits >> bit & 1;
                    }
                }
            }
            counts
        };
        let near = &found[..NEAR.min(found.len())];
        let cosine = |product: i64| (product * UNITS / (SCALE * SCALE) as i64) as i32;
        let sum: i64 = near.iter().map(|&(product, _)| i64::from(product)).sum();
        Neighbourhood {
            near: count(near),
            far: count(&found),
            nearest: cosine(near.first().map_or(0, |&(product, _)| i64::from(product))),
            mean: cosine(sum / near.len().max(1) as i64),
        }
    }
}

fn dot(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 64;

    /// A direction, the same in every plane of two dimensions.
    fn direction(angle: f32) -> Vec<i8> {
        let values: Vec<f32> = (0..WIDTH / 2).flat_map(|_| [libm::cosf(angle), libm::sinf(angle)]).collect();
        Neighbours::vector(&values)
    }

    /// Images on a circle, every one with an object of its own half.
    fn circle(images: usize) -> Option<Neighbours> {
        let angle = |image: usize| image as f32 / images as f32 * core::f32::consts::TAU;
        let vectors = (0..images).flat_map(|n| direction(angle(n))).collect();
        let objects = (0..images).flat_map(|n| Neighbours::bits(&[2 * n / images, 9], 10)).collect();
        Neighbours::new(WIDTH, vectors, 10, objects)
    }

    #[test]
    fn the_nearest_images_are_asked() {
        let Some(images) = circle(360) else { unreachable!("they fit together") };
        let up = images.around(&direction(core::f32::consts::FRAC_PI_2));
        assert_eq!((up.near[0], up.near[1], up.near[9], up.far[0]), (10, 0, 10, 40));
        assert!((240..=272).contains(&up.nearest) && up.mean <= up.nearest);
        let right = images.around(&direction(0.0));
        assert!(right.far[0].abs_diff(right.far[1]) <= 2 && right.far[0] + right.far[1] == 40);
    }

    #[test]
    fn what_does_not_fit_together_is_none() {
        assert_eq!(circle(39), None, "fewer than are looked at");
        assert_eq!(Neighbours::new(2, alloc::vec![0; 81], 8, alloc::vec![0; 40]), None);
        assert_eq!(Neighbours::new(0, Vec::new(), 8, Vec::new()), None);
        assert_eq!(Neighbours::vector(&[0.0, 0.0]), [0, 0]);
    }
}
