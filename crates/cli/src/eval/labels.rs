//! The labels: what stands on the cards, one card a line.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;
use shenfen_core::{FieldName, Quad, Side};

/// One card's labels.
pub(super) struct Label {
    pub(super) side: Side,
    pub(super) fields: BTreeMap<FieldName, String>,
    /// The corners in pixels, from the card's own top left.
    pub(super) quad: Option<Quad>,
}

/// A picture with the labels of every card in it; without any, it shows no card.
pub(super) struct LabelledPicture {
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// The groups that it is counted in.
    pub(super) slices: Vec<String>,
    pub(super) cards: Vec<Label>,
}

#[derive(Deserialize)]
struct Line {
    path: String,
    #[serde(default)]
    side: Option<Side>,
    #[serde(default)]
    fields: BTreeMap<String, String>,
    #[serde(default)]
    slice: Slices,
    #[serde(default)]
    quad: Option<Quad>,
}

/// One name, or several.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Slices {
    One(String),
    Several(Vec<String>),
}

impl Default for Slices {
    fn default() -> Slices {
        Slices::Several(Vec::new())
    }
}

impl From<Slices> for Vec<String> {
    fn from(slices: Slices) -> Vec<String> {
        match slices {
            Slices::One(name) => vec![name],
            Slices::Several(names) => names,
        }
    }
}

/// Reads `labels.jsonl` in `folder`. The lines of one path belong to one picture.
pub(super) fn read_labels(folder: &Path) -> anyhow::Result<Vec<LabelledPicture>> {
    let file = folder.join("labels.jsonl");
    let lines = BufReader::new(File::open(&file).with_context(|| format!("cannot open {}", file.display()))?).lines();
    let mut pictures: Vec<LabelledPicture> = Vec::new();
    let mut by_name = HashMap::new();
    for (number, text) in (1..).zip(lines) {
        let place = || format!("{} line {number}", file.display());
        let text = text.with_context(place)?;
        if text.trim().is_empty() {
            continue;
        }
        // The decoder's own words might quote a value.
        let Ok(line) = serde_json::from_str::<Line>(&text) else {
            bail!(r#"{}: expected {{"path", "side": "front" or "back", "fields": {{...}}}}"#, place());
        };
        let index = *by_name.entry(line.path.clone()).or_insert_with(|| {
            let (name, path) = (line.path.clone(), folder.join(&line.path));
            pictures.push(LabelledPicture { name, path, slices: Vec::new(), cards: Vec::new() });
            pictures.len() - 1
        });
        for slice in Vec::from(line.slice) {
            if !pictures[index].slices.contains(&slice) {
                pictures[index].slices.push(slice);
            }
        }
        let mut fields = BTreeMap::new();
        for (name, text) in line.fields {
            let field = field_named(&name).with_context(|| format!("{}: there is no field {name:?}", place()))?;
            fields.insert(field, text);
        }
        match line.side {
            Some(side) => pictures[index].cards.push(Label { side, fields, quad: line.quad }),
            None if fields.is_empty() => {}
            None => bail!("{}: a card's label needs its side, front or back", place()),
        }
    }
    if pictures.is_empty() {
        bail!("{} has no labels", file.display());
    }
    Ok(pictures)
}

/// A field by its name in the JSON, or by that of its column.
fn field_named(name: &str) -> Option<FieldName> {
    let all = FieldName::FRONT.into_iter().chain(FieldName::BACK);
    all.into_iter().find(|field| field.as_str() == name).or(match name {
        "identity_no" => Some(FieldName::IdentityNo),
        "birth_date" => Some(FieldName::BirthDate),
        "birth_place" | "address" => Some(FieldName::Address),
        "effective_date" => Some(FieldName::EffectiveDate),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_one_path_are_one_picture_and_columns_names_do() {
        let folder = tempfile::tempdir().unwrap();
        let lines = r#"{"path":"a.jpg","side":"front","fields":{"identity_no":"1","address":"x"},"slice":"scan"}
{"path":"b.jpg","slice":["photo","glare"]}

{"path":"a.jpg","side":"back","fields":{"effectiveDate":"2014.09.25-长期"}}
"#;
        std::fs::write(folder.path().join("labels.jsonl"), lines).unwrap();
        let pictures = read_labels(folder.path()).unwrap();
        assert_eq!(pictures.iter().map(|picture| picture.cards.len()).collect::<Vec<_>>(), [2, 0]);
        assert_eq!(pictures[0].cards[0].fields[&FieldName::Address], "x");
        assert_eq!(pictures[0].slices, ["scan"]);
        assert_eq!(pictures[1].slices, ["photo", "glare"]);
    }

    #[test]
    fn a_wrong_line_is_named_without_its_values() {
        for line in [r#"{"path":"a.jpg","side":"张三"}"#, r#"{"path":"a.jpg","fields":{"name":"张三"}}"#, "张三"]
        {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("labels.jsonl"), format!("{{\"path\":\"b.jpg\"}}\n{line}\n")).unwrap();
            let error = read_labels(folder.path()).err().unwrap().to_string();
            assert!(error.contains("labels.jsonl line 2") && !error.contains("张三"), "{error}");
        }
    }
}
