//! `shenfen serve` and `shenfen keys`, without any other server.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[expect(dead_code, reason = "other tests need more of it")]
mod program;
mod served;

use std::fs;

use program::{Place, samples};
use serde_json::Value;
use served::Served;

const MASTER: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// A sample in a form, line breaks and all as `base64` prints it but for what a form must not hold.
fn picture(name: &str) -> String {
    let bytes = fs::read(samples().join(name)).unwrap();
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::from("img=");
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        (0..=chunk.len()).for_each(|place| text.push(alphabet[(bits >> (18 - 6 * place)) as usize & 63].into()));
    }
    text
}

#[test]
fn metrics_have_an_address_of_their_own() {
    let place = Place::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--threads", "1"];
    let served = Served::start(&mut place.shenfen(&[&serve[..], &["--metrics-listen", &free]].concat()));
    let status = |path: &str| served.ask("GET", path, &[], b"").status;
    assert_eq!([status("/metrics"), status("/livez"), status("/readyz")], [404, 200, 200]);
    served.post("/idcard", "id=330825197801104539");
    let metrics = Served::ask_at(&free, "GET", "/metrics", &[], b"");
    assert!(metrics.status == 200 && metrics.body.contains("path=\"/idcard\""), "{}", metrics.body);
    assert_eq!(Served::ask_at(&free, "POST", "/idcard", &[], b"").status, 404, "no door for clients");

    // Beside the routes for clients they are served to this machine only.
    assert_eq!(Served::start(&mut place.shenfen(&serve)).ask("GET", "/metrics", &[], b"").status, 200);
    place.write("master", MASTER);
    let keys = ["--keys", "keys.jsonl", "--master-key-file", "master"];
    assert_eq!(place.run(&[&["keys", "add", "acme"][..], &keys].concat()).code, Some(0));
    let open = [&["serve", "--listen", "0.0.0.0:0", "--threads", "1"][..], &keys].concat();
    assert_eq!(Served::start(&mut place.shenfen(&open)).ask("GET", "/metrics", &[], b"").status, 404);
}

#[test]
fn log_contains_no_card_data_and_stop_is_clean() {
    let place = Place::new();
    let served = Served::start(&mut place.shenfen(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--threads",
        "1",
        "--log-level",
        "trace",
    ]));
    let mut texts = vec!["330825197801104539".to_owned(), "龙游县".to_owned(), "330825197801104538".to_owned()];
    for name in ["scan-1.jpg", "scan-2.jpg", "photo-4.jpg"] {
        let answer = served.post("/v1/ocr_cn?detail=1", &picture(name)).json();
        assert_eq!(answer["status"], "OK");
        let fields = answer["message"].as_object().unwrap().values().filter_map(Value::as_str);
        let own = |text: &&str| text.len() >= 6 && !["中华人民共和国", "居民身份证"].contains(text);
        texts.extend(fields.filter(own).map(str::to_owned));
        texts.push(picture(name)[100..140].to_owned());
    }
    assert!(texts.len() > 12);
    for body in ["id=330825197801104539", "id=330825197801104538", "id=330825197801104539&id=330825197801104539"] {
        served.post("/idcard", body);
    }
    served.ask("POST", "/idcard", &[("content-type", "application/json")], br#"{"id":330825197801104539}"#);
    served.ask("GET", "/v1/batches/330825197801104539?id=330825197801104539", &[], b"");
    served.ask("POST", "/330825197801104539", &[("x-id", "330825197801104539")], b"");
    let (code, log) = served.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("no keys are configured") && log.contains("serve: stopped"), "{log}");
    assert!(log.contains("request refused"), "{log}");
    for text in texts {
        assert!(!log.contains(&text), "the log shows what was sent or read");
    }
}

#[test]
fn queue_depth_is_also_accepted_under_its_former_names() {
    let place = Place::new();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--threads", "1"];
    let check = |expected: &str, arguments: &[&str], environment: &[(&str, &str)]| {
        let mut command = place.shenfen(&[&serve, arguments].concat());
        let (_, log) = Served::start(command.envs(environment.iter().copied())).stop();
        assert!(log.contains(&format!("queue depth {expected},")), "{arguments:?} {environment:?}: {log}");
    };
    check("16", &[], &[]);
    check("3", &["--queue-depth", "3"], &[]);
    check("4", &["--line", "4"], &[]);
    check("5", &[], &[("SHENFEN_QUEUE_DEPTH", "5")]);
    check("6", &[], &[("SHENFEN_LINE", "6")]);
    check("7", &["--queue-depth", "7", "--line", "8"], &[]);
}

#[test]
fn without_keys_only_loopback_is_allowed() {
    let place = Place::new();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
        place.run(&["serve", "--listen", address]).fails_in_one_line(&["without keys", "--keys FILE", "127.0.0.1"]);
    }
    place.run(&["serve", "--keys", "keys.jsonl"]).fails_in_one_line(&["--master-key-file", "SHENFEN_MASTER_KEY"]);
    place.run(&["serve", "--database", "kyc.db"]).fails_in_one_line(&["postgres://"]);
    place.write("master", "too short");
    place
        .run(&["serve", "--keys", "keys.jsonl", "--master-key-file", "master"])
        .fails_in_one_line(&["64 hexadecimal digits"]);
    place.write("master", MASTER);
    place
        .run(&["serve", "--keys", "keys.jsonl", "--master-key-file", "master"])
        .fails_in_one_line(&["cannot read the key file keys.jsonl"]);
    place.run(&["serve", "--tls-cert", "master", "--tls-key", "nothing"]).fails_in_one_line(&["cannot read master"]);
}

#[test]
fn only_keys_in_force_are_accepted() {
    let place = Place::new();
    let keys = |arguments: &[&str]| {
        let arguments = [&["keys"], arguments, &["--keys", "keys.jsonl"]].concat();
        place.shenfen(&arguments).env("SHENFEN_MASTER_KEY", MASTER).output().map(program::Ran::of).unwrap()
    };
    let made = keys(&["add", "acme", "--rate", "5"]).lines();
    let (ak, sk) = (made[0]["ak"].as_str().unwrap(), made[0]["sk"].as_str().unwrap());
    let listed = keys(&["list"]);
    assert!(!listed.out.contains(sk));
    assert_eq!((&listed.lines()[0]["client"], &listed.lines()[0]["rate"]), (&"acme".into(), &5.0.into()));
    assert!(listed.lines()[0]["revoked_at"].is_null());

    let mut serve = place.shenfen(&["serve", "--listen", "127.0.0.1:0", "--keys", "keys.jsonl"]);
    let served = Served::start(serve.env("SHENFEN_MASTER_KEY", MASTER));
    let refused = r#"{"status":"INVALID_REQUEST","message":"check request params"}"#;
    assert_eq!(served.post("/idcard", "id=330825197801104539").body, refused);
    assert_eq!(served.ask("GET", "/v1/batches/kyc", &[], b"").status, 401);
    let (code, log) = served.stop();
    assert_eq!(code, Some(0));
    assert!(log.contains("the request is not signed") && !log.contains(sk) && !log.contains(MASTER), "{log}");

    assert_eq!(keys(&["revoke", ak]).code, Some(0));
    assert!(keys(&["list"]).lines()[0]["revoked_at"].is_string());
    keys(&["revoke", ak]).fails_in_one_line(&["no key", ak]);
    keys(&["add", ""]).fails_in_one_line(&["client's name"]);
}

#[test]
#[cfg(target_os = "linux")]
fn memory_is_closed_to_dumps_and_other_processes() {
    let place = Place::new();
    let served = Served::start(&mut place.shenfen(&["serve", "--listen", "127.0.0.1:0", "--threads", "1"]));
    let process = std::path::PathBuf::from(format!("/proc/{}", served.process()));
    let limits = fs::read_to_string(process.join("limits")).unwrap();
    let cores = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(cores.split_whitespace().skip(4).collect::<Vec<_>>(), ["0", "0", "bytes"]);
    // What looks into a process that cannot be dumped belongs to root, whoever runs it.
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(process.join("environ")).unwrap());
    assert_eq!(owner, 0);
}
