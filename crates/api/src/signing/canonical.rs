//! The canonical request, in every variant that a published client may have signed.

use axum::http::{HeaderMap, Method, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

use crate::encoding::from_hex;
use crate::fields::pairs;

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

/// The headers that an empty list means.
const IMPLIED: [&str; 3] = ["content-length", "content-md5", "content-type"];

/// Maximum number of signed headers.
const MOST_HEADERS: usize = 32;

/// The variants that a client may have signed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    /// The candidate canonical requests.
    pub(crate) requests: Vec<String>,
    /// The MD5 of the body, if it was signed; the inner `None` means that the header is not an MD5.
    pub(crate) digest: Option<Option<[u8; 16]>>,
}

impl Signed {
    /// `None` when a signed header is missing or repeated.
    pub(crate) fn of(method: &Method, uri: &Uri, headers: &HeaderMap, signed_headers: &str) -> Option<Signed> {
        let start = format!("{method}\n{}\n{}\n", path(uri), query(uri));
        let request = |mut lines: Vec<String>| {
            lines.sort_unstable();
            format!("{start}{}", lines.join("\n"))
        };
        let named = named(headers, signed_headers)?;
        let digest = named.iter().find(|(name, _)| name == "content-md5");
        let digest = digest.map(|(_, value)| std::str::from_utf8(value).ok().and_then(from_hex));
        let others = |left_out: &str| -> Vec<String> {
            named.iter().filter(|(name, _)| name != left_out).map(|(name, value)| line(name, value)).collect()
        };
        let mut requests = vec![request(others(""))];
        if signed_headers.is_empty() {
            // Go.
            let mut lines = others("content-type");
            lines.push(line("content-type", b""));
            requests.push(request(lines));
        } else if let Some((_, host)) = named.iter().find(|(name, _)| name == "host") {
            for host in other_hosts(host) {
                let mut lines = others("host");
                lines.push(line("host", &host));
                requests.push(request(lines));
            }
        }
        Some(Signed { requests, digest })
    }
}

/// The headers that were signed, by their names in lower case, with their trimmed values.
fn named<'a>(headers: &'a HeaderMap, signed_headers: &str) -> Option<Vec<(String, &'a [u8])>> {
    let value = |name: &str| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => Ok(Some(value.as_bytes().trim_ascii())),
            (None, _) => Ok(None),
            (Some(_), Some(_)) => Err(()),
        }
    };
    let mut named = Vec::new();
    if signed_headers.is_empty() {
        for name in IMPLIED {
            // A request without a body has none of these headers.
            named.extend(value(name).ok()?.map(|value| (name.to_owned(), value)));
        }
        return Some(named);
    }
    for name in signed_headers.split(';').filter(|name| !name.is_empty()) {
        let name = name.trim_ascii().to_ascii_lowercase();
        named.push((name.clone(), value(&name).ok()??));
        if named.len() > MOST_HEADERS {
            return None;
        }
    }
    named.sort_unstable();
    named.dedup_by(|(a, _), (b, _)| a == b);
    Some(named)
}

/// How else a client may have signed the host: without its port, as Python does, or with the default port, which was in the
/// URL but is not in the request.
fn other_hosts(host: &[u8]) -> Vec<Vec<u8>> {
    match host.iter().rposition(|&byte| byte == b':') {
        Some(colon) if host[colon + 1..].iter().all(u8::is_ascii_digit) => vec![host[..colon].to_vec()],
        _ => [&b":80"[..], b":443"].map(|port| [host, port].concat()).to_vec(),
    }
}

fn line(name: &str, value: &[u8]) -> String {
    format!("{name}:{}", percent_encode(value, RESERVED))
}

fn path(uri: &Uri) -> String {
    let decoded: Vec<u8> = percent_decode(uri.path().as_bytes()).collect();
    percent_encode(&decoded, RESERVED_IN_PATH).to_string()
}

fn query(uri: &Uri) -> String {
    let encoded = |text: &[u8]| percent_encode(&percent_decode(text).collect::<Vec<u8>>(), RESERVED).to_string();
    let query = uri.query().unwrap_or_default().as_bytes();
    let mut pairs: Vec<String> =
        pairs(query).map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect();
    pairs.sort_unstable();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    fn requests(uri: &str, given: &[(&'static str, &'static str)], signed: &str) -> Option<Vec<String>> {
        let signed = Signed::of(&Method::POST, &uri.parse().unwrap(), &headers(given), signed);
        signed.map(|signed| signed.requests)
    }

    #[test]
    fn accepts_a_host_signed_with_or_without_its_port() {
        let given = [("host", "127.0.0.1:8080"), ("credit-date", " 2024-01-01T00:00:00Z ")];
        let expected = ["127.0.0.1%3A8080", "127.0.0.1"]
            .map(|host| format!("POST\n/idcard\n\ncredit-date:2024-01-01T00%3A00%3A00Z\nhost:{host}"));
        assert_eq!(requests("/idcard", &given, "host;credit-date").unwrap(), expected);
        assert_eq!(requests("/idcard", &given, "Credit-Date;Host;host").unwrap(), expected);
        let hosts = |host| requests("/", &[("host", host)], "host").unwrap();
        assert_eq!(hosts("[::1]"), ["[::1]", "[::1]:80", "[::1]:443"].map(in_host_line));
        assert_eq!(hosts("[::1]:8"), ["[::1]:8", "[::1]"].map(in_host_line));
    }

    fn in_host_line(host: &str) -> String {
        format!("POST\n/\n\nhost:{}", host.replace(':', "%3A").replace('[', "%5B").replace(']', "%5D"))
    }

    #[test]
    fn empty_list_means_length_digest_and_type() {
        let given = [("content-type", "a/b; c=d"), ("content-length", "3"), ("content-md5", "00"), ("host", "h")];
        let lines = |value| format!("POST\n/\n\ncontent-length:3\ncontent-md5:00\ncontent-type:{value}");
        assert_eq!(requests("/", &given, "").unwrap(), [lines("a%2Fb%3B%20c%3Dd"), lines("")]);
        assert_eq!(requests("/", &[], "").unwrap(), ["POST\n/\n\n", "POST\n/\n\ncontent-type:"]);
    }

    #[test]
    fn encodes_path_and_sorts_query() {
        let request = requests("/v1/a%20b~%e4%b8%ad?b=2&a=%7e/&a&c=x+y", &[("x", "1")], "x").unwrap();
        assert_eq!(request, ["POST\n/v1/a%20b~%E4%B8%AD\na=&a=~%2F&b=2&c=x%2By\nx:1"]);
    }

    #[test]
    fn requires_each_signed_header_once() {
        assert_eq!(requests("/", &[("host", "h")], "host;credit-date"), None);
        assert_eq!(requests("/", &[("host", "h"), ("host", "h")], "host"), None);
        assert_eq!(requests("/", &[("content-md5", "h"), ("content-md5", "h")], ""), None);
    }

    #[test]
    fn checks_the_digest_only_if_signed() {
        let digest = |value: &'static str, signed: &str| {
            Signed::of(&Method::POST, &"/".parse().unwrap(), &headers(&[("content-md5", value), ("host", "h")]), signed)
                .unwrap()
                .digest
        };
        let md5 = "d41d8cd98f00b204e9800998ecf8427E";
        assert!(digest(md5, "").is_some_and(|digest| digest.is_some()));
        assert!(digest(md5, "host;content-md5").is_some_and(|digest| digest.is_some()));
        assert_eq!(digest(md5, "host"), None);
        assert_eq!(digest("1B2M2Y8AsgTpgAmY7PhCfg==", ""), Some(None));
    }
}
