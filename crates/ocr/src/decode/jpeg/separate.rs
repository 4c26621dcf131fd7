//! Pictures whose components may stand in separate scans: decoded component by component, then put together.

use super::entropy::Bits;
use super::header::{Scan, Scans};
use super::transform::{Inverse, Transform, rgb_of_greys, rgb_of_rows};
use super::upsample::Samples;
use super::{Plane, Restarts};

/// One component of the whole picture.
struct Component {
    samples: Samples,
    /// Pixels of the picture for each sample, across and down.
    factors: [usize; 2],
}

/// Decodes scans until every component was there, with `N` pixels for the eight of a block's side. RGB, row by row.
pub(super) fn decode<const N: usize>(bytes: &[u8]) -> Option<Vec<u8>>
where
    Transform<N>: Inverse<N>,
{
    let mut scans = Scans::of(bytes)?;
    let mut components: Vec<Option<Component>> = Vec::new();
    let mut size = [0; 2];
    while components.is_empty() || components.iter().any(Option::is_none) {
        let scan = scans.next()?;
        components.resize_with(scan.frame_components, || None);
        size = scan.size;
        for (index, component) in read_scan::<N>(&scan)? {
            // A second scan of a component has no meaning in a baseline picture.
            if components[index].replace(component).is_some() {
                return None;
            }
        }
    }
    let components: Vec<Component> = components.into_iter().flatten().collect();
    Some(colour::<N>(&components, size.map(|side| side.div_ceil(8 / N))))
}

/// The components of a scan, each with its place among those of the picture.
fn read_scan<const N: usize>(scan: &Scan) -> Option<Vec<(usize, Component)>>
where
    Transform<N>: Inverse<N>,
{
    let mut planes: Vec<Plane<N>> = scan.components.iter().map(|part| Plane::new(part, scan.mcus())).collect();
    let is_alone = planes.len() == 1;
    // The blocks of a component alone stand row by row, without those that only fill an MCU.
    let [across, down] =
        if is_alone { scan.samples(&scan.components[0]).map(|samples| samples.div_ceil(8)) } else { scan.mcus() };
    let mut bits = Bits::new(scan.bytes);
    let mut restart = Restarts { every: scan.restart_interval, done: 0 };
    for row in 0..down {
        for column in 0..across {
            restart.before_mcu(&mut bits, &mut planes)?;
            for plane in &mut planes {
                match is_alone {
                    true => plane.read_block([column, row], &mut bits)?,
                    false => plane.read_mcu([column, row], &mut bits)?,
                }
            }
            if bits.overran() {
                return None;
            }
        }
    }
    let component = |plane: Plane<N>| {
        let part = plane.component;
        let size = scan.samples(part).map(|samples| (samples * N).div_ceil(8));
        let factors = [0, 1].map(|axis| scan.max_sampling[axis] / part.sampling[axis]);
        (part.index, Component { samples: Samples { values: plane.pixels, stride: plane.stride, size }, factors })
    };
    Some(planes.into_iter().map(component).collect())
}

/// RGB pixels of a picture of `size`.
fn colour<const N: usize>(components: &[Component], [width, height]: [usize; 2]) -> Vec<u8> {
    let mut pixels = vec![0; width * height * 3];
    let mut rows = vec![vec![0; width]; components.len()];
    for (y, out) in pixels.chunks_exact_mut(width * 3).enumerate() {
        for (component, row) in components.iter().zip(&mut rows) {
            // A reduced picture shows no difference.
            let is_smooth = N == 8;
            component.samples.fill_row(row, y, component.factors, is_smooth);
        }
        match &rows[..] {
            [grey] => rgb_of_greys(grey, out),
            [brightness, blue, red] => rgb_of_rows(brightness, blue, red, out),
            _ => {}
        }
    }
    pixels
}
