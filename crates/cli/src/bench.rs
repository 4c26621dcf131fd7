//! `shenfen bench`: reading speed on this machine, on one core and on all of them.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;
use shenfen_core::{Elapsed, ReadOutcome};
use shenfen_ocr::net::fastest_rate;
use shenfen_worker::{CardPictures, Found, PictureReader, PoolSettings, ReaderPool, Returned, Room, Source};

use crate::engine::EngineArgs;
use crate::pictures::ReadingArgs;
use crate::table::{Format, Table};

/// Maximum number of different pictures held in memory.
const MOST_PICTURES: usize = 200;
/// How long the networks' arithmetic is measured on its own.
const RATE_TIME: Duration = Duration::from_millis(500);

/// Measure reading speed on this machine
#[derive(Args)]
pub(crate) struct BenchArgs {
    /// Folder of pictures
    #[arg(value_name = "DIR", default_value = "samples")]
    folder: PathBuf,

    /// Seconds to measure on one core, and again on all cores
    #[arg(long, env = "SHENFEN_SECONDS", default_value_t = 5, value_name = "N")]
    seconds: u64,

    /// Output format [default: table on a terminal, otherwise json]
    #[arg(long, env = "SHENFEN_FORMAT", value_enum)]
    format: Option<Format>,

    #[command(flatten)]
    reading: ReadingArgs,

    #[command(flatten)]
    engine: EngineArgs,
}

/// Runs the command.
///
/// # Errors
/// When there are no pictures or the networks cannot be loaded.
pub(crate) fn run(args: BenchArgs) -> anyhow::Result<ExitCode> {
    let pictures: Arc<[Vec<u8>]> = load(&args.folder)?.into();
    let reader = args.reading.reader_for(args.engine.engine()?)?;
    // Warm-up.
    reader.another().read(&pictures[0]);
    let time = Duration::from_secs(args.seconds);
    let one = measure(&reader, &pictures, 1, time)?;
    let memory_mib = memory("VmRSS:").map(mebibytes);
    let all = measure(&reader, &pictures, args.reading.threads(), time)?;
    let floor = Floor::of(&one, fastest_rate(RATE_TIME)?);
    let peak_memory_mib = memory("VmHWM:").map(mebibytes);
    let report = Report { pictures: pictures.len(), floor, runs: vec![one, all], memory_mib, peak_memory_mib };

    let mut out = BufWriter::new(io::stdout());
    match Format::or_default(args.format) {
        Format::Json => {
            serde_json::to_writer(&mut out, &report)?;
            out.write_all(b"\n")?;
        }
        Format::Table => print(&mut out, &report)?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn load(folder: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    let pictures = Source::open(folder)?.filter_map(|found| match found {
        Found::Picture(picture) => Some(picture),
        Found::Other | Found::Unreadable(_) => None,
    });
    let load = |path: String| fs::read(&path).with_context(|| format!("cannot read {path}"));
    let pictures: Vec<Vec<u8>> =
        pictures.take(MOST_PICTURES).map(|picture| load(picture.path)).collect::<Result<_, _>>()?;
    if pictures.is_empty() {
        bail!("no pictures in {}", folder.display());
    }
    Ok(pictures)
}

/// The measurements. Times are in milliseconds.
#[derive(Serialize)]
struct Report {
    pictures: usize,
    runs: Vec<Run>,
    floor: Floor,
    /// Resident memory after the run on one core, and its peak.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_mib: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_memory_mib: Option<f64>,
}

/// Lower bound for a picture: decoding, and the networks' multiplications at the kernel's best rate.
#[derive(Serialize)]
struct Floor {
    milliseconds: f64,
    /// Mean time on one core over the lower bound.
    ratio: f64,
    /// Multiplications of the networks for a picture, in millions.
    products_millions: f64,
    /// The networks' best rate, in thousand million multiplications a second.
    gmacs_per_s: f64,
    /// `gmacs_per_s` under its name in earlier versions.
    products_per_second_thousand_millions: f64,
}

impl Floor {
    fn of(run: &Run, rate: f64) -> Floor {
        let milliseconds = run.decode + run.products / rate * 1000.0;
        Floor {
            milliseconds,
            ratio: run.mean / milliseconds,
            products_millions: run.products / 1e6,
            gmacs_per_s: rate / 1e9,
            products_per_second_thousand_millions: rate / 1e9,
        }
    }
}

/// A measurement on some threads.
#[derive(Serialize)]
struct Run {
    threads: usize,
    pictures_per_second: f64,
    cards_per_second: f64,
    mean: f64,
    p50: f64,
    p95: f64,
    p99: f64,
    /// Mean by stage.
    decode: f64,
    locate: f64,
    recognise: f64,
    check: f64,
    /// Mean multiplications of the networks.
    #[serde(skip)]
    products: f64,
}

impl Run {
    fn of(threads: usize, seconds: f64, samples: &[Sample]) -> Run {
        let mean = |of: fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / samples.len().max(1) as f64;
        let mut times: Vec<f64> = samples.iter().map(|sample| sample.whole).collect();
        times.sort_unstable_by(f64::total_cmp);
        let percentile = |part: f64| times.get((part * (times.len().max(1) - 1) as f64).round() as usize).copied();
        Run {
            threads,
            pictures_per_second: samples.len() as f64 / seconds,
            cards_per_second: samples.iter().map(|sample| sample.cards).sum::<usize>() as f64 / seconds,
            mean: mean(|sample| sample.whole),
            p50: percentile(0.50).unwrap_or_default(),
            p95: percentile(0.95).unwrap_or_default(),
            p99: percentile(0.99).unwrap_or_default(),
            decode: mean(|sample| sample.stages.decode),
            locate: mean(|sample| sample.stages.locate),
            recognise: mean(|sample| sample.stages.recognise),
            check: mean(|sample| (sample.whole - sample.stages.total).max(0.0)),
            products: mean(|sample| sample.products as f64),
        }
    }
}

/// One picture's times.
struct Sample {
    whole: f64,
    products: u64,
    stages: Elapsed,
    cards: usize,
}

fn measure(reader: &CardPictures, pictures: &Arc<[Vec<u8>]>, threads: usize, time: Duration) -> anyhow::Result<Run> {
    let pictures = Arc::clone(pictures);
    let read = move |reader: &mut CardPictures, number: &usize, _: &Room| {
        let picture = &pictures[number % pictures.len()];
        let (start, before) = (Instant::now(), reader.products());
        let outcome = reader.read(picture);
        let whole = start.elapsed().as_secs_f64() * 1000.0;
        let products = reader.products() - before;
        let (stages, cards) = match outcome {
            ReadOutcome::Read(result) => (result.elapsed_ms, result.cards.len()),
            ReadOutcome::Refused(_) | ReadOutcome::Fault(_) => (Elapsed::default(), 0),
        };
        Ok(Sample { whole, products, stages, cards })
    };
    let begin = Instant::now();
    let settings = PoolSettings { threads, waiting: threads, memory: u64::MAX };
    let pool = ReaderPool::start(reader, settings, read).context("cannot start the reading threads")?;
    let (replies, returned) = mpsc::channel();
    let mut samples = Vec::new();
    let (mut begun, mut done) = (0, 0);
    // One picture with each thread and one that it reads next.
    while begun == 0 || begin.elapsed() < time || done < begun {
        while begun - done < 2 * threads && (begin.elapsed() < time || begun == 0) {
            let replies = replies.clone();
            pool.submit(begun, move |returned| drop(replies.send(returned)))?.keep();
            begun += 1;
        }
        if let Returned::Done(sample) = returned.recv()? {
            samples.push(sample);
        }
        done += 1;
    }
    let seconds = begin.elapsed().as_secs_f64();
    pool.join();

    Ok(Run::of(threads, seconds, &samples))
}

/// A figure of this process's memory, in bytes, by its name in /proc; where the system has that.
fn memory(name: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn print(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let heads =
        ["THREADS", "PICTURES/S", "CARDS/S", "P50 MS", "P95 MS", "P99 MS", "DECODE", "LOCATE", "RECOGNISE", "CHECK"];
    let row = |run: &Run| {
        let [rate, cards] = [run.pictures_per_second, run.cards_per_second].map(|rate| format!("{rate:.1}"));
        let [p50, p95, p99, decode, locate, recognise, check] =
            [run.p50, run.p95, run.p99, run.decode, run.locate, run.recognise, run.check].map(|ms| format!("{ms:.2}"));
        [run.threads.to_string(), rate, cards, p50, p95, p99, decode, locate, recognise, check]
    };
    Table::new(heads).print(out, &report.runs.iter().map(row).collect::<Vec<_>>())?;
    if let [one, .., all] = report.runs.as_slice()
        && all.threads > 1
    {
        writeln!(
            out,
            "{} threads: {:.2} times one thread",
            all.threads,
            all.pictures_per_second / one.pictures_per_second
        )?;
    }
    let floor = &report.floor;
    writeln!(
        out,
        "floor {:.1} ms: decoding, and {:.0} million multiplications at {:.0} GMAC/s; mean on one core {:.2} times that",
        floor.milliseconds, floor.products_millions, floor.gmacs_per_s, floor.ratio
    )?;
    write!(out, "{} different pictures", report.pictures)?;
    if let (Some(held), Some(peak)) = (report.memory_mib, report.peak_memory_mib) {
        write!(out, ", memory {held:.0} MiB, peak {peak:.0} MiB")?;
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_repeats_gmacs_per_s_under_its_former_name() {
        let sample = Sample { whole: 10.0, products: 1_000_000, stages: Elapsed::default(), cards: 1 };
        let floor = serde_json::to_value(Floor::of(&Run::of(1, 0.01, &[sample]), 4e9)).unwrap();
        assert_eq!(floor["gmacs_per_s"], 4.0);
        assert_eq!(floor["products_per_second_thousand_millions"], floor["gmacs_per_s"]);
    }
}
