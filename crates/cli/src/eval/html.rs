//! `shenfen eval --html`: a report to leaf through, with the misread fields as pictures. One file, nothing outside it.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use shenfen_ocr::{Cropper, Limits};

use super::report::Section;
use super::score::Misread;

/// Around a field, in parts of its height.
const MARGIN: f32 = 0.4;
const FIELD_HEIGHT: u32 = 64;
const CARD_HEIGHT: u32 = 240;

/// The sums are known last and shown first.
const HEAD: &str = r#"<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>shenfen eval</title>
<style>
body{display:flex;flex-direction:column;font:16px/1.5 system-ui,sans-serif;margin:1rem auto;max-width:64rem;padding:0 1rem}
header{order:-1}
table{border-collapse:collapse;margin:1rem 0}th,td{text-align:left;padding:.1rem .8rem .1rem 0}th{font-size:.8rem}
article{border-top:1px solid #ccc;padding:.6rem 0}img{max-width:100%;display:block;background:#888}
p{margin:.2rem 0}mark{background:#ffd54a}small{color:#666}
@media(prefers-color-scheme:dark){body{background:#111;color:#eee}small{color:#aaa}}
</style>
<main><h2>What was read otherwise than labelled</h2>
"#;

/// The report being written.
pub(super) struct Report {
    path: PathBuf,
    out: BufWriter<File>,
    limits: Limits,
}

impl Report {
    /// # Errors
    /// When the file cannot be made.
    pub(super) fn create(path: PathBuf, limits: Limits) -> anyhow::Result<Report> {
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut report = Report { path, out: BufWriter::new(file), limits };
        report.write(HEAD)?;
        Ok(report)
    }

    /// Adds what was misread in a picture.
    ///
    /// # Errors
    /// When the picture cannot be opened any more, or the report cannot be written.
    pub(super) fn add(&mut self, picture: &Path, misread: &[Misread]) -> anyhow::Result<()> {
        if misread.is_empty() {
            return Ok(());
        }
        let bytes = fs::read(picture).with_context(|| format!("cannot open {}", picture.display()))?;
        // Without its pixels the texts still tell something.
        let cropper = Cropper::decode(&bytes, &self.limits).ok();
        let (found, lost): (Vec<&Misread>, Vec<&Misread>) = misread.iter().partition(|error| error.place.is_some());
        for error in found {
            let crop = cropper.as_ref().and_then(|cropper| {
                let place = error.place?;
                if error.read.is_empty() {
                    cropper.jpeg(&place, 0.05, CARD_HEIGHT)
                } else {
                    cropper.jpeg(&place, MARGIN, FIELD_HEIGHT)
                }
            });
            self.write(&article(&[error], crop.as_deref()))?;
        }
        if !lost.is_empty() {
            let crop = cropper.as_ref().and_then(|cropper| cropper.jpeg(&cropper.picture_quad(), 0.0, CARD_HEIGHT));
            self.write(&article(&lost, crop.as_deref()))?;
        }
        Ok(())
    }

    /// Adds the sums and closes the report.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn finish(mut self, folder: &Path, sections: &[Section]) -> anyhow::Result<()> {
        let mut sums = format!("</main>\n<header><h1>{}</h1>\n", escaped(&folder.display().to_string()));
        for section in sections {
            for line in &section.before {
                let _ = writeln!(sums, "<p>{}</p>", escaped(line));
            }
            let _ = writeln!(sums, "<table><tr>{}</tr>", cells("th", &section.head));
            for row in &section.rows {
                let _ = writeln!(sums, "<tr>{}</tr>", cells("td", row));
            }
            sums.push_str("</table>\n");
        }
        sums.push_str("</header></html>\n");
        self.write(&sums)?;
        self.out.flush().with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn write(&mut self, text: &str) -> anyhow::Result<()> {
        let written: io::Result<()> = self.out.write_all(text.as_bytes());
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// What was misread, under its picture.
fn article(misread: &[&Misread], crop: Option<&[u8]>) -> String {
    let mut text = String::from("<article>");
    if let Some(jpeg) = crop {
        let _ = write!(text, r#"<img alt="" src="data:image/jpeg;base64,{}">"#, STANDARD.encode(jpeg));
    }
    for error in misread {
        let [expected, read] = marked(&error.expected, &error.read);
        let read = if read.is_empty() { "<i>not read</i>" } else { &read };
        let _ = writeln!(
            text,
            "<p><b>{}</b> {expected} → {read} <small>{:.3} {}</small></p>",
            error.field.as_str(),
            error.confidence,
            escaped(&error.path)
        );
    }
    text.push_str("</article>\n");
    text
}

fn cells(tag: &str, row: &[String]) -> String {
    row.iter().fold(String::new(), |mut text, cell| {
        let _ = write!(text, "<{tag}>{}</{tag}>", escaped(cell));
        text
    })
}

/// Two texts as HTML, with what lies between their common start and their common end marked.
fn marked(one: &str, other: &str) -> [String; 2] {
    let texts: [Vec<char>; 2] = [one, other].map(|text| text.chars().collect());
    let shorter = texts[0].len().min(texts[1].len());
    let start = (0..shorter).take_while(|&at| texts[0][at] == texts[1][at]).count();
    let from_end = |text: &[char], at: usize| text[text.len() - 1 - at];
    let end = (0..shorter - start).take_while(|&at| from_end(&texts[0], at) == from_end(&texts[1], at)).count();
    texts.map(|text| {
        let part = |range: &[char]| escaped(&range.iter().collect::<String>());
        let (head, rest) = text.split_at(start);
        let (middle, tail) = rest.split_at(rest.len() - end);
        let middle = if middle.is_empty() { String::new() } else { format!("<mark>{}</mark>", part(middle)) };
        format!("{}{middle}{}", part(head), part(tail))
    })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::marked;

    #[test]
    fn what_differs_is_marked() {
        assert_eq!(marked("湖南省湘潭市", "湖南省湘淳市"), ["湖南省湘<mark>潭</mark>市", "湖南省湘<mark>淳</mark>市"]);
        assert_eq!(marked("孟·发", "孟发"), ["孟<mark>·</mark>发", "孟发"]);
        assert_eq!(marked("aa", "a"), ["a<mark>a</mark>", "a"]);
        assert_eq!(marked("a<b", ""), ["<mark>a&lt;b</mark>", ""]);
    }
}
