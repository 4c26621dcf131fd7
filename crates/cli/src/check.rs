//! `shenfen check`: checks ID numbers from arguments or standard input, one result line each.

use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, IsTerminal, Read, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::builder::FalseyValueParser;
use serde::Serialize;
use shenfen_core::id_number::{Answer, Lenient};
use shenfen_core::{IdNumber, IdNumberError, Place};
use time::Date;

use crate::clock::{parse_day, today_in_china};
use crate::table::Format;

/// The part of a line that is kept: far more than any number, and memory stays bounded whatever comes in.
const LINE_LIMIT: usize = 4096;

/// Characters of a refused text that fit the table's first column.
const SHOWN_CHARACTERS: usize = 18;

/// Check ID numbers: check digit, dates, holder and region
#[derive(clap::Args)]
pub(crate) struct CheckArgs {
    /// ID numbers; if none are given they are read from standard input, one per line
    #[arg(value_name = "NUMBER")]
    numbers: Vec<String>,

    /// Also accept full-width digits, spaces, hyphens and look-alike letters
    #[arg(long, env = "SHENFEN_LENIENT", value_parser = FalseyValueParser::new())]
    lenient: bool,

    /// Exit with status 2 if any number is not ok
    #[arg(long, env = "SHENFEN_STRICT", value_parser = FalseyValueParser::new())]
    strict: bool,

    /// Reject numbers whose region is unknown or was not in use at the time, instead of warning
    #[arg(long, env = "SHENFEN_STRICT_REGION", value_parser = FalseyValueParser::new())]
    strict_region: bool,

    /// Check as of this day, YYYY-MM-DD [default: today in Asia/Shanghai]
    #[arg(long, env = "SHENFEN_TODAY", value_name = "DAY", value_parser = parse_day)]
    today: Option<Date>,

    /// Output format [default: table on a terminal, otherwise json, one object per line]
    #[arg(long, env = "SHENFEN_FORMAT", value_enum)]
    format: Option<Format>,
}

/// Runs the command.
///
/// # Errors
/// When standard input cannot be read or standard output not be written. A reader that closes its end early is no error.
pub(crate) fn run(args: CheckArgs) -> anyhow::Result<ExitCode> {
    let stdout = io::stdout().lock();
    let rules = Rules {
        lenient: args.lenient,
        strict_region: args.strict_region,
        today: args.today.unwrap_or_else(today_in_china),
    };
    let mut report = Report::new(stdout, Format::or_default(args.format), rules);
    let done = if args.numbers.is_empty() {
        let stdin = io::stdin().lock();
        if stdin.is_terminal() {
            writeln!(io::stderr(), "type ID numbers, one per line; end with Ctrl-D")?;
        }
        report.check_lines(&mut BufReader::with_capacity(1 << 16, stdin))
    } else {
        report.check_all(&args.numbers)
    };
    match done {
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error),
        Ok(()) if args.strict && !report.all_ok => Ok(ExitCode::from(2)),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// How numbers are checked.
struct Rules {
    lenient: bool,
    strict_region: bool,
    today: Date,
}

impl Rules {
    fn check(&self, text: &str) -> Result<Lenient, IdNumberError> {
        let read = if self.lenient {
            IdNumber::parse_lenient(text, self.today)?
        } else {
            IdNumber::parse(text, self.today)?.into()
        };
        if self.strict_region {
            read.number.require_region()?;
        }
        Ok(read)
    }
}

/// Prints results.
struct Report<W: Write> {
    out: BufWriter<W>,
    format: Format,
    rules: Rules,
    all_ok: bool,
    header_printed: bool,
}

/// One line of JSON: the documented answer, details and the text it is about.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    answer: Answer<'a>,
    input: &'a str,
}

impl<W: Write> Report<W> {
    fn new(out: W, format: Format, rules: Rules) -> Report<W> {
        let out = BufWriter::with_capacity(1 << 16, out);
        Report { out, format, rules, all_ok: true, header_printed: false }
    }

    fn check_all(&mut self, numbers: &[String]) -> anyhow::Result<()> {
        for number in numbers {
            self.check(number)?;
        }
        self.flush()
    }

    /// Checks every line, empty ones too, so that the nth result belongs to the nth line.
    fn check_lines(&mut self, reader: &mut BufReader<impl Read>) -> anyhow::Result<()> {
        let mut line = Vec::with_capacity(LINE_LIMIT);
        let mut first = true;
        loop {
            // A program that waits for each result before it writes the next line must get it now.
            if reader.buffer().is_empty() {
                self.flush()?;
            }
            if !read_line(reader, &mut line).context("cannot read standard input")? {
                return Ok(());
            }
            let without_mark = line.strip_prefix(b"\xef\xbb\xbf").filter(|_| first).unwrap_or(&line);
            // What is no UTF-8 becomes U+FFFD, which no number contains.
            self.check(&String::from_utf8_lossy(without_mark))?;
            first = false;
        }
    }

    fn check(&mut self, text: &str) -> anyhow::Result<()> {
        let outcome = self.rules.check(text);
        self.all_ok &= outcome.is_ok();
        match self.format {
            Format::Json => self.print_json(text, &outcome),
            Format::Table => self.print_row(text, &outcome),
        }
        .context("cannot write the results")
    }

    fn print_json(&mut self, input: &str, outcome: &Result<Lenient, IdNumberError>) -> io::Result<()> {
        let answer = Answer::detailed(outcome, self.rules.today);
        serde_json::to_writer(&mut self.out, &Line { answer, input })?;
        self.out.write_all(b"\n")
    }

    /// Chinese text stands last, so that the columns before it line up in any font.
    fn print_row(&mut self, input: &str, outcome: &Result<Lenient, IdNumberError>) -> io::Result<()> {
        if !self.header_printed {
            writeln!(self.out, "{:18}  {:6}  {:10}  {:6}  REGION", "NUMBER", "RESULT", "BIRTHDAY", "GENDER")?;
            self.header_printed = true;
        }
        match outcome {
            Ok(read) => {
                let number = &read.number;
                let region = number.region();
                let gender = number.gender().as_english();
                write!(self.out, "{}  {:6}  {}  {gender:6}", number.reveal(), "ok", number.birth_date())?;
                write!(self.out, "  {}", in_words(region.at_issue()))?;
                if ![Place::default(), region.at_issue()].contains(&region.today()) {
                    write!(self.out, "  (today {})", in_words(region.today()))?;
                }
                if read.normalized {
                    write!(self.out, "  [normalized]")?;
                }
                for warning in number.warnings(self.rules.today) {
                    write!(self.out, "  [{}]", warning.name())?;
                }
                writeln!(self.out)
            }
            Err(error) => writeln!(self.out, "{:18}  {:6}  {error}", shown(input), "fail"),
        }
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        self.out.flush().context("cannot write the results")
    }
}

/// The next line without its end, cut at [`LINE_LIMIT`] bytes; false at the end of input.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut any = false;
    loop {
        let available = match reader.fill_buf() {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        };
        if available.is_empty() {
            break;
        }
        any = true;
        let end = available.iter().position(|&byte| byte == b'\n');
        let piece = &available[..end.unwrap_or(available.len())];
        line.extend_from_slice(&piece[..piece.len().min(LINE_LIMIT - line.len())]);
        let used = end.map_or(available.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            break;
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(any)
}

fn in_words(place: Place) -> String {
    let levels = [place.province, place.city.filter(|_| place.city != place.province), place.county];
    levels.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// An invalid input, shortened and with control characters replaced.
fn shown(text: &str) -> String {
    let visible = |character: char| if character.is_control() { '\u{fffd}' } else { character };
    if text.chars().nth(SHOWN_CHARACTERS).is_none() {
        return text.chars().map(visible).collect();
    }
    text.chars().take(SHOWN_CHARACTERS - 1).map(visible).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
