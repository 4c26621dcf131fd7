//! The two documented endpoints, word for word.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use shenfen_core::Policy;
use shenfen_ocr::{Limits, Models};
use shenfen_worker::{CardPictures, ReadingQueue, ReadingQueueSettings};
use time::macros::date;

use crate::world::{FORM, Setup, World, picture_form, request};

#[test]
fn answers_a_number_as_documented() {
    let world = World::new();
    let right = r#"{"status":"ok","message":{"id":"330825197801104539","birthday":"1978-01-10T00:00:00Z","gender":"male","province":"浙江省","city":"衢州市","county":"龙游县"}}"#;
    let wrong = r#"{"status":"fail","message":"checksum not correct"}"#;
    for (content_type, body, expected) in [
        (FORM, "id=330825197801104539", right),
        (FORM, "id=330825197801104538", wrong),
        ("application/json", r#"{"id":"330825197801104539"}"#, right),
        (
            "multipart/form-data; boundary=b",
            "--b\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n330825197801104539\r\n--b--\r\n",
            right,
        ),
    ] {
        let answer = world.post("/idcard", content_type, body);
        assert_eq!((answer.status, answer.text.as_str()), (200, expected));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    assert_eq!(world.form("/idcard", "id=").json(), json!({"status": "fail", "message": "length not correct"}));
    let detailed = world.form("/idcard?detail=1", "id=330825197801104538").json();
    assert_eq!((&detailed["message"], &detailed["reason"]), (&"checksum not correct".into(), &"checksum".into()));
    for body in ["", "number=330825197801104539", "id=1&id=1", "id=%ff"] {
        world.form("/idcard", body).is("INVALID_REQUEST");
    }
    world.post("/idcard", "text/plain", "id=330825197801104539").is("INVALID_REQUEST");
    world.form("/idcard", &format!("id={}", "1".repeat(100_000))).is("INVALID_REQUEST");
}

#[test]
fn each_status_has_its_documented_message() {
    let world = World::new();
    let answer = world.picture("/v1/ocr_cn", b"card");
    assert_eq!(answer.text, r#"{"status":"OK","message":{"gender":"男","identityNo":"","name":"张三"}}"#);
    world.picture("/v1/ocr_cn", b"no card").is("FAIL");
    world.picture("/v1/ocr_cn", b"noise").is("IMAGE_INVALID_FORMAT");
    world.picture("/v1/ocr_cn", b"bomb").is("IMAGE_INVALID_SIZE");
    world.picture("/v1/ocr_cn", &vec![0; (2 << 20) + 1]).is("IMAGE_INVALID_SIZE");
    assert_eq!(world.picture("/v1/ocr_cn", &vec![0xff; 2 << 20]).json()["status"], "OK", "the limit itself is allowed");
    world.form("/v1/ocr_cn", "").is("INVALID_REQUEST");
    world.picture("/v1/ocr_cn", b"panic").is("RETRY_LATER");
    assert_eq!(world.picture("/v1/ocr_cn", b"card").json()["status"], "OK");
}

#[test]
fn accepts_a_picture_in_any_usual_encoding() {
    let world = World::new();
    // Contains both characters in which the alphabets differ.
    let picture = [&[0xfb, 0xff, 0xbf][..], b"card", &[0xff; 60]].concat();
    let standard = STANDARD.encode(&picture);
    let lines: Vec<&str> = standard.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let url = format!("data:image/jpeg;base64,{standard}");
    let escaped = |text: &str| text.replace('+', "%2B").replace('\r', "%0D").replace('\n', "%0A");
    for (content_type, body) in [
        (FORM, format!("img={}", escaped(&standard))),
        (FORM, format!("img={standard}")),
        (FORM, format!("img={}", URL_SAFE_NO_PAD.encode(&picture))),
        (FORM, format!("img={}", escaped(&lines.join("\r\n")))),
        (FORM, format!("img={}", escaped(&url))),
        ("application/json", json!({"img": standard}).to_string()),
        ("application/json; charset=utf-8", json!({"img": lines.join("\n"), "other": 1}).to_string()),
        (
            "multipart/form-data; boundary=b",
            format!("--b\r\nContent-Disposition: form-data; name=\"img\"\r\n\r\n{url}\r\n--b--\r\n"),
        ),
    ] {
        assert_eq!(world.post("/v1/ocr_cn", content_type, &body).json()["status"], "OK", "{body}");
    }
    let file =
        b"--b\r\nContent-Disposition: form-data; name=\"img\"; filename=\"a.jpg\"\r\n\r\n\xff\x00card\r\n--b--\r\n";
    assert_eq!(world.post("/v1/ocr_cn", "multipart/form-data; boundary=b", file).json()["status"], "OK");

    for (content_type, body) in [
        (FORM, "img=not*base64"),
        (FORM, "img="),
        (FORM, "img=QUJD&img=QUJD"),
        (FORM, "img=%ff%fe"),
        (FORM, "picture=QUJD"),
        (FORM, "img=data:image/png,QUJD"),
        ("application/json", r#"{"img":123}"#),
        ("application/json", r#"{"img":"QUJD","img":"QUJD"}"#),
        ("application/json", r#"{"img":"QUJD""#),
        ("application/json", r#"["QUJD"]"#),
        ("multipart/form-data", "img=QUJD"),
        ("multipart/form-data; boundary=b", "--b\r\n"),
        ("image/jpeg", "QUJD"),
        ("text/plain", "img=QUJD"),
    ] {
        world.post("/v1/ocr_cn", content_type, body).is("INVALID_REQUEST");
    }
    world.form("/v1/ocr_cn?detail=1&detail=0", "img=QUJD").is("INVALID_REQUEST");
    world.form("/v1/ocr_cn?detail=perhaps", "img=QUJD").is("INVALID_REQUEST");
}

#[test]
fn detail_returns_the_complete_result() {
    let world = World::new();
    let whole = world.picture("/v1/ocr_cn?detail=1", b"card").json();
    assert_eq!((&whole["decision"], &whole["message"]["name"]), (&"review".into(), &"张三".into()));
    for key in ["cards", "findings", "model", "elapsed_ms"] {
        assert!(!whole[key].is_null(), "{key}");
    }
    let refused = world.form("/v1/ocr_cn?detail=1", "img=*").json();
    assert_eq!((&refused["status"], &refused["decision"]), (&"INVALID_REQUEST".into(), &"reject".into()));
    assert_eq!(refused["findings"][0]["detail"], "img is not base64");
    assert_eq!(world.picture("/v1/ocr_cn?detail=0", b"card").json().as_object().unwrap().len(), 2);
}

#[test]
fn unknown_paths_and_methods_get_http_errors() {
    let world = World::new();
    let answer = world.get("/nowhere");
    assert_eq!((answer.status, answer.header("content-type")), (404, Some("application/problem+json")));
    assert_eq!(answer.json()["status"], 404);
    let answer = world.get("/v1/ocr_cn");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    assert_eq!((world.get("/livez").status, world.get("/readyz").status), (200, 200));
    assert_eq!(
        world.metric("shenfen_http_requests_total{outcome=\"Method Not Allowed\",path=\"/v1/ocr_cn\"}"),
        Some(1.0)
    );
}

#[test]
fn connection_is_reused_after_any_outcome() {
    let world = World::new();
    let mut client = world.connect();
    for body in [&picture_form(b"card"), "img=*", "", "img=%ff", &picture_form(b"noise"), &picture_form(b"card")] {
        client.send(&request("POST", "/v1/ocr_cn", &[("content-type", FORM)], body.as_bytes()));
        assert_eq!(client.answer().unwrap().status, 200);
    }
    client.send(&request("POST", "/idcard", &[("content-type", FORM)], b"id=330825197801104539"));
    assert_eq!(client.answer().unwrap().json()["status"], "ok");
}

#[test]
fn reads_a_card() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples");
    let labels = std::fs::read_to_string(samples.join("labels.jsonl")).unwrap();
    let reader =
        CardPictures::new(Models::embedded().unwrap(), Limits::default(), date!(2026 - 11 - 23), Policy::default());
    let settings = ReadingQueueSettings { threads: 1, memory: u64::MAX, depth: 1, deadline: Duration::from_secs(60) };
    let queue = ReadingQueue::start(&reader, settings).unwrap();
    let world = World::with(Setup::default(), |service| service.reading_queue = queue);
    for (name, keys) in [
        ("scan-2.jpg", &["birthDate", "birthPlace", "ethnic", "gender", "identityNo", "name"][..]),
        ("scan-1.jpg", &["authority", "cType", "effectiveDate", "nationality"]),
    ] {
        let picture = std::fs::read(samples.join(name)).unwrap();
        let answer = world.picture("/v1/ocr_cn", &picture).json();
        assert_eq!(answer["status"], "OK");
        let message = answer["message"].as_object().unwrap();
        assert_eq!(message.keys().collect::<Vec<_>>(), keys);
        let label: serde_json::Value = labels
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .find(|label: &serde_json::Value| label["path"] == name)
            .unwrap();
        for (field, text) in label["fields"].as_object().unwrap() {
            assert_eq!(&message[field], text, "{field}");
        }
    }
    let front = std::fs::read(samples.join("scan-2.jpg")).unwrap();
    let jpeg_size = |crop: &serde_json::Value| {
        let bytes = STANDARD.decode(crop.as_str().unwrap()).unwrap();
        let picture = shenfen_ocr::Cropper::decode(&bytes, &Limits::default()).unwrap();
        picture.picture().dimensions()
    };
    for (path, keys) in [("/v1/ocr_cn?crops=1", 3), ("/v1/ocr_cn?crops=1&detail=1", 10)] {
        let answer = world.picture(path, &front).json();
        assert_eq!(answer.as_object().unwrap().len(), keys, "{path}");
        let [card] = &answer["crops"].as_array().unwrap()[..] else { panic!("the picture shows one card") };
        let ((width, height), portrait) = (jpeg_size(&card["card"]), jpeg_size(&card["portrait"]));
        assert_eq!((height, portrait.1), (640, 384));
        assert!(width.abs_diff(1015) < 30 && portrait.0.abs_diff(312) < 10, "{width} {portrait:?}");
    }
    let back = world.picture("/v1/ocr_cn?crops=1", &std::fs::read(samples.join("scan-1.jpg")).unwrap()).json();
    assert!(back["crops"][0]["card"].is_string() && back["crops"][0]["portrait"].is_null());
    world.picture("/v1/ocr_cn?crops=2", &front).is("INVALID_REQUEST");
    world.picture("/v1/ocr_cn", b"\xff\xd8\xff\xe0 and no more").is("IMAGE_INVALID_FORMAT");
    world.picture("/v1/ocr_cn", &std::fs::read(samples.join("no-card.jpg")).unwrap()).is("FAIL");
}
