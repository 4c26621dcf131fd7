//! TLS with a self-signed certificate for localhost, which only these tests trust.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use shenfen_api::{TlsError, tls};

use crate::world::{FORM, LONG, Setup, World, request};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/http/tls").join(name)
}

#[test]
fn serves_tls_only() {
    let setup = Setup { tls: Some(tls(&file("certificate.pem"), &file("key.pem")).unwrap()), ..Setup::default() };
    let world = World::with(setup, |_| {});
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file("certificate.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let stream = TcpStream::connect(world.address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    stream
        .get_mut()
        .write_all(&request("POST", "/idcard", &[("content-type", FORM)], b"id=330825197801104539"))
        .unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 200 OK\r\n");

    let mut plain = world.connect();
    plain.send(b"GET /livez HTTP/1.1\r\nhost: h\r\n\r\n");
    assert!(plain.answer().is_none());
}

#[test]
fn names_unusable_tls_files() {
    let missing = tls(&file("nothing.pem"), &file("key.pem")).err().unwrap();
    assert!(matches!(&missing, TlsError::File { path, .. } if path.ends_with("nothing.pem")), "{missing}");
    assert!(matches!(tls(&file("certificate.pem"), &file("certificate.pem")), Err(TlsError::File { .. })));
    assert!(tls(&file("key.pem"), &file("key.pem")).is_err());
}
