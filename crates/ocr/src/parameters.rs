//! The constants that the engine alone has, by stage. Those that the trainer shares are in the networks' `config.json` (see
//! `contract.rs`).
//!
//! Each group says where its values come from. "Compared" means: chosen by hand, and kept because the count of wrong fields on
//! drawn, held-back pictures fell (docs/accuracy.md has the counts). To compare a change, draw a set that nothing was chosen on and
//! count before and after, by slice:
//!
//! ```text
//! python -m shenfen_training.cards.dataset --out DIR --count 800 --split val --level mix --sheets 0.15 --negatives 0.1 --seed N
//! shenfen eval DIR
//! ```

/// Turning cards, and how large a picture is decoded.
///
/// Turning: compared on 2026-11-23. Decoding: 2026-11-24, on 270 drawn photos of 12 megapixels that were read as well as before
/// (docs/accuracy.md), and for time and memory with `shenfen bench` (docs/performance.md).
pub(crate) mod reader {
    /// A card with fewer fields than this may be upside down.
    pub(crate) const FEW_FIELDS: usize = 2;
    /// With equally many fields, the lines of the card rotated by 180 degrees must have this many times the weight.
    pub(crate) const ROTATED_WEIGHT_RATIO: f32 = 1.25;
    /// Pixels per millimetre of a card above which more do not help: a line of small type (2.65 mm) is read at 9.7.
    pub(crate) const SUFFICIENT_PIXELS_PER_MM: f32 = 10.0;
    /// A card is expected to be at least this share of its picture's longer side wide.
    pub(crate) const EXPECTED_CARD_WIDTH: f32 = 0.5;
}

/// Finding cards.
///
/// Refinement passes and the coarse threshold: compared on 2026-11-23, with the locator 0.2.0. Tiles: 2026-11-23, on 1,400 pictures
/// (wrong fields from 148 to 107, together with the removal of stray detections), and 2026-11-24 for long pictures. Augmentation
/// scales and `SAME_CORNERS`: 2026-11-25, on 420 hard photos and pictures with several cards (mean corner error from 0.52 % to
/// 0.47 % on hard photos). `MIN_HEIGHT` follows from the size of type, and was not compared.
pub(crate) mod locate {
    /// When no card found is as wide as this share of the picture's longer side, it is searched in tiles too.
    pub(crate) const SMALL_CARD: f32 = 0.2;
    /// The side of a tile, as a share of the picture's longer side; in a long picture its shorter side.
    pub(crate) const TILE_SIDE: f64 = 0.6;
    /// The largest distance between tiles, in tile sides: a small card on the edge of one is whole in the next.
    pub(crate) const TILE_STEP: f64 = 0.84;
    /// The most refinement passes over a card: good coarse corners need one, bad ones more.
    pub(crate) const MAX_REFINEMENTS: usize = 3;
    /// The coarse pass keeps candidates at this share of the threshold: the refinement pass decides.
    pub(crate) const COARSE_THRESHOLD_SHARE: f32 = 0.5;
    /// Corners that move less than this part of the card's width have settled.
    pub(crate) const SETTLED: f32 = 0.015;
    /// Test-time augmentation: once settled, the card is refined at these scales too, and the corners are averaged, because the
    /// errors differ.
    pub(crate) const AUGMENTATION_SCALES: [f32; 2] = [1.03, 0.97];
    /// An augmentation crop whose corners lie farther off than this, in card widths, shows something else.
    pub(crate) const SAME_CORNERS: f32 = 0.05;
    /// The least height of a card in pixels of the picture; type on smaller ones is a smear.
    pub(crate) const MIN_HEIGHT: f32 = 24.0;
}

/// Which detections are characters of a line, by the room between them. All lengths are in em.
///
/// Chosen by hand on 2026-11-23 and 2026-11-25 from misread drawn cards. Compared on 2026-11-26, on dumps (`shenfen eval --dump`) of
/// two draws of 1,800 pictures, with a logistic model fitted on the first: on the second it read one more field right, but 5 instead
/// of 3 of about 1,270 accepted pictures were wrong (docs/accuracy.md, "Calibration"), so these stayed. Fitted on the same day with
/// networks 0.6.0 (`python -m shenfen_training.fit_spacing --fit DUMP... --report DUMP...`): no length changes more than one field of
/// 4,787 fitted on or of 4,838 reported on, so the values are at their best to within a field.
pub(crate) mod spacing {
    /// Detections of two crops nearer to each other than this are the same character. Digits are half an em wide.
    pub(crate) const SAME_CHARACTER: f32 = 0.25;
    /// Two characters of which none, one or both are as wide as an em have none between them if their centres are nearer than this.
    /// Two narrow ones may have a full stop between them.
    pub(crate) const MIN_ROOM: [f32; 3] = [0.0, 0.9, 1.2];
    /// The largest distance of a letter or mark from the character before it.
    pub(crate) const MAX_MARK_GAP: f32 = 1.5;
    /// The same in an address, where letters, marks and digits follow other characters closely.
    pub(crate) const MAX_NARROW_GAP_IN_ADDRESS: f32 = 1.15;
    /// The same for a wide character in an address whose centre is not certain.
    pub(crate) const MAX_UNCERTAIN_GAP: f32 = 1.35;
    /// A wide character with a more probable centre than this is kept at any distance.
    pub(crate) const CERTAIN_CENTRE: f32 = 0.9;
    /// Two opening or two closing brackets nearer to each other than this are the same one.
    pub(crate) const SAME_BRACKET: f32 = 0.6;
}

/// Reading lines.
///
/// `SURE` and augmentation crops: compared on 2026-11-23 with three crops, on 1,400 pictures (wrong fields from 213 to 202), and on
/// 2026-11-25 with five, on 420 hard ones (from 56 to 54, together with the mean of three passes over the corners and
/// `EXTENSION`). The other extensions: 2026-11-25, on 4,050 pictures (from 216 to 202, together with a new recogniser). Lengths are
/// those of the printed forms.
///
/// `SURE` was measured again on 2026-11-26, on dumps (`shenfen eval --dump`) of two draws of 1,800 pictures each. Above 0.95 about
/// 0.14 % of the lines are wrong (11 of 7,780 and 10 of 7,721); between 0.8 and 0.95 further crops lower the wrong ones from 11 to 9
/// of 320 and from 20 to 17 of 287. Of the lines that took all crops, 171 and 217 were wrong after one, 143 and 205 after three, 146
/// and 198 after five.
pub(crate) mod recognise {
    use crate::strip::CropVariant;

    /// A line with a lower probability than this is read again from augmentation crops.
    pub(crate) const SURE: f32 = 0.95;
    /// Test-time augmentation crops: two, and two more if the line stays below [`SURE`]. Other pixels of the picture are averaged
    /// together, and the network's grid of steps lies elsewhere.
    pub(crate) const AUGMENTATION_CROPS: [[CropVariant; 2]; 2] = [
        [
            CropVariant { em: 23.6, side_margin: 0.47, shift_down: 0.0 },
            CropVariant { em: 27.1, side_margin: 0.37, shift_down: 0.03 },
        ],
        [
            CropVariant { em: 24.6, side_margin: 0.43, shift_down: -0.04 },
            CropVariant { em: 26.4, side_margin: 0.5, shift_down: 0.05 },
        ],
    ];
    /// How many em are added at the start and the end of a line whose form shows that characters are missing: about three digits.
    pub(crate) const EXTENSION: [f32; 2] = [2.0, 2.0];
    /// The same of an ethnic group: one character.
    pub(crate) const ETHNIC_EXTENSION: [f32; 2] = [1.2, 1.2];
    /// The same of an address whose bracket is not closed. Before its start is its label.
    pub(crate) const BRACKET_EXTENSION: [f32; 2] = [0.0, 1.5];
    /// Characters of an identity number (GB 11643-1999).
    pub(crate) const NUMBER_LENGTH: usize = 18;
    /// Characters of a validity period with two dates: 2016.05.28-2036.05.28.
    pub(crate) const TERM_LENGTH: usize = 21;
    /// Characters of one without end: 2007.12.23-长期.
    pub(crate) const LONG_TERM_LENGTH: usize = 13;
}

/// The quality figures, which are formulas for people and not fitted to anything.
///
/// Sharpness: the two contrasts measured on 2026-11-24, of noise on blank paper and of good scans. Exposure and bright paper: set
/// on 2026-11-25 so that shadows count and the portrait does not. The others were set on 2026-11-23 by the reasons given.
pub(crate) mod quality {
    /// Pixels per millimetre from which small type (2.65 mm) has more pixels than the networks use.
    pub(crate) const FULL_RESOLUTION: f32 = 12.0;
    /// Contrast of strokes in grey levels that makes a sharpness of 0: of noise on even paper; and of 1: of a good scan.
    pub(crate) const STROKES: [f32; 2] = [2.0, 32.0];
    /// Side of the blocks of a strip in which strokes are searched: a third of an em, about a stroke and a gap.
    pub(crate) const STROKE_BLOCK: usize = 8;
    /// Rows and columns at each edge of a strip that are no type.
    pub(crate) const STRIP_MARGIN: [usize; 2] = [4, 8];
    /// The brightness of the darkest tenth of the paper that makes an exposure of 0, and of 1.
    pub(crate) const LIT: [f32; 2] = [15.0, 80.0];
    /// The brightness of the darkest tenth of all pixels from which a picture is washed out, and at which it shows nothing.
    pub(crate) const WASHED_OUT: [f32; 2] = [200.0, 245.0];
    /// Pixels of at least this brightness are blown out.
    pub(crate) const BLOWN: u8 = 250;
    /// Where half of the paper is brighter than this, blown out paper belongs to a bright picture and is not glare.
    pub(crate) const BRIGHT_PAPER: u8 = 235;
    /// Side of the blocks that glare is counted in, in frame pixels: 1.4 mm.
    pub(crate) const BLOCK: usize = 8;
    /// The share of the card under glare from which the figure is 0.
    pub(crate) const MOST_GLARE: f32 = 0.1;
    /// The part of the frame that is card, a millimetre in from its edges: left, top, right, bottom in shares of the frame.
    pub(crate) const INSIDE: [f32; 4] = [16.0 / 512.0, 8.0 / 320.0, 496.0 / 512.0, 312.0 / 320.0];
    /// The portrait, whose ground is white, in the same way.
    pub(crate) const PORTRAIT: [f32; 4] = [312.0 / 512.0, 40.0 / 320.0, 480.0 / 512.0, 264.0 / 320.0];
    /// Frame pixels per pixel in which colours are measured.
    pub(crate) const COARSE: f64 = 4.0;
    /// Colourfulness, 0..255, below which a picture is grey.
    pub(crate) const LEAST_COLOUR: f32 = 2.5;
}
