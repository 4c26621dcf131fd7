//! Requests over loopback on kept connections: numbers a second, and how long a picture takes with 1, 8 and 64 clients
//! at once, each of which sends its next request when it has its answer. Clients and service share the machine.
//!
//! ```sh
//! cargo bench -p shenfen-api
//! ```

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use shenfen_api::{Bodies, BodyLimits, Metrics, MetricsRoute, ServerLimits, Service, router, serve};
use shenfen_core::Policy;
use shenfen_ocr::{Limits, Models};
use shenfen_worker::{CardPictures, ReadingQueue, ReadingQueueSettings, Today};
use time::macros::date;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::watch;

const CLIENTS: [usize; 3] = [1, 8, 64];

fn main() {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let today = Today::Fixed(date!(2026 - 11 - 23));
    let models = Models::embedded().expect("the networks");
    let reader = CardPictures::new(models, Limits::default(), today, Policy::default());
    let settings = ReadingQueueSettings { threads, memory: u64::MAX, depth: 64, deadline: Duration::from_secs(60) };
    let metrics = Metrics::default();
    let service = Service {
        reading_queue: ReadingQueue::start(&reader, settings).expect("threads"),
        limits: Limits::default(),
        today,
        bodies: Bodies::new(BodyLimits::default()),
        authenticator: None,
        publisher: None,
        recipients: None,
        store: None,
        metrics: metrics.clone(),
    };
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let address = listener.local_addr().expect("its number");
    let (_stop, stopped) = watch::channel(false);
    runtime.spawn(serve(
        listener,
        None,
        router(Arc::new(service), MetricsRoute::Here),
        ServerLimits::default(),
        metrics,
        stopped,
    ));

    say(&format!("{threads} reading threads"));
    for clients in CLIENTS {
        run("/idcard", b"id=330825197801104539", "\"ok\"", address, clients, Duration::from_secs(5));
    }
    for sample in ["scan-2.jpg", "photo-4.jpg"] {
        let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples").join(sample);
        let picture = std::fs::read(picture).expect("a sample");
        say(&format!("{sample}, {} KB", picture.len() / 1000));
        let form = format!("img={}", URL_SAFE_NO_PAD.encode(&picture));
        for clients in CLIENTS {
            run("/v1/ocr_cn", form.as_bytes(), "\"OK\"", address, clients, Duration::from_secs(10));
        }
    }
}

/// Lets so many clients ask for a while, and prints how that went. Every answer must hold `expected`.
fn run(target: &str, body: &[u8], expected: &str, address: SocketAddr, clients: usize, time: Duration) {
    let head = format!(
        "POST {target} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let request = [head.as_bytes(), body].concat();
    let begin = Instant::now();
    let mut times: Vec<Duration> = thread::scope(|scope| {
        let client = || {
            let mut connection = BufReader::new(TcpStream::connect(address).expect("a connection"));
            connection.get_ref().set_nodelay(true).expect("no delay");
            let mut times = Vec::new();
            while begin.elapsed() < time {
                let asked = Instant::now();
                connection.get_mut().write_all(&request).expect("sent");
                assert!(answer(&mut connection).contains(expected));
                times.push(asked.elapsed());
            }
            times
        };
        let running: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        running.into_iter().flat_map(|client| client.join().expect("a client")).collect()
    });
    let rate = times.len() as f64 / begin.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    let (median, most) = (at(0.5), at(0.99));
    say(&format!("{target:10} {clients:2} clients: {rate:8.1} a second, p50 {median:8.2} ms, p99 {most:8.2} ms"));
}

/// The body of the next answer.
fn answer(connection: &mut BufReader<TcpStream>) -> String {
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        connection.read_line(&mut line).expect("a line");
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().expect("a length");
            }
            None if line == "\r\n" => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).expect("a body");
    String::from_utf8(body).expect("text")
}

#[expect(clippy::print_stdout, reason = "what a benchmark is for")]
fn say(line: &str) {
    println!("{line}");
}
