use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn parse(json: &str) -> Result<Message, MessageError> {
    Message::parse(json.as_bytes(), None)
}

fn check_refused(json: &str, expected: &str) {
    assert_eq!(parse(json).unwrap_err().to_string(), expected, "{json}");
}

#[test]
fn needs_only_a_version_and_an_image() {
    let message = parse(r#"{"v":1,"image":{"base64":"aGVsbG8="}}"#).unwrap();
    assert_eq!(message.batch, "default");
    assert_eq!(message.reference, None);
    assert_eq!(message.side, RequestedSide::Auto);
    assert_eq!(message.image, Image::Inline(b"hello".to_vec()));
}

#[test]
fn reads_all_keys_and_ignores_unknown_ones() {
    let json = r#" {"v":1,"job_id":"018f3f2e-0000-7000-8000-00000000002a","batch":"kyc","reference":"客户-42","side":"back",
        "image":{"path":"a/b.jpg","later":[1]},"later":{"a":null}}"#;
    let message = parse(json).unwrap();
    assert_eq!(message.job_id.to_string(), "018f3f2e-0000-7000-8000-00000000002a");
    assert_eq!((message.batch.as_str(), message.reference.as_deref()), ("kyc", Some("客户-42")));
    assert_eq!((message.side, message.image), (RequestedSide::Back, Image::Path("a/b.jpg".into())));
}

#[test]
fn treats_null_and_empty_text_as_absent() {
    let json = r#"{"v":1,"job_id":null,"batch":"","reference":null,"side":null,
        "image":{"base64":null,"path":null,"url":"https://h/1"}}"#;
    let bare = r#"{"v":1,"image":{"url":"https://h/1"}}"#;
    assert_eq!(parse(json), parse(bare));
}

#[test]
fn accepts_base64_with_line_breaks_and_without_padding() {
    for encoded in ["aGVs\\r\\nbG8=\\n", "aGVsbG8", "aGVsbG8="] {
        let message = parse(&format!(r#"{{"v":1,"image":{{"base64":"{encoded}"}}}}"#)).unwrap();
        assert_eq!(message.image, Image::Inline(b"hello".to_vec()));
    }
}

#[test]
fn sealed_picture_keeps_the_id_of_the_job() {
    let job = Message::new("kyc".into(), None, RequestedSide::Front, Image::Inline(b"picture".to_vec()));
    let sealed = |end: &[u8]| job.clone().with_sealed([b"age-encryption.org/v1\n", end].concat());
    let parsed = Message::parse(&sealed(b"one").to_json(), None).unwrap();
    assert_eq!(parsed, sealed(b"one"));
    assert_eq!((parsed.job_id, sealed(b"another").job_id), (job.job_id, job.job_id));
}

#[test]
fn names_its_tenant_unless_it_is_the_default_one() {
    let job = Message::new("kyc".into(), None, RequestedSide::Auto, Image::Path("a.jpg".into()));
    assert!(!String::from_utf8(job.to_json()).unwrap().contains("tenant"));
    assert_eq!(parse(r#"{"v":1,"image":{"path":"a.jpg"},"batch":"kyc"}"#).unwrap(), job);
    let of_acme = job.clone().of_tenant("acme".parse().unwrap());
    let parsed = Message::parse(&of_acme.to_json(), None).unwrap();
    assert!(parsed == of_acme && parsed.key() != job.key(), "the same picture of another tenant is another job");
    check_refused(r#"{"v":1,"tenant":"Acme","image":{"path":"a.jpg"}}"#, "tenant must be 1 to 32 of a-z, 0-9, - and _");
}

#[test]
fn errors_name_the_key() {
    let image = "image must be an object with exactly one of base64, sealed, path, url";
    let base64 = "image.base64 must be the base64 (RFC 4648, section 4) of a picture file, without a data: prefix";
    let text = "1 to 300 bytes of text without control characters";
    check_refused("", "message is not JSON (line 1, column 0)");
    check_refused("{\"v\":1,\n", "message is not JSON (line 2, column 0)");
    check_refused("[1]", "message is not a JSON object with each key once");
    check_refused(r#"[1,null,null,null,null,{"path":"a"}]"#, "message is not a JSON object with each key once");
    check_refused(r#"{"v":1,"v":1}"#, "message is not a JSON object with each key once");
    check_refused(r#"{"image":{"path":"a"}}"#, "v must be 1");
    check_refused(r#"{"v":2,"image":{"path":"a"}}"#, "v must be 1");
    check_refused(r#"{"v":"1","image":{"path":"a"}}"#, "v must be 1");
    check_refused(r#"{"v":1}"#, image);
    check_refused(r#"{"v":1,"image":{}}"#, image);
    check_refused(r#"{"v":1,"image":["aGVsbG8="]}"#, image);
    check_refused(r#"{"v":1,"image":{"path":"a","url":"https://h/"}}"#, image);
    check_refused(r#"{"v":1,"image":{"base64":"data:image/jpeg;base64,aGVsbG8="}}"#, base64);
    check_refused(r#"{"v":1,"image":{"base64":""}}"#, base64);
    let sealed =
        "image.sealed must be the base64 (RFC 4648, section 4) of a binary age file, which holds the picture file";
    check_refused(r#"{"v":1,"image":{"sealed":"aGVsbG8="}}"#, sealed);
    check_refused(r#"{"v":1,"image":{"sealed":"?"}}"#, sealed);
    check_refused(r#"{"v":1,"image":{"base64":"aGVsbG8=","sealed":"aGVsbG8="}}"#, image);
    check_refused(
        r#"{"v":1,"image":{"path":""}}"#,
        "image.path must be 1 to 4096 bytes of text without control characters",
    );
    check_refused(
        r#"{"v":1,"image":{"url":"file:///x"}}"#,
        "image.url must be an http or https URL of at most 4096 bytes",
    );
    check_refused(r#"{"v":1,"side":"left","image":{"path":"a"}}"#, r#"side must be "auto", "front" or "back""#);
    check_refused(r#"{"v":1,"job_id":"42","image":{"path":"a"}}"#, "job_id must be a UUID");
    check_refused(r#"{"v":1,"batch":"a\u0000","image":{"path":"a"}}"#, &format!("batch must be {text}"));
    check_refused(r#"{"v":1,"reference":42,"image":{"path":"a"}}"#, &format!("reference must be {text}"));
}

#[test]
fn version_may_be_left_out_where_the_path_tells_it() {
    let parse = |json: &str| Message::parse_without_version(json.as_bytes(), None);
    let without = parse(r#"{"image":{"path":"a.jpg"}}"#).unwrap();
    assert_eq!(without, parse(r#"{"v":1,"image":{"path":"a.jpg"}}"#).unwrap());
    assert_eq!(parse(r#"{"v":2,"image":{"path":"a.jpg"}}"#), Err(MessageError::Version));
    assert_eq!(parse(r#"{"v":"1","image":{"path":"a.jpg"}}"#), Err(MessageError::Version));
}

#[test]
fn deep_nesting_is_harmless() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    assert!(parse(&format!(r#"{{"v":1,"later":{deep},"image":{{"path":"a"}}}}"#)).is_ok());
    assert!(parse(&format!(r#"{{"v":1,"image":{deep}}}"#)).is_err());
}

#[test]
fn job_id_comes_from_the_body_the_message_id_or_the_content() {
    let bare = br#"{"v":1,"image":{"path":"a"}}"#;
    let id = |body: &[u8], message_id| Message::parse(body, message_id).unwrap().job_id;
    let uuid = "018f3f2e-0000-7000-8000-00000000002a";
    assert_eq!(id(bare, Some(uuid)).to_string(), uuid);
    assert_eq!(id(bare, Some("")), id(bare, None));
    // These must never change: they tell repeats from new jobs over all versions of this program.
    assert_eq!(id(bare, Some("order-7")).to_string(), "078dad76-a5dd-56de-9e30-8ae89b50d59f");
    assert_eq!(id(bare, None).to_string(), "7db7b82f-5c88-5d1c-9a65-676214be259c");
    let given = format!(r#"{{"v":1,"job_id":"{uuid}","image":{{"path":"a"}}}}"#);
    assert_eq!(id(given.as_bytes(), Some("order-7")).to_string(), uuid);
}

#[test]
fn debug_output_contains_no_personal_data() {
    let message = parse(r#"{"v":1,"reference":"secret","image":{"path":"secret.jpg"}}"#).unwrap();
    assert!(!format!("{message:?}").contains("secret"));
}

fn messages() -> impl Strategy<Value = Message> {
    let word = "[^\\p{Cc}]{1,40}";
    let image = prop_oneof![
        proptest::collection::vec(any::<u8>(), 1..200).prop_map(Image::Inline),
        word.prop_map(Image::Path),
        "https://[a-z]{1,9}/[^\\p{Cc}]{0,40}".prop_map(Image::Url),
        proptest::collection::vec(any::<u8>(), 0..200).prop_map(|end| Image::Sealed([AGE_FILE, &end].concat())),
    ];
    let side = proptest::sample::select(RequestedSide::ALL.to_vec());
    let parts = ("[a-z0-9_-]{1,32}", any::<u128>(), word, proptest::option::of(word), side, image);
    parts.prop_map(|(tenant, id, batch, reference, side, image)| {
        let tenant = tenant.parse().unwrap();
        Message { tenant, job_id: JobId::from(Uuid::from_u128(id)), batch, reference, side, image }
    })
}

proptest! {
    #[test]
    fn any_bytes_parse_or_fail(body in proptest::collection::vec(any::<u8>(), 0..300), id in ".{0,40}") {
        let _ = Message::parse(&body, Some(&id));
    }

    #[test]
    fn mutated_message_parses_or_fails(message in messages(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut json = message.to_json();
        let at = at.index(json.len());
        json[at] = byte;
        let _ = Message::parse(&json, None);
        let _ = Message::parse(&json[..at], None);
    }

    #[test]
    fn round_trips_through_json(message in messages(), other in ".{0,40}") {
        prop_assert_eq!(Message::parse(&message.to_json(), Some(&other)).unwrap(), message);
    }

    #[test]
    fn content_id_depends_on_every_part(a in messages(), b in messages()) {
        let new = |Message { batch, reference, side, image, .. }: Message| Message::new(batch, reference, side, image);
        let moved = a.batch.clone() + a.reference.as_deref().unwrap_or("x");
        let moved = Message::new(moved, None, a.side, a.image.clone());
        let (a, b) = (new(a), new(b));
        prop_assert_eq!(a.job_id == b.job_id, a == b);
        prop_assert_ne!(moved.job_id, a.job_id);
    }
}
