//! A service on a socket for a single test, with a stub reader that does what the "picture" says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use shenfen_api::{Bodies, BodyLimits, Metrics, MetricsRoute, ServerLimits, Service, router, serve};
use shenfen_core::{CardValidity, Decision, Elapsed, ModelInfo, PictureResult, ReadOutcome, Refusal, Rule, Status};
use shenfen_ocr::Limits;
use shenfen_worker::{PictureReader, ReadingQueue, ReadingQueueSettings, Today};
use time::macros::date;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Longer than anything that ends takes.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A stub reader: `hold` waits until it is released, `panic` panics, `no card` is a picture without one, `noise` is no picture, `bomb`
/// has too many pixels, and the rest is a card.
#[derive(Clone)]
pub(crate) struct Stub {
    model: ModelInfo,
    begun: mpsc::Sender<()>,
    go: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl PictureReader for Stub {
    fn read(&mut self, bytes: &[u8]) -> ReadOutcome {
        let status = match bytes {
            b"hold" => {
                self.begun.send(()).unwrap();
                let _ = self.go.lock().unwrap_or_else(PoisonError::into_inner).recv();
                Status::Ok
            }
            b"panic" => panic!("asked to"),
            b"no card" => Status::Fail,
            b"noise" => return ReadOutcome::Refused(Refusal::new(Rule::PictureFormat, "noise")),
            b"bomb" => return ReadOutcome::Refused(Refusal::new(Rule::PicturePixels, "bomb")),
            _ => Status::Ok,
        };
        let fields = [("name", "张三"), ("gender", "男"), ("identityNo", "")];
        let fields = if status == Status::Ok { &fields[..] } else { &[] };
        ReadOutcome::Read(PictureResult {
            status,
            message: fields.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect(),
            cards: Vec::new(),
            findings: Vec::new(),
            decision: Decision::Review,
            model: self.model.clone(),
            validity: CardValidity::Unknown,
            policy: None,
            elapsed_ms: Elapsed::default(),
        })
    }

    fn model(&self) -> &ModelInfo {
        &self.model
    }

    fn max_bytes(&self) -> usize {
        32 << 20
    }

    fn another(&self) -> Stub {
        self.clone()
    }
}

/// The configuration of the service.
pub(crate) struct Setup {
    pub(crate) depth: usize,
    pub(crate) deadline: Duration,
    pub(crate) bodies: BodyLimits,
    pub(crate) server: ServerLimits,
    pub(crate) tls: Option<TlsAcceptor>,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup { depth: 4, deadline: LONG, bodies: BodyLimits::default(), server: ServerLimits::default(), tls: None }
    }
}

/// A running service.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    /// Receives when a picture is held.
    pub(crate) begun: mpsc::Receiver<()>,
    go: mpsc::Sender<()>,
    stop: watch::Sender<bool>,
    served: Option<JoinHandle<usize>>,
    pub(crate) runtime: Runtime,
}

impl World {
    pub(crate) fn new() -> World {
        World::with(Setup::default(), |_| {})
    }

    pub(crate) fn with(setup: Setup, change: impl FnOnce(&mut Service)) -> World {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (begun_sender, begun) = mpsc::channel();
        let (go, go_receiver) = mpsc::channel();
        let model = ModelInfo { name: "stub".into(), version: "1".into(), sha256: "0".into() };
        let reader = Stub { model, begun: begun_sender, go: Arc::new(Mutex::new(go_receiver)) };
        let queue = ReadingQueueSettings { threads: 1, memory: u64::MAX, depth: setup.depth, deadline: setup.deadline };
        let metrics = Metrics::default();
        let mut service = Service {
            reading_queue: ReadingQueue::start(&reader, queue).unwrap(),
            limits: Limits::default(),
            today: Today::Fixed(date!(2026 - 11 - 23)),
            bodies: Bodies::new(setup.bodies),
            authenticator: None,
            publisher: None,
            recipients: None,
            store: None,
            metrics: metrics.clone(),
        };
        change(&mut service);
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let serving =
            serve(listener, setup.tls, router(Arc::new(service), MetricsRoute::Here), setup.server, metrics, stopped);
        let served = Some(runtime.spawn(serving));
        World { address, begun, go, stop, served, runtime }
    }

    /// Releases a held picture.
    pub(crate) fn go(&self) {
        self.go.send(()).unwrap();
    }

    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits for the end of a stopped service and returns how many connections it closed.
    pub(crate) fn ended(&mut self) -> usize {
        let served = self.served.take().unwrap();
        self.runtime.block_on(served).unwrap()
    }

    pub(crate) fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        Client { stream: BufReader::new(stream) }
    }

    /// One request on a connection of its own.
    pub(crate) fn post(&self, target: &str, content_type: &str, body: impl AsRef<[u8]>) -> Answer {
        let mut client = self.connect();
        client.send(&request("POST", target, &[("content-type", content_type)], body.as_ref()));
        client.answer().unwrap()
    }

    /// A form, percent-encoded where needed.
    pub(crate) fn form(&self, target: &str, body: &str) -> Answer {
        self.post(target, FORM, body)
    }

    /// A picture in a form.
    pub(crate) fn picture(&self, target: &str, picture: &[u8]) -> Answer {
        self.form(target, &picture_form(picture))
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        let mut client = self.connect();
        client.send(&request("GET", target, &[], b""));
        client.answer().unwrap()
    }

    /// The value of a metric.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        let text = self.get("/metrics").text;
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    /// Waits until a metric has this value.
    pub(crate) fn wait_for(&self, name: &str, value: f64) {
        let begin = std::time::Instant::now();
        while self.metric(name) != Some(value) {
            assert!(begin.elapsed() < LONG, "{name} never becomes {value}");
            std::thread::yield_now();
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Releases all held pictures.
        self.stop();
        let (go, _) = mpsc::channel();
        self.go = go;
    }
}

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

pub(crate) fn picture_form(picture: &[u8]) -> String {
    use base64::Engine;
    let encoded = base64::engine::general_purpose::STANDARD.encode(picture);
    format!("img={}", encoded.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"))
}

/// The bytes of a request.
pub(crate) fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// A connection.
pub(crate) struct Client {
    pub(crate) stream: BufReader<TcpStream>,
}

/// A parsed response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Client {
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    /// The next response; `None` if the connection closes before it.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let status = line.split(' ').nth(1)?.parse().ok()?;
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, n)| n.parse().unwrap());
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).ok()?;
        Some(Answer { status, headers, text: String::from_utf8(body).unwrap() })
    }

    /// Whether the connection is closed.
    pub(crate) fn is_closed(&mut self) -> bool {
        use std::io::ErrorKind::{TimedOut, WouldBlock};
        match self.stream.read(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => !matches!(error.kind(), TimedOut | WouldBlock),
        }
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// Asserts HTTP 200 with exactly this documented refusal.
    #[track_caller]
    pub(crate) fn is(&self, status: &str) {
        let message = match status {
            "FAIL" => "check input image and retry",
            "INVALID_REQUEST" => "check request params",
            "IMAGE_INVALID_FORMAT" => "image format not support",
            "IMAGE_INVALID_SIZE" => "image larger than 2M",
            "RETRY_LATER" => "Service is not available right now, please try again later",
            other => panic!("{other} has no sentence"),
        };
        assert_eq!(
            (self.status, self.text.as_str()),
            (200, &*format!(r#"{{"status":"{status}","message":"{message}"}}"#))
        );
        assert_eq!(self.header("retry-after").is_some(), status == "RETRY_LATER");
    }
}
