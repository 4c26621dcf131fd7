//! Whole pictures through made-up networks: shapes, places and laws, not accuracy.

#![expect(clippy::unwrap_used, reason = "test code, its helpers too")]

use std::fs;
use std::io::Cursor;
use std::sync::Arc;

use shenfen_core::{FieldName, ReadOutcome, Rotation, Side, Status};
use shenfen_ocr::{CardReader, Limits, ModelError, Models, ReadError, Reading, RgbImage};

mod fixture;

fn reader() -> CardReader {
    CardReader::new(fixture::models(300), Limits::default())
}

fn png(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    image.write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Png).unwrap();
    bytes
}

/// Everything read but the times.
fn outcome(reading: &Reading) -> String {
    let cards = reading.cards.iter().map(|card| {
        let fields = card.fields.iter().map(|(name, field)| {
            let chars: Vec<_> = field
                .chars
                .iter()
                .map(|read| {
                    (
                        read.line,
                        read.position.to_bits(),
                        read.candidates.iter().map(|c| (c.character, c.probability.to_bits())).collect::<Vec<_>>(),
                    )
                })
                .collect();
            (name.as_str(), field.confidence.to_bits(), format!("{:?}", field.quad), chars)
        });
        format!("{:?} {:?} {:?} {:?}", card.side, card.quad, card.quality, fields.collect::<Vec<_>>())
    });
    cards.collect::<Vec<_>>().join("\n")
}

#[test]
fn reads_card_from_bytes_to_characters() {
    let reading = reader().read(&png(&fixture::picture())).unwrap();
    assert_eq!((reading.width, reading.height), (1280, 960));
    assert_eq!(reading.cards.len(), 1);
    let card = &reading.cards[0];
    assert_eq!((card.side, card.rotation), (Side::Front, Rotation::Deg0));

    let address = &card.fields[&FieldName::Address];
    assert!(!address.chars.is_empty());
    assert!(address.chars.iter().any(|read| read.line == 3), "four lines");
    assert!(address.chars.is_sorted_by_key(|read| (read.line, (read.position * 1e6) as u32)), "in reading order");
    for read in &address.chars {
        assert_eq!(read.candidates.len(), 16);
        assert!(read.candidates.is_sorted_by(|a, b| a.probability >= b.probability));
        assert!((0.0..=1.0).contains(&read.position));
    }
    assert!((0.0..=1.0).contains(&address.confidence));
}

#[test]
fn field_quad_covers_its_lines_in_the_picture() {
    let reading = reader().read_image(&fixture::picture()).unwrap();
    let [top_left, _, bottom_right, _] = reading.cards[0].fields[&FieldName::Address].quad;
    // The bars reach from (300, 300) to (700, 602); the em box around a bar may be a little higher or lower than it.
    for (found, drawn) in [(top_left, [300.0, 300.0]), (bottom_right, [700.0, 602.0])] {
        assert!((found[0] - drawn[0]).abs() < 15.0 && (found[1] - drawn[1]).abs() < 25.0, "{found:?}");
    }
}

#[test]
fn card_without_lines_has_no_fields() {
    let reading = reader().read_image(&RgbImage::from_pixel(400, 300, image::Rgb([230; 3]))).unwrap();
    assert!(reading.cards.iter().all(|card| card.fields.is_empty()));
}

#[test]
fn results_are_identical_on_one_and_sixteen_threads() {
    let models = fixture::models(300);
    let image = Arc::new(fixture::picture());
    let read = |models: Arc<Models>, image: &RgbImage| {
        outcome(&CardReader::new(models, Limits::default()).read_image(image).unwrap())
    };
    let alone = read(Arc::clone(&models), &image);
    let threads: Vec<_> = (0..16)
        .map(|_| {
            let (models, image) = (Arc::clone(&models), Arc::clone(&image));
            std::thread::spawn(move || read(models, &image))
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), alone);
    }
}

#[test]
fn reader_keeps_no_state_between_pictures() {
    let mut used = reader();
    used.read_image(&RgbImage::from_pixel(500, 200, image::Rgb([40, 90, 10]))).unwrap();
    let again = used.read_image(&fixture::picture()).unwrap();
    assert_eq!(outcome(&again), outcome(&reader().read_image(&fixture::picture()).unwrap()));
}

#[test]
fn reads_pictures_of_any_shape() {
    let mut reader = reader();
    for (width, height) in [(64, 64), (9000, 64), (64, 9000), (333, 77)] {
        let image = RgbImage::from_fn(width, height, |x, y| image::Rgb([(x ^ y) as u8; 3]));
        let reading = reader.read_image(&image).unwrap();
        assert_eq!((reading.width, reading.height), (width, height));
    }
}

#[test]
fn refusals_map_to_documented_statuses() {
    let mut reader = reader();
    let status_of = |error: ReadError| match error.into() {
        ReadOutcome::Refused(refusal) => refusal.status,
        other => panic!("{other:?}"),
    };
    let mut status = |bytes: &[u8]| status_of(reader.read(bytes).err().unwrap());
    assert_eq!(status(b""), Status::ImageInvalidFormat);
    assert_eq!(status(b"plain text in a file called card.jpg"), Status::ImageInvalidFormat);
    assert_eq!(status(&png(&fixture::picture())[..5000]), Status::ImageInvalidFormat);
    assert_eq!(status(&vec![0; (32 << 20) + 1]), Status::ImageInvalidSize);
    assert_eq!(status(&png(&RgbImage::new(1, 1))), Status::Fail);
    let pixels = Limits { max_pixels: 1000, ..Limits::default() };
    let refused = CardReader::new(fixture::models(300), pixels).read(&png(&fixture::picture())).err().unwrap();
    assert!(matches!(refused, ReadError::TooManyPixels { .. }));
    assert_eq!(status_of(refused), Status::ImageInvalidSize);
}

#[test]
fn rejects_changed_missing_and_unknown_model_files() {
    let folder = tempfile::tempdir().unwrap();
    let load = || Models::load(folder.path()).map(|models| models.info().clone());
    assert!(matches!(load(), Err(ModelError::Missing { file }) if file.ends_with("SHA256SUMS")));

    fixture::write(folder.path(), 300);
    let info = load().unwrap();
    assert_eq!((info.version.as_str(), info.sha256.len()), ("1.0", 64));

    let charset = folder.path().join("recogniser/charset.txt");
    let before = fs::read_to_string(&charset).unwrap();
    fs::write(&charset, before.replacen('\u{4E00}', "\u{5E00}", 1)).unwrap();
    assert!(matches!(load(), Err(ModelError::Sum { file }) if file == "recogniser/charset.txt"));

    fs::write(&charset, format!("{before}\u{5E00}\n")).unwrap();
    fixture::write_sums(folder.path());
    assert!(matches!(load(), Err(ModelError::Shape { network: "recogniser", .. })), "301 characters for 300 classes");
    fs::write(&charset, before).unwrap();

    let config = folder.path().join("lines/config.json");
    fs::write(&config, r#"{"format":1,"version":"1.0","threshold":0.5}"#).unwrap();
    fixture::write_sums(folder.path());
    assert!(matches!(load(), Err(ModelError::Format { network: "lines", .. })));

    fs::write(&config, "{").unwrap();
    fixture::write_sums(folder.path());
    assert!(matches!(load(), Err(ModelError::Config { .. })));

    fs::remove_file(&config).unwrap();
    assert!(matches!(load(), Err(ModelError::Missing { file }) if file.ends_with("config.json")));
}
