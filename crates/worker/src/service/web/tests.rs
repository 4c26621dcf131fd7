use std::io::Write;
use std::net::TcpListener;
use std::thread;

use super::*;

/// Answers each connection with the next of these, then stops listening.
fn server(answers: Vec<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(&answer);
        }
    });
    address
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len()).as_bytes(), body]
        .concat()
}

fn outcome(hosts: &WebHosts, url: &str, most: usize) -> String {
    match hosts.get(url, most) {
        Ok(bytes) => String::from_utf8(bytes).unwrap(),
        Err(FetchError::Refused(error)) => format!("{}: {}", error.rule, error.detail),
        Err(FetchError::Later(failure)) => format!("later: {failure}"),
    }
}

fn list(hosts: &[&str], private: bool) -> WebHosts {
    WebHosts::new(&hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>(), private).unwrap()
}

#[test]
fn fetches_from_listed_hosts_and_follows_listed_redirects() {
    let moved = answer("302 Found\r\nLocation: /b.jpg", b"");
    let address = server(vec![moved, answer("200 OK", b"picture")]);
    let hosts = list(&[&format!("http://{address}")], true);
    assert_eq!(outcome(&hosts, &format!("http://{address}/a.jpg"), 100), "picture");
}

#[test]
fn refuses_redirect_to_unlisted_host() {
    let address = server(vec![answer("302 Found\r\nLocation: http://169.254.169.254/secret", b"")]);
    let hosts = list(&[&format!("http://{address}")], true);
    assert!(outcome(&hosts, &format!("http://{address}/a.jpg"), 100).starts_with("url_refused"));
}

#[test]
fn refuses_oversized_body_without_reading_it_all() {
    let address = server(vec![answer("200 OK", b"pictures")]);
    let hosts = list(&[&format!("http://{address}")], true);
    assert!(outcome(&hosts, &format!("http://{address}/a.jpg"), 7).starts_with("picture_bytes"));
}

#[test]
fn transient_errors_are_retried_and_permanent_ones_refused() {
    let gone = server(vec![answer("404 Not Found", b"")]);
    let busy = server(vec![answer("503 Service Unavailable", b"")]);
    let short = server(vec![b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".to_vec()]);
    let closed = { TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string() };
    for (address, expected) in [(gone, "url_failed"), (busy, "later"), (short, "later"), (closed, "later")] {
        let hosts = list(&[&format!("http://{address}")], true);
        let seen = outcome(&hosts, &format!("http://{address}/a.jpg?token=s3cret"), 100);
        assert!(seen.starts_with(expected), "{seen}");
        assert!(!seen.contains("s3cret"), "{seen}");
    }
}

#[test]
fn refuses_private_addresses_unless_allowed() {
    let hosts = list(&["http://127.0.0.1:9", "http://localhost:9"], false);
    for url in ["http://127.0.0.1:9/a.jpg", "http://localhost:9/a.jpg"] {
        assert_eq!(outcome(&hosts, url, 100), "url_refused: the URL leads to a private address");
    }
    let private = "127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255 \
                   198.18.0.1 ::1 :: fe80::1 fc00::1 ::ffff:10.0.0.1 2002:a00:1:: 64:ff9b::a00:1 ff02::1";
    for address in private.split_whitespace() {
        assert!(!is_public(address.parse().unwrap()), "{address}");
    }
    for address in ["1.1.1.1", "8.8.8.8", "100.128.0.1", "2606:4700::1111"] {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
}

#[test]
fn hosts_match_by_scheme_name_and_port() {
    let allows = |host: &str, url: &str| host.parse::<Host>().unwrap().allows(&url.parse().unwrap());
    assert!(allows("cards.example.com", "https://CARDS.example.com/a"));
    assert!(allows("cards.example.com", "https://cards.example.com:443/a"));
    assert!(allows("*.example.com", "https://a.b.example.com/a"));
    assert!(allows("http://store:9000", "http://store:9000/a"));
    for (host, url) in [
        ("cards.example.com", "http://cards.example.com/a"),
        ("cards.example.com", "https://cards.example.com:8443/a"),
        ("cards.example.com", "https://cards.example.com.evil.test/a"),
        ("cards.example.com", "https://user@cards.example.com/a"),
        ("*.example.com", "https://evilexample.com/a"),
        ("http://store:9000", "https://store:9000/a"),
    ] {
        assert!(!allows(host, url), "{host} {url}");
    }
    for text in ["", "*.", "ftp://a", "a/b", "a:port", "a b"] {
        assert!(text.parse::<Host>().is_err(), "{text}");
    }
}
