use std::sync::LazyLock;

use super::*;
use crate::contract::{LinesChannels, shipped};
use crate::geometry::side_lengths;

const STRIDE: f32 = 4.0;
const DISTANCE_UNIT: f32 = 16.0;
static CONFIG: LazyLock<LinesConfig> = LazyLock::new(shipped);

const ADDRESS: usize = 4;
const EFFECTIVE_DATE: usize = 7;

/// A map where no field is anywhere.
fn empty() -> Output<'static> {
    Output { config: &CONFIG, values: vec![-10.0; CONFIG.channels.count * 128 * 80], height: 80, width: 128 }
}

/// Draws a level line as the trainer labels it: the cells whose middle lies in the core of the em box.
fn draw(map: &mut Output, channel: usize, [left, right]: [f32; 2], middle: impl Fn(f32) -> f32, em: f32) {
    for y in 0..80 {
        for x in 0..128 {
            let at = [(x as f32 + 0.5) * STRIDE, (y as f32 + 0.5) * STRIDE];
            let off = at[1] - middle(at[0]);
            if (left..=right).contains(&at[0]) && off.abs() <= em / 4.0 {
                let &LinesChannels { top, bottom, count, .. } = &CONFIG.channels;
                let cell = &mut map.values[(y * 128 + x) * count..][..count];
                cell[channel] = 10.0;
                cell[top] = (em / 2.0 + off) / DISTANCE_UNIT;
                cell[bottom] = (em / 2.0 - off) / DISTANCE_UNIT;
            }
        }
    }
}

fn address(map: &Output) -> Vec<TextLine> {
    lines_of_field(map, ADDRESS, FieldName::Address)
}

#[test]
fn card_is_centred_in_its_frame() {
    let [width, height] = side_lengths(&CONFIG.frame.card());
    assert!((width - 492.3).abs() < 0.1 && (height - 310.6).abs() < 0.1);
    assert!((width / height - 85.6 / 54.0).abs() < 1e-4);
}

#[test]
fn detects_horizontal_line() {
    let mut map = empty();
    draw(&mut map, ADDRESS, [90.0, 300.0], |_| 171.0, 18.0);
    let lines = address(&map);
    assert_eq!(lines.len(), 1);
    let line = lines[0];
    assert!((line.start[0] - 90.0).abs() <= 2.0 && (line.end[0] - 300.0).abs() <= 2.0, "{line:?}");
    assert!((line.start[1] - 171.0).abs() < 0.1 && (line.em - 18.0).abs() < 0.1, "{line:?}");
    let box_ = line.quad();
    assert!((box_[0][1] - 162.0).abs() < 0.2 && (box_[2][1] - 180.0).abs() < 0.2);
}

#[test]
fn follows_slanted_line() {
    let mut map = empty();
    draw(&mut map, ADDRESS, [100.0, 400.0], |x| 150.0 + 0.03 * x, 20.0);
    let line = address(&map)[0];
    assert!((line.start[1] - 153.0).abs() < 0.5 && (line.end[1] - 162.0).abs() < 0.5, "{line:?}");
}

#[test]
fn extends_line_along_its_direction() {
    let line =
        TextLine { field: FieldName::IdentityNo, start: [100.0, 50.0], end: [180.0, 110.0], em: 20.0, weight: 1.0 };
    let longer = line.extended([1.0, 2.0]);
    assert_eq!((longer.start, longer.end), ([84.0, 38.0], [212.0, 134.0]));
    assert!((longer.length() - line.length() - 60.0).abs() < 1e-3 && longer.em == line.em);
}

#[test]
fn column_of_probability_one_half_moves_the_end_by_half_a_cell() {
    let mut map = empty();
    draw(&mut map, ADDRESS, [100.0, 200.0], |_| 162.0, 18.0);
    let sharp = address(&map)[0];
    let column = (sharp.start[0] / STRIDE) as usize - 1;
    for y in 38..43 {
        map.values[(y * 128 + column) * CONFIG.channels.count + ADDRESS] = -1e-3;
    }
    let soft = address(&map)[0];
    assert!((sharp.start[0] - soft.start[0] - STRIDE / 2.0).abs() < 0.1, "{sharp:?} {soft:?}");
}

#[test]
fn joins_fragments_of_a_row_but_not_rows() {
    let mut map = empty();
    for [left, right] in [[90.0, 150.0], [175.0, 240.0]] {
        draw(&mut map, ADDRESS, [left, right], |_| 171.0, 18.0);
    }
    draw(&mut map, ADDRESS, [90.0, 120.0], |_| 147.0, 18.0);
    let lines = address(&map);
    assert_eq!(lines.len(), 2);
    assert!(lines[0].start[1] < lines[1].start[1], "top to bottom");
    assert!(lines[0].length() < 40.0 && lines[1].length() > 140.0);
}

#[test]
fn aligns_row_starts_within_max_indent() {
    let mut map = empty();
    for (top, [left, right]) in [(120.0, [90.0, 300.0]), (150.0, [106.0, 200.0]), (180.0, [130.0, 200.0])] {
        draw(&mut map, ADDRESS, [left, right], |x| top + 0.05 * (x - left), 18.0);
    }
    let rows = address(&map);
    let begins: Vec<f32> = rows.iter().map(|row| row.start[0]).collect();
    assert!(begins[0] == begins[1] && begins[2] > 125.0, "{begins:?}");
    assert!((rows[1].start[1] - 149.2).abs() < 0.5, "{rows:?}");
}

#[test]
fn single_row_field_keeps_the_strongest_line_and_drops_specks() {
    let mut map = empty();
    draw(&mut map, 1, [90.0, 108.0], |_| 100.0, 18.0);
    draw(&mut map, 1, [300.0, 312.0], |_| 200.0, 10.0);
    map.values[(10 * 128 + 10) * CONFIG.channels.count + 1] = 10.0;
    let lines = lines_of_field(&map, 1, FieldName::Gender);
    assert_eq!(lines.len(), 1);
    assert!((lines[0].start[1] - 100.0).abs() < 1.0);
}

#[test]
fn drops_lines_of_impossible_height() {
    let mut map = empty();
    draw(&mut map, ADDRESS, [90.0, 300.0], |_| 171.0, 18.0);
    for cell in map.values.chunks_exact_mut(10) {
        (cell[8], cell[9]) = (f32::NAN, 1.0);
    }
    assert_eq!(address(&map), []);
    for cell in map.values.chunks_exact_mut(10) {
        (cell[8], cell[9]) = (50.0, 50.0);
    }
    assert_eq!(address(&map), []);
}

#[test]
fn hysteresis_extends_lines_but_does_not_start_them() {
    let mut map = empty();
    draw(&mut map, ADDRESS, [90.0, 300.0], |_| 100.0, 18.0);
    draw(&mut map, ADDRESS, [90.0, 300.0], |_| 200.0, 18.0);
    // Beyond the middle of the first line, and all of the second: more likely than 0.3, less than 0.5.
    for y in 0..80 {
        for x in 0..128 {
            let logit = &mut map.values[(y * 128 + x) * CONFIG.channels.count + ADDRESS];
            if *logit > 0.0 && (x > 50 || y > 35) {
                *logit = -0.5;
            }
        }
    }
    let lines = address(&map);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!((lines[0].start[0] - 90.0).abs() <= 2.0 && lines[0].end[0] > 290.0, "{lines:?}");
}

#[test]
fn field_is_as_hidden_as_its_third_surest_cell_says() {
    let mut map = empty();
    let hidden = CONFIG.channels.hidden;
    for (cell, field, logit) in [
        (700, ADDRESS, 0.0),
        (701, ADDRESS, 1.0),
        (9000, ADDRESS, 4.0),
        (9001, ADDRESS, 2.0),
        (50, 0, 5.0),
        (9001, EFFECTIVE_DATE, 3.0),
        (9002, EFFECTIVE_DATE, 3.0),
        (9003, EFFECTIVE_DATE, 3.0),
    ] {
        map.values[cell * CONFIG.channels.count + hidden + field] = logit;
    }
    let front = map.hidden(Side::Front);
    assert_eq!(front.keys().copied().collect::<Vec<_>>(), FieldName::FRONT);
    assert!((front[&FieldName::Address] - sigmoid(1.0)).abs() < 1e-6);
    assert!(front[&FieldName::Name] < 1e-4, "one cell is noise");
    let back = map.hidden(Side::Back);
    assert!(back[&FieldName::EffectiveDate] > 0.9 && back[&FieldName::Authority] < 1e-4);
}
