//! Covers drawn over a picture, to test that nothing is accepted of which a part cannot be seen (`shenfen eval --cover`).
//!
//! The trainer draws covers of its own (`training/shenfen_training/cards/covers.py`); these share no code with them, so that the test
//! does not ask for what was learned by heart.

use image::{Rgb, RgbImage};
use shenfen_core::Point;

/// What a cover looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Material {
    /// A finger tip: the colour of skin, shaded towards its edge.
    Thumb,
    /// A piece of the colour of the paper around.
    Patch,
    /// A reflection: white, without a clear edge.
    Glare,
    /// A dark blot.
    Ink,
    /// Print that was rubbed off: the paper shows, the characters are gone but for a trace.
    Wash,
    /// Anything opaque: a coloured thing with stripes.
    Object,
}

impl Material {
    /// All of them.
    pub const ALL: [Material; 6] =
        [Material::Thumb, Material::Patch, Material::Glare, Material::Ink, Material::Wash, Material::Object];

    /// Its name in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Material::Thumb => "thumb",
            Material::Patch => "patch",
            Material::Glare => "glare",
            Material::Ink => "ink",
            Material::Wash => "wash",
            Material::Object => "object",
        }
    }
}

/// Something that lies on a card in a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cover {
    /// Its middle, in pixels of the picture.
    pub middle: Point,
    /// Half its length and half its width, in pixels.
    pub half: [f32; 2],
    /// The direction of its length, in radians clockwise from the picture's x axis.
    pub angle: f32,
    /// What it looks like.
    pub material: Material,
    /// Colours and irregularities follow from it.
    pub seed: u64,
}

impl Cover {
    /// Draws it. The same cover over the same picture gives the same pixels.
    pub fn draw(&self, picture: &mut RgbImage) {
        let mut random = Random::new(self.seed);
        let reach = 1.8 * self.half[0].hypot(self.half[1]);
        let clamp = |at: f32, end: u32| at.clamp(0.0, end as f32) as u32;
        let [left, right] = [self.middle[0] - reach, self.middle[0] + reach].map(|x| clamp(x, picture.width()));
        let [top, bottom] = [self.middle[1] - reach, self.middle[1] + reach].map(|y| clamp(y, picture.height()));
        let paper = paper_of(picture, [left, top, right, bottom]);
        let look = Look::of(self.material, paper, &mut random);
        for y in top..bottom {
            for x in left..right {
                let [along, across] = self.place([x as f32 + 0.5, y as f32 + 0.5]);
                let opacity = look.opacity(along, across);
                if opacity > 0.0 {
                    let paint = look.colour(along, across, random.noise());
                    let pixel = picture.get_pixel_mut(x, y);
                    let mixed = |channel: usize| {
                        let below = f32::from(pixel.0[channel]);
                        (below + (paint[channel] - below) * opacity).clamp(0.0, 255.0) as u8
                    };
                    *pixel = Rgb([mixed(0), mixed(1), mixed(2)]);
                }
            }
        }
    }

    /// Where a point lies along and across the cover: from -1 to 1 between its edges.
    fn place(&self, [x, y]: Point) -> [f32; 2] {
        let (dx, dy) = (x - self.middle[0], y - self.middle[1]);
        let (sin, cos) = self.angle.sin_cos();
        [(dx * cos + dy * sin) / self.half[0].max(0.5), (dy * cos - dx * sin) / self.half[1].max(0.5)]
    }
}

/// How one cover is painted.
struct Look {
    material: Material,
    tone: [f32; 3],
    /// 2 for an ellipse; the more, the nearer to a rectangle.
    power: f32,
    /// How wide the edge is, in shares of the half width.
    softness: f32,
    /// The opacity of the middle.
    most: f32,
    /// Lobes of a blot: how far the edge moves, and how often along the outline.
    lobes: [f32; 2],
    stripes: f32,
    grain: f32,
}

impl Look {
    fn of(material: Material, paper: [f32; 3], random: &mut Random) -> Look {
        let plain = Look {
            material,
            tone: paper,
            power: 2.0,
            softness: 0.08,
            most: 1.0,
            lobes: [0.0, 3.0],
            stripes: 0.0,
            grain: 3.0,
        };
        match material {
            Material::Thumb => {
                let light = random.between(0.45, 1.0);
                Look { tone: [222.0, 172.0, 146.0].map(|level| level * light), power: 2.4, ..plain }
            }
            Material::Patch => {
                let lift = random.between(-8.0, 8.0);
                let softness = random.between(0.03, 0.3);
                Look { tone: paper.map(|level| level + lift), power: 8.0, softness, ..plain }
            }
            Material::Glare => Look { tone: [255.0; 3], softness: 0.7, most: random.between(1.1, 1.8), ..plain },
            Material::Ink => {
                let dark = random.between(8.0, 60.0);
                let lobes = [random.between(0.05, 0.25), random.between(3.0, 7.0).round()];
                Look { tone: [dark, dark, dark + random.between(0.0, 40.0)], lobes, ..plain }
            }
            Material::Wash => {
                let most = random.between(0.86, 1.0);
                Look { power: 3.0, softness: 0.35, most, grain: 1.0, ..plain }
            }
            Material::Object => {
                let tone = [0, 1, 2].map(|_| random.between(20.0, 235.0));
                Look { tone, power: 6.0, stripes: random.between(0.0, 25.0), ..plain }
            }
        }
    }

    fn opacity(&self, along: f32, across: f32) -> f32 {
        let radius = (along.abs().powf(self.power) + across.abs().powf(self.power)).powf(1.0 / self.power);
        let [depth, count] = self.lobes;
        let radius = radius * (1.0 + depth * (count * across.atan2(along)).sin());
        let edge = (1.0 - radius) / self.softness.max(0.01) + 0.5;
        (edge.clamp(0.0, 1.0) * self.most).min(1.0)
    }

    fn colour(&self, along: f32, across: f32, noise: f32) -> [f32; 3] {
        let shade = match self.material {
            Material::Thumb => 1.0 - 0.25 * (along * along + across * across).min(1.5),
            _ => 1.0,
        };
        let stripe = self.stripes * (8.0 * (along + across)).sin();
        self.tone.map(|level| level * shade + stripe + self.grain * noise)
    }
}

/// The colour of the paper in a part of a picture: of each channel the brightness that three quarters of its pixels lie below.
fn paper_of(picture: &RgbImage, [left, top, right, bottom]: [u32; 4]) -> [f32; 3] {
    let mut counts = [[0_u32; 256]; 3];
    for y in top..bottom {
        for x in left..right {
            let pixel = picture.get_pixel(x, y);
            (0..3).for_each(|channel| counts[channel][usize::from(pixel.0[channel])] += 1);
        }
    }
    counts.map(|counts| {
        let total: u32 = counts.iter().sum();
        let mut below = 0;
        let level = counts.iter().position(|&count| {
            below += count;
            below * 4 >= total * 3
        });
        level.unwrap_or(255) as f32
    })
}

/// Numbers that follow from a seed (SplitMix64).
pub struct Random(u64);

impl Random {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number between two, all equally likely.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * (self.bits() >> 40) as f32 / (1_u64 << 24) as f32
    }

    /// A number below `count`, 0 if that is 0.
    pub fn below(&mut self, count: usize) -> usize {
        (self.bits() % count.max(1) as u64) as usize
    }

    /// About -1 to 1, most of them small.
    fn noise(&mut self) -> f32 {
        self.between(-1.0, 1.0) * self.between(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print() -> RgbImage {
        RgbImage::from_fn(200, 120, |x, y| Rgb([if (x / 3 + y / 3) % 2 == 0 { 40 } else { 220 }; 3]))
    }

    fn covered(material: Material, seed: u64) -> RgbImage {
        let mut picture = print();
        Cover { middle: [100.0, 60.0], half: [24.0, 15.0], angle: 0.2, material, seed }.draw(&mut picture);
        picture
    }

    #[test]
    fn cover_changes_its_place_and_nothing_far_away() {
        for material in Material::ALL {
            for seed in 0..6 {
                let (before, after) = (print(), covered(material, seed));
                let contrast = |picture: &RgbImage| {
                    let levels = (95..105).flat_map(|x| (55..65).map(move |y| (x, y)));
                    let (low, high) = levels
                        .map(|(x, y)| picture.get_pixel(x, y).0[1])
                        .fold((255, 0), |(low, high), level| (low.min(level), high.max(level)));
                    high - low
                };
                assert!(contrast(&after) < contrast(&before) / 3, "{material:?} hides what it lies on");
                for (x, y, pixel) in after.enumerate_pixels() {
                    let is_far = x.abs_diff(100) > 70 || y.abs_diff(60) > 55;
                    assert!(!is_far || pixel == before.get_pixel(x, y), "{material:?} changes {x}, {y}");
                }
            }
        }
    }

    #[test]
    fn same_seed_draws_the_same_and_another_one_does_not() {
        for material in Material::ALL {
            assert_eq!(covered(material, 3), covered(material, 3));
            assert_ne!(covered(material, 3), covered(material, 4));
        }
    }

    #[test]
    fn cover_outside_of_the_picture_does_nothing() {
        let mut picture = print();
        let cover =
            Cover { middle: [-500.0, 900.0], half: [20.0, 20.0], angle: 0.0, material: Material::Thumb, seed: 1 };
        cover.draw(&mut picture);
        assert_eq!(picture, print());
    }
}
