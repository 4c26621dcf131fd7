//! A whole picture of 1280 x 960 on one core: one card, four lines of about 300 pixels, 21,000 characters to tell apart.

use std::hint::black_box;
use std::io::Cursor;

use criterion::{Criterion, criterion_group, criterion_main};
use shenfen_ocr::{CardReader, Limits};

#[path = "../tests/fixture/mod.rs"]
mod fixture;

fn reading(criterion: &mut Criterion) {
    let mut jpeg = Vec::new();
    fixture::picture().write_to(&mut Cursor::new(&mut jpeg), image::ImageFormat::Jpeg).expect("a JPEG");
    let mut reader = CardReader::new(fixture::models(21_000), Limits::default());
    let once = reader.read(&jpeg).expect("a picture");
    assert_eq!(once.cards.len(), 1, "the networks see one card");
    criterion.bench_function("read 1280 x 960 JPEG", |bencher| {
        bencher.iter(|| reader.read(black_box(&jpeg)).expect("a picture"));
    });
}

criterion_group!(benches, reading);
criterion_main!(benches);
