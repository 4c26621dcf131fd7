//! How many ID numbers a core checks in a second: `cargo bench -p shenfen-core --bench id_number`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shenfen_core::IdNumber;
use shenfen_core::id_number::{Answer, check_digit};
use shenfen_core::region::Fit;
use time::Date;
use time::macros::date;

const TODAY: Date = date!(2026 - 11 - 23);

/// Valid numbers with listed codes: counties of ten provinces, births of a hundred years.
fn numbers() -> Vec<String> {
    let provinces = [11, 13, 21, 33, 36, 42, 44, 50, 51, 65];
    let number = |index: usize| {
        let county = (index / 10 * 37 % 40 + 1) * 100 + index / 400 * 7 % 30 + 1;
        let born = (1920 + index * 31 % 100, index % 12 + 1, index % 28 + 1);
        let body = format!(
            "{}{county:04}{:04}{:02}{:02}{:03}",
            provinces[index % provinces.len()],
            born.0,
            born.1,
            born.2,
            index % 1000
        );
        let digit = body.as_bytes().try_into().ok().and_then(check_digit).unwrap_or('?');
        format!("{body}{digit}")
    };
    let listed =
        |text: &String| IdNumber::parse(text, TODAY).is_ok_and(|number| number.region().fit() != Fit::Unlisted);
    (0..).map(number).filter(listed).take(10_000).collect()
}

fn check_numbers(criterion: &mut Criterion) {
    let numbers = numbers();
    let mut group = criterion.benchmark_group("id_number");
    group.throughput(Throughput::Elements(numbers.len() as u64));
    group.bench_function("check with region names", |bencher| {
        bencher.iter(|| {
            for text in &numbers {
                let _ = black_box(IdNumber::parse(black_box(text), TODAY).map(|number| number.region().at_issue()));
            }
        });
    });
    group.bench_function("lenient check with region names, today's too", |bencher| {
        bencher.iter(|| {
            for text in &numbers {
                let read = IdNumber::parse_lenient(black_box(text), TODAY);
                let _ = black_box(read.map(|read| (read.number.region().at_issue(), read.number.region().today())));
            }
        });
    });
    group.bench_function("detailed answer as JSON", |bencher| {
        let mut line = Vec::new();
        bencher.iter(|| {
            for text in &numbers {
                line.clear();
                let outcome = IdNumber::parse(black_box(text), TODAY).map(Into::into);
                let _ = black_box(serde_json::to_writer(&mut line, &Answer::detailed(&outcome, TODAY)));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, check_numbers);
criterion_main!(benches);
