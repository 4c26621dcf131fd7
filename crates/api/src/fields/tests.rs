use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

fn get(content_type: Option<&str>, body: &[u8]) -> Result<Field, FieldError> {
    let mut headers = HeaderMap::new();
    if let Some(content_type) = content_type {
        headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
    }
    field(&headers, body, "img", Plus::Space)
}

#[track_caller]
fn check(content_type: &str, body: &[u8], expected: Result<&str, FieldError>) {
    let got = get(Some(content_type), body).map(|field| match field {
        Field::Text(text) => text,
        Field::File(_) => panic!("a file"),
    });
    assert_eq!(got, expected.map(str::to_owned));
}

const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn decodes_a_form() {
    check(FORM, b"img=a%2Bb%3D&other=1", Ok("a+b="));
    check("Application/X-WWW-Form-Urlencoded; charset=UTF-8", b"&&a&im%67=a+b", Ok("a b"));
    check(FORM, b"img=", Ok(""));
    check(FORM, b"img", Ok(""));
    check(FORM, b"img=a%2", Ok("a%2"));
    check(FORM, b"image=1", Err(FieldError::Missing));
    check(FORM, b"", Err(FieldError::Missing));
    check(FORM, b"img=1&img=1", Err(FieldError::Repeated));
    check(FORM, b"img=%ff", Err(FieldError::NotText));
    let literal = field(&HeaderMap::new(), b"im+g=1&img=a+b%2B%20", "img", Plus::Literal);
    assert!(literal == Ok(Field::Text("a+b+ ".into())));
    assert!(get(None, b"img=1") == Ok(Field::Text("1".into())));
}

#[test]
fn reads_a_json_object() {
    let json = "application/json;charset=utf-8";
    check(json, br#"{"a":[1],"img":"x"}"#, Ok("x"));
    check(json, br#"{"a":1}"#, Err(FieldError::Missing));
    check(json, br#"{"img":"x","img":"x"}"#, Err(FieldError::Repeated));
    for no_text in [&br#"{"img":1}"#[..], br#"{"img":null}"#, br#"{"img":["x"]}"#] {
        check(json, no_text, Err(FieldError::NotText));
    }
    for wrong in [&b""[..], b"[]", b"{\"img\":\"\xff\"}", br#"{"img":"x""#, br#"{"img":"x"} more"#, br#"["img","x"]"#] {
        check(json, wrong, Err(FieldError::Malformed));
    }
}

const MULTIPART: &str = "multipart/form-data; boundary=\"b 1\"";

#[test]
fn parses_multipart() {
    let body = b"preamble\r\n--b 1\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b 1\r\n\
        content-disposition: form-data; name=\"img\"\r\n\r\nx\r\n--b 2\r\n--b 1--\r\n";
    check(MULTIPART, body, Ok("x\r\n--b 2"));
    let file =
        b"--b 1\r\nContent-Type: image/png\r\nContent-Disposition: form-data; filename=\"name=a;\"; name=img\r\n\r\n\
        \xff\x00\r\n--b 1--";
    assert!(get(Some(MULTIPART), file) == Ok(Field::File(vec![0xff, 0])));
    // Without a file's name, with one in another encoding, and with one in GBK.
    for name in [&b""[..], b"; filename*=UTF-8''%E6%AD%A3.jpg", b"; filename=\"\xd5\xfd\xc3\xe6.jpg\""] {
        let head = [b"--b 1\r\nContent-Disposition: form-data; name=\"img\"", name].concat();
        assert!(
            get(Some(MULTIPART), &[&head, &b"\r\n\r\n\xff\r\n--b 1--"[..]].concat()) == Ok(Field::File(vec![0xff]))
        );
    }
    check(MULTIPART, b"--b 1--", Err(FieldError::Missing));
    let once = "--b 1\r\nContent-Disposition: form-data; name=\"img\"\r\n\r\nx\r\n";
    check(MULTIPART, format!("{once}{once}--b 1--").as_bytes(), Err(FieldError::Repeated));
}

#[test]
fn rejects_bodies_that_contradict_their_content_type() {
    let whole = b"--b 1\r\nContent-Disposition: form-data; name=\"img\"\r\n\r\nx\r\n--b 1--";
    for end in 0..whole.len() - 2 {
        check(MULTIPART, &whole[..end], Err(FieldError::Malformed));
    }
    check("multipart/form-data", whole, Err(FieldError::Malformed));
    check("multipart/form-data; boundary=", whole, Err(FieldError::Malformed));
    check(MULTIPART, b"--b 1\r\n\r\nx\r\n--b 1--", Err(FieldError::Malformed));
    check(MULTIPART, "--b 1\r\n\r\nx\r\n".repeat(100).as_bytes(), Err(FieldError::Malformed));
    for content_type in ["text/plain", "image/jpeg", "application/xml", "multipart/mixed; boundary=x", "x"] {
        check(content_type, b"img=1", Err(FieldError::ContentType));
    }
}

proptest! {
    #[test]
    fn no_body_panics(body: Vec<u8>, pieces in vec(any::<Index>(), 0..40)) {
        let tokens: [&[u8]; 14] = [
            b"--b 1", b"\r\n", b"--", b"Content-Disposition: form-data", b"; name=img", b"; name=\"img\"", b"; filename=a",
            b"{\"img\":", b"\"", b"}", b"img=", b"&", b"%", b"\xff",
        ];
        let made = pieces.iter().map(|piece| *piece.get(&tokens)).collect::<Vec<_>>().concat();
        for content_type in [FORM, "application/json", MULTIPART] {
            for body in [&body, &made] {
                let _ = get(Some(content_type), body);
            }
        }
    }

    #[test]
    fn form_values_round_trip(text: String, name in "[a-h]{0,3}") {
        let encoded = percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC);
        let body = format!("{name}=x&img={encoded}");
        for plus in [Plus::Space, Plus::Literal] {
            prop_assert!(field(&HeaderMap::new(), body.as_bytes(), "img", plus) == Ok(Field::Text(text.clone())));
        }
    }

    #[test]
    fn multipart_files_round_trip(content: Vec<u8>) {
        prop_assume!(find(&content, b"\r\n--b 1").is_none());
        let head = &b"--b 1\r\nContent-Disposition: form-data; name=\"img\"; filename=\"a\"\r\n\r\n"[..];
        let body = [head, &content, b"\r\n--b 1--\r\n"].concat();
        prop_assert!(get(Some(MULTIPART), &body) == Ok(Field::File(content)));
    }
}

fn find(content: &[u8], needle: &[u8]) -> Option<usize> {
    content.windows(needle.len()).position(|window| window == needle)
}
