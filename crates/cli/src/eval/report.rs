//! The scores as tables, for the terminal and for the report.

use shenfen_core::Side;

use super::automatic_share::PRECISION;
use super::calibration::Bin;
use super::locating::Located;
use super::quality::Worth;
use super::score::{Score, Scores, Tally};

/// A table with what has to be said before it.
pub(super) struct Section {
    pub(super) before: Vec<String>,
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Section {
    fn new<const N: usize>(before: Vec<String>, head: [&str; N], rows: Vec<[String; N]>) -> Section {
        let head = head.map(str::to_owned).to_vec();
        Section { before, head, rows: rows.into_iter().map(|row| row.to_vec()).collect() }
    }
}

/// All that there is to say.
pub(super) fn sections(scores: &Scores) -> Vec<Section> {
    let mut sections = vec![fields(scores)];
    if !scores.slices.is_empty() {
        sections.push(slices(scores));
    }
    sections.push(decisions(scores));
    if scores.whole.calibration.error().is_some() {
        sections.push(reliability(&scores.whole));
    }
    sections.extend(scores.locating.located().map(|located| locating(&located)));
    let worth = scores.quality.worth();
    if !worth.is_empty() {
        sections.push(quality(&worth));
    }
    sections
}

fn fields(scores: &Scores) -> Section {
    let row = |name: &str, tally: &Tally| {
        let characters = tally.characters().map(percent).unwrap_or_default();
        [name.to_owned(), tally.total.to_string(), tally.exact.to_string(), percent(tally.accuracy()), characters]
    };
    let mut rows: Vec<_> = scores.fields.iter().map(|(field, tally)| row(field.as_str(), tally)).collect();
    for (side, name) in [(Side::Front, "all of front"), (Side::Back, "all of back")] {
        rows.extend(scores.sides.get(&side).map(|tally| row(name, tally)));
    }
    rows.push(row("all fields", &scores.whole.all));
    rows.push(row("pictures", &scores.whole.pictures));
    Section::new(Vec::new(), ["FIELD", "LABELS", "RIGHT", "ACCURACY", "CHARACTERS"], rows)
}

fn slices(scores: &Scores) -> Section {
    let row = |(slice, score): (&String, &Score)| {
        [
            slice.clone(),
            score.pictures.total.to_string(),
            percent(score.all.accuracy()),
            percent(score.pictures.accuracy()),
            percent(score.accepted.share),
            score.accepted.precision.map(percent).unwrap_or_default(),
            percent(score.automatic_share.best().map_or(0.0, |best| best.0)),
            score.calibration.error().map(|error| format!("{error:.4}")).unwrap_or_default(),
        ]
    };
    let head =
        ["SLICE", "PICTURES", "FIELDS", "WHOLLY RIGHT", "ACCEPTED", "OF THESE RIGHT", "AUTOMATIC", "CALIBRATION"];
    Section::new(Vec::new(), head, scores.slices.iter().map(row).collect())
}

fn decisions(scores: &Scores) -> Section {
    let row = |(decision, tally): (&&'static str, &Tally)| {
        [(*decision).to_owned(), tally.total.to_string(), tally.exact.to_string(), percent(tally.accuracy())]
    };
    let rows = scores.decisions.iter().map(row).collect();
    Section::new(Vec::new(), ["DECISION", "PICTURES", "WHOLLY RIGHT", "PRECISION"], rows)
}

fn reliability(score: &Score) -> Section {
    let accepted = match score.accepted.precision {
        Some(right) => format!("accepted: {}, {} of these right", percent(score.accepted.share), percent(right)),
        None => "accepted: none".to_owned(),
    };
    let automatic_share = match score.automatic_share.best() {
        Some((share, from)) => format!(
            "at {} precision {} could be accepted automatically, those with confidence {from:.4} and more",
            percent(PRECISION),
            percent(share)
        ),
        None => format!("none could be accepted automatically at {} precision", percent(PRECISION)),
    };
    let error = score.calibration.error().unwrap_or_default();
    let error = format!("expected calibration error of the fields' confidences: {error:.4}");
    let row = |bin: &Bin| {
        let range = format!("{:.1} to {:.1}", bin.from, bin.to);
        [range, bin.fields.to_string(), percent(bin.confidence), percent(bin.right)]
    };
    let rows = score.calibration.bins().iter().map(row).collect();
    Section::new(vec![accepted, automatic_share, error], ["CONFIDENCE", "FIELDS", "MEAN", "RIGHT"], rows)
}

fn locating(located: &Located) -> Section {
    let error = format!(
        "corners of the cards found: {} of the card's width off on average, {} in the middle; {} of cards nearer than 0.5 %",
        percent(located.mean_error),
        percent(located.median_error),
        percent(located.close)
    );
    let found = ("found", located.found, located.labelled);
    let of_found = [("right side", located.side), ("right turn", located.turn), ("both", located.side_and_turn)];
    let rows = std::iter::once(found).chain(of_found.map(|(name, count)| (name, count, located.found)));
    let mut rows: Vec<_> = rows
        .map(|(name, count, of)| {
            let share = if of == 0 { 1.0 } else { count as f64 / of as f64 };
            [name.to_owned(), of.to_string(), count.to_string(), percent(share)]
        })
        .collect();
    rows.push(["found where there is none".to_owned(), String::new(), located.extra.to_string(), String::new()]);
    Section::new(vec![error], ["CARDS", "OF", "ARE", "SHARE"], rows)
}

fn quality(worth: &[Worth]) -> Section {
    let before =
        "how well a quality figure tells cards read right from misread ones: 0.5 not at all, 1 always".to_owned();
    let row = |worth: &Worth| {
        let figures = [worth.right, worth.misread, worth.area].map(|value| format!("{value:.3}"));
        let [right, misread, area] = figures;
        [worth.figure.to_owned(), right, misread, area]
    };
    let rows = worth.iter().map(row).collect();
    Section::new(vec![before], ["QUALITY", "MEAN OF RIGHT", "OF MISREAD", "TELLS APART"], rows)
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}
