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
    WebHosts::new(&hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>(), private, None).unwrap()
}

#[test]
fn fetches_from_listed_hosts_and_follows_listed_redirects() {
    let moved = answer("302 Found\r\nLocation: /b.jpg", b"");
    let address = server(vec![moved, answer("200 OK", b"picture")]);
    let hosts = list(&[&format!("http://{address}")], true);
    assert_eq!(outcome(&hosts, &format!("http://{address}/a.jpg"), 100), "picture");
}

#[test]
fn redirects_are_relative_to_where_they_come_from() {
    for (location, expected) in [
        ("ok.jpg", "/a/b/ok.jpg"),
        ("../x", "/a/x"),
        ("?x=1", "/a/b/c.jpg?x=1"),
        ("//cards.example.com/y", "https://cards.example.com/y"),
        ("/z#part", "/z"),
        ("http://other.example.com/", "http://other.example.com/"),
    ] {
        let from: Uri = "https://pictures.example.com:8443/a/b/c.jpg?token=1".parse().unwrap();
        let Ok(to) = target(&from, Some(location)) else { panic!("{location}") };
        let host = if expected.starts_with('/') { "https://pictures.example.com:8443" } else { "" };
        assert_eq!(to.to_string().trim_end_matches("#part"), format!("{host}{expected}"), "{location}");
    }
    let from: Uri = "https://pictures.example.com/a.jpg".parse().unwrap();
    for nowhere in [None, Some("http://"), Some("mailto:someone@example.com")] {
        assert!(target(&from, nowhere).is_err(), "{nowhere:?}");
    }
}

#[test]
fn refuses_redirect_to_unlisted_host() {
    for location in ["http://169.254.169.254/secret", "//169.254.169.254/secret"] {
        let address = server(vec![answer(&format!("302 Found\r\nLocation: {location}"), b"")]);
        let hosts = list(&[&format!("http://{address}")], true);
        assert!(outcome(&hosts, &format!("http://{address}/a.jpg"), 100).starts_with("url_refused"));
    }
}

/// The certificate and key of the HTTP service's tests, for `localhost`.
fn tls_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../api/tests/http/tls").join(name)
}

/// As [`server`], over TLS; answers one connection after another.
fn tls_server(body: &'static [u8]) -> u16 {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let certificate = CertificateDer::from_pem_file(tls_file("certificate.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(tls_file("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(session, stream);
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(&answer("200 OK", body));
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    port
}

#[test]
fn trusts_the_authorities_of_a_file() {
    let port = tls_server(b"picture");
    let (hosts, url) = ([format!("localhost:{port}")], format!("https://localhost:{port}/a.jpg"));
    let fetched = |authorities: Option<&Path>| outcome(&WebHosts::new(&hosts, true, authorities).unwrap(), &url, 100);
    assert!(fetched(None).starts_with("later: "), "nobody vouches for it");
    assert_eq!(fetched(Some(&tls_file("certificate.pem"))), "picture");

    let refused = |path: &Path| WebHosts::new(&hosts, true, Some(path)).err().unwrap().to_string();
    assert!(refused(&tls_file("key.pem")).ends_with("key.pem holds no certificates in PEM"));
    assert!(refused(Path::new("/nowhere.pem")).starts_with("cannot read the certificate authorities in /nowhere.pem"));
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
