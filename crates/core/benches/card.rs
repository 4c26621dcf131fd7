//! What the checks of a card cost: read clearly, and read so badly that nothing is sure.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use shenfen_core::{Candidate, FieldName, Policy, Quality, ReadCard, ReadChar, ReadField, Rotation, Side, assess};
use time::macros::date;

const QUAD: [[f32; 2]; 4] = [[0.0; 2]; 4];

/// A front whose every character has five candidates, the best as probable as said.
fn front(best: f32) -> ReadCard {
    let texts = [
        (FieldName::Name, "欧阳秋"),
        (FieldName::Gender, "女"),
        (FieldName::Ethnic, "土家"),
        (FieldName::BirthDate, "1993年3月3日"),
        (FieldName::Address, "浙江省龙游县某某镇某某村12号"),
        (FieldName::IdentityNo, "330825199303034565"),
    ];
    let candidates = |character: char| {
        let others = "01389".chars().filter(|other| *other != character).take(4);
        let other = |character: char| Candidate { character, probability: (1.0 - best) / 4.0 };
        std::iter::once(Candidate { character, probability: best }).chain(others.map(other)).collect()
    };
    let field = |text: &str| {
        let read = |(at, character)| ReadChar { candidates: candidates(character), position: at as f32, line: 0 };
        let chars: Vec<ReadChar> = text.chars().enumerate().map(read).collect();
        ReadField { confidence: best.powi(chars.len() as i32), chars, quad: QUAD }
    };
    let fields: BTreeMap<FieldName, ReadField> = texts.into_iter().map(|(name, text)| (name, field(text))).collect();
    let quality =
        Quality { sharpness: 1.0, exposure: 1.0, glare: 1.0, resolution: 1.0, completeness: 1.0, monochrome: false };
    ReadCard { side: Side::Front, quad: QUAD, rotation: Rotation::Deg0, fields, hidden: BTreeMap::new(), quality }
}

fn card(criterion: &mut Criterion) {
    for (name, best) in [("clear", 0.9999), ("doubtful", 0.9), ("hopeless", 0.3)] {
        let card = front(best);
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| assess(vec![black_box(card.clone())], date!(2026 - 11 - 23), &Policy::default()))
        });
    }
}

criterion_group!(benches, card);
criterion_main!(benches);
