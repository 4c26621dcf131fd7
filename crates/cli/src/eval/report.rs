//! The figures, as tables and as JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};
use shenfen_core::Decision;

use super::score::{BINS, Count, Part, Score};

/// Everything as one JSON object.
pub(super) fn figures(score: &Score) -> Value {
    let count = |count: Count| json!({"right": count.right, "total": count.total, "share": count.share()});
    let part = |part: &Part| json!({"fields": count(part.fields), "pictures": count(part.pictures)});
    let by = |counts: Vec<(String, Count)>| -> BTreeMap<String, Value> {
        counts.into_iter().map(|(name, one)| (name, count(one))).collect()
    };
    let reliability: Vec<Value> = bins(score)
        .map(|(from, to, one, confidence)| json!({"from": from, "to": to, "count": one.total, "confidence": confidence, "right": one.share()}))
        .collect();
    json!({
        "fields_right": count(score.all.fields),
        "pictures_right": count(score.all.pictures),
        "characters_right": count(score.characters),
        "by_field": by(score.fields.iter().map(|(field, &one)| (field.as_str().to_owned(), one)).collect()),
        "by_side": by(score.sides.iter().map(|(side, &one)| (format!("{side:?}").to_lowercase(), one)).collect()),
        "by_slice": score.slices.iter().map(|(name, one)| (name.clone(), part(one))).collect::<BTreeMap<_, _>>(),
        "decisions": by(score.decisions.iter().map(|(&decision, &one)| (name(decision).to_owned(), one)).collect()),
        "accepted": accepted(score),
        "calibration_error": score.calibration_error(),
        "reliability": reliability,
    })
}

/// Everything as tables for a person.
pub(super) fn print_tables(out: &mut impl Write, score: &Score) -> io::Result<()> {
    writeln!(out, "{:<16} {:>8} {:>8} {:>8}", "exactly right", "right", "of", "share")?;
    let mut row = |name: &str, count: Count| {
        let share = count.share().map_or("-".to_owned(), |share| format!("{share:.4}"));
        writeln!(out, "{name:<16} {:>8} {:>8} {share:>8}", count.right, count.total)
    };
    row("fields", score.all.fields)?;
    row("pictures", score.all.pictures)?;
    row("characters", score.characters)?;
    for (field, &count) in &score.fields {
        row(&format!("  {}", field.as_str()), count)?;
    }
    for (side, &count) in &score.sides {
        row(&format!("  {}", format!("{side:?}").to_lowercase()), count)?;
    }
    for (slice, part) in &score.slices {
        row(&format!("{slice}: fields"), part.fields)?;
        row(&format!("{slice}: pictures"), part.pictures)?;
    }
    writeln!(out)?;
    for (&decision, count) in &score.decisions {
        writeln!(out, "{:<16} {:>8} pictures, {} of them wholly right", name(decision), count.total, count.right)?;
    }
    if let Some(error) = score.calibration_error() {
        writeln!(out, "\ncalibration error {error:.4}\n{:<16} {:>8} {:>12} {:>8}", "confidence", "fields", "mean", "right")?;
    }
    for (from, to, count, confidence) in bins(score) {
        let share = count.share().unwrap_or_default();
        writeln!(out, "{from:.1} to {to:<9.1} {:>8} {confidence:>12.4} {share:>8.4}", count.total)?;
    }
    Ok(())
}

/// The bins that hold anything: from, to, count, mean confidence.
fn bins(score: &Score) -> impl Iterator<Item = (f64, f64, Count, f64)> {
    score.reliability.iter().enumerate().filter(|(_, bin)| bin.count.total > 0).map(|(index, bin)| {
        let from = index as f64 / BINS as f64;
        (from, from + 1.0 / BINS as f64, bin.count, bin.confidence / bin.count.total as f64)
    })
}

/// How many pictures are accepted unseen, and how many of these are wholly right.
fn accepted(score: &Score) -> Value {
    let count = score.decisions.get(&Decision::Accept).copied().unwrap_or_default();
    let share = count.total as f64 / score.all.pictures.total.max(1) as f64;
    json!({"share": share, "precision": count.share()})
}

fn name(decision: Decision) -> &'static str {
    match decision {
        Decision::Accept => "accept",
        Decision::Review => "review",
        Decision::Reject => "reject",
    }
}
