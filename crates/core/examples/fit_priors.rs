//! Fits the parameters of the priors on dumps of labelled pictures, and reports old and new values on others.
//!
//! ```text
//! shenfen eval DRAW_A --dump a.jsonl && shenfen eval DRAW_B --dump b.jsonl
//! cargo run --release -p shenfen-core --example fit_priors -- --fit a.jsonl --report b.jsonl
//! ```
//!
//! Coordinate descent: every parameter in turn is tried at a quarter, half, double and four times its value. A step is taken
//! if it raises the log likelihood of the fields' confidences, and no slice of the draw loses an exact field, gains a wrongly
//! accepted picture, or loses more than one accepted one. All options may be given several times. With `--value NAME=NUMBER`
//! nothing is fitted: the values in use are compared with these.

#![expect(clippy::print_stdout, reason = "a program whose output is its report")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::thread;

use serde::Deserialize;
use shenfen_core::{Decision, FieldName, Parameters, Policy, ReadCard, Side, assess_with};
use time::Date;
use time::macros::format_description;

/// A gain in log likelihood below this is not worth a change.
const LEAST_GAIN: f64 = 0.5;
/// Probabilities stay this far from 0 and 1.
const MARGIN: f64 = 1e-6;

/// A picture of a dump.
#[derive(Deserialize)]
struct Picture {
    slices: Vec<String>,
    today: String,
    cards: Vec<Card>,
    not_found: Vec<Truth>,
}

#[derive(Deserialize)]
struct Card {
    label: Option<Truth>,
    read: ReadCard,
}

#[derive(Deserialize)]
struct Truth {
    side: Side,
    fields: BTreeMap<FieldName, String>,
}

/// What came of some pictures.
#[derive(Clone, Copy, Default)]
struct Score {
    fields: u64,
    exact: u64,
    accepted: u64,
    wrongly_accepted: u64,
    log_likelihood: f64,
}

/// The score of all pictures under "", and of each slice under its name.
type Scores = BTreeMap<String, Score>;

/// Pictures of a draw, each with the day as of which it is assessed.
#[derive(Default)]
struct Draw {
    pictures: Vec<(Date, Picture)>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (mut fit, mut report) = (Draw::default(), Draw::default());
    let mut given = Parameters::FITTED;
    while let Some(option) = arguments.next() {
        let operand = arguments.next().ok_or_else(|| format!("{option} needs a value"))?;
        match option.as_str() {
            "--fit" => fit.load(&operand)?,
            "--report" => report.load(&operand)?,
            "--value" => {
                let (name, value) = operand.split_once('=').ok_or("--value needs NAME=NUMBER")?;
                given = given.with(name, value.parse()?).ok_or_else(|| format!("there is no parameter {name}"))?;
            }
            _ => return Err(format!("unknown option {option}: expected --fit, --report or --value").into()),
        }
    }
    let fitted = if given == Parameters::FITTED { descend(&fit) } else { given };
    for (name, draw) in [("fit", &fit), ("report", &report)] {
        println!("\n{name}: {} pictures", draw.pictures.len());
        print(&draw.scores(&Parameters::FITTED), &draw.scores(&fitted));
    }
    Ok(())
}

/// The parameters after one round over all of them.
fn descend(draw: &Draw) -> Parameters {
    let mut best = Parameters::FITTED;
    let mut scores = draw.scores(&best);
    println!(
        "parameter: value, then log likelihood and exact fields gained at a quarter, half, double, four times of it"
    );
    for name in Parameters::NAMES {
        let value = best.get(name).unwrap_or_default();
        let mut line = format!("{name} {value}:");
        let before = scores[""];
        for factor in [0.25, 0.5, 2.0, 4.0] {
            let Some(other) = best.with(name, value * factor) else { continue };
            let tried = draw.scores(&other);
            let gain = tried[""].log_likelihood - before.log_likelihood;
            let exact = tried[""].exact as i64 - before.exact as i64;
            line += &format!("  {gain:+.2} {exact:+}");
            if tried[""].log_likelihood > scores[""].log_likelihood + LEAST_GAIN && is_no_worse(&tried, &scores) {
                line += " *";
                (best, scores) = (other, tried);
            }
        }
        println!("{line}");
    }
    best
}

/// Whether no slice is worse.
fn is_no_worse(tried: &Scores, before: &Scores) -> bool {
    tried.iter().all(|(slice, tried)| {
        let before = before[slice];
        tried.exact >= before.exact
            && tried.wrongly_accepted <= before.wrongly_accepted
            && tried.accepted + 1 >= before.accepted
    })
}

impl Draw {
    fn load(&mut self, path: &str) -> Result<(), Box<dyn Error>> {
        for line in BufReader::new(File::open(path)?).lines() {
            let picture: Picture = serde_json::from_str(&line?)?;
            let today = Date::parse(&picture.today, format_description!("[year]-[month]-[day]"))?;
            self.pictures.push((today, picture));
        }
        Ok(())
    }

    fn scores(&self, parameters: &Parameters) -> Scores {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let part = self.pictures.len().div_ceil(threads).max(1);
        let mut all = Scores::from([(String::new(), Score::default())]);
        thread::scope(|scope| {
            let parts: Vec<_> = self
                .pictures
                .chunks(part)
                .map(|pictures| scope.spawn(move || scores_of(pictures, parameters)))
                .collect();
            for (slice, score) in parts.into_iter().filter_map(|part| part.join().ok()).flatten() {
                all.entry(slice).or_default().add(score);
            }
        });
        all
    }
}

fn scores_of(pictures: &[(Date, Picture)], parameters: &Parameters) -> Scores {
    let mut scores = Scores::new();
    for (today, picture) in pictures {
        let score = score(picture, *today, parameters);
        for slice in picture.slices.iter().map(String::as_str).chain([""]) {
            scores.entry(slice.to_owned()).or_default().add(score);
        }
    }
    scores
}

fn score(picture: &Picture, today: Date, parameters: &Parameters) -> Score {
    let cards = picture.cards.iter().map(|card| card.read.clone()).collect();
    let assessment = assess_with(cards, today, &Policy::default(), parameters);
    let mut score = Score::default();
    for (card, result) in picture.cards.iter().zip(&assessment.cards) {
        let Some(label) = card.label.as_ref().filter(|label| label.side == result.side) else { continue };
        for (name, text) in &label.fields {
            let field = result.fields.get(name);
            let is_exact = field.map_or("", |field| field.text.as_str()) == text;
            let confidence = field.map_or(0.5, |field| f64::from(field.confidence)).clamp(MARGIN, 1.0 - MARGIN);
            score.fields += 1;
            score.exact += u64::from(is_exact);
            score.log_likelihood += if is_exact { confidence } else { 1.0 - confidence }.ln();
        }
    }
    let missed: usize = picture.not_found.iter().map(|label| label.fields.len()).sum();
    score.fields += missed as u64;
    score.accepted = u64::from(assessment.decision == Decision::Accept);
    score.wrongly_accepted = u64::from(assessment.decision == Decision::Accept && score.exact < score.fields);
    score
}

impl Score {
    fn add(&mut self, other: Score) {
        self.fields += other.fields;
        self.exact += other.exact;
        self.accepted += other.accepted;
        self.wrongly_accepted += other.wrongly_accepted;
        self.log_likelihood += other.log_likelihood;
    }
}

fn print(before: &Scores, after: &Scores) {
    println!("slice: fields; exact, accepted, wrongly accepted, log likelihood: in use -> fitted");
    for (slice, before) in before {
        let after = after.get(slice).copied().unwrap_or_default();
        let slice = if slice.is_empty() { "all" } else { slice };
        println!(
            "{slice}: {}; {} -> {}, {} -> {}, {} -> {}, {:.2} -> {:.2}",
            before.fields,
            before.exact,
            after.exact,
            before.accepted,
            after.accepted,
            before.wrongly_accepted,
            after.wrongly_accepted,
            before.log_likelihood,
            after.log_likelihood
        );
    }
}
