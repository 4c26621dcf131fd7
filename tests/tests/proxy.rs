//! The proxy cuts, holds, counts and delays.

#![expect(clippy::unwrap_used, reason = "a failure of the test's own server fails the test")]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use shenfen_tests::{Direction, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Long enough that something that is going to arrive has arrived.
const WHILE: Duration = Duration::from_millis(200);

/// A server that sends back all that it gets, and tells what that was.
async fn echo() -> (SocketAddr, mpsc::UnboundedReceiver<Vec<u8>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (got, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let got = got.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                    let _ = got.send(buffer[..read].to_vec());
                    if stream.write_all(&buffer[..read]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, told)
}

async fn exchange(stream: &mut TcpStream, sent: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(sent).await?;
    let mut back = vec![0; sent.len()];
    stream.read_exact(&mut back).await?;
    Ok(back)
}

#[tokio::test]
async fn forwards_both_directions_and_the_end() {
    let (server, _told) = echo().await;
    let proxy = Proxy::start(server).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let sent: Vec<u8> = (0..=255).cycle().take(4096).collect();
    assert_eq!(exchange(&mut stream, &sent).await.unwrap(), sent);
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn cut_resets_open_connections_only() {
    let (server, _told) = echo().await;
    let proxy = Proxy::start(server).await.unwrap();
    let mut open = TcpStream::connect(proxy.address()).await.unwrap();
    exchange(&mut open, b"before").await.unwrap();

    proxy.cut();

    let error = open.read(&mut [0; 1]).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let mut next = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(exchange(&mut next, b"after").await.unwrap(), b"after");
}

#[tokio::test]
async fn black_hole_holds_data_and_keeps_connections_open() {
    let (server, mut told) = echo().await;
    let proxy = Proxy::start(server).await.unwrap();
    let mut open = TcpStream::connect(proxy.address()).await.unwrap();
    exchange(&mut open, b"before").await.unwrap();
    assert_eq!(told.recv().await.unwrap(), b"before");

    proxy.black_hole();

    let mut next = TcpStream::connect(proxy.address()).await.unwrap();
    next.write_all(b"new").await.unwrap();
    open.write_all(b"held").await.unwrap();
    let arrived = tokio::time::timeout(WHILE, open.read(&mut [0; 1])).await;
    assert!(arrived.is_err(), "neither bytes nor an end: {arrived:?}");
    assert!(told.try_recv().is_err(), "the server gets nothing");

    proxy.forward();
    let mut back = [0; 4];
    open.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"held");
    let mut back = [0; 3];
    next.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"new");
}

#[tokio::test]
async fn black_hole_can_be_cut() {
    let (server, _told) = echo().await;
    let proxy = Proxy::start(server).await.unwrap();
    proxy.black_hole();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    // Accepted by the system at once, but by the proxy only when it gets to run: only then it can be cut.
    let cut = async {
        loop {
            proxy.cut();
            tokio::task::yield_now().await;
        }
    };
    let mut byte = [0; 1];
    tokio::select! {
        read = stream.read(&mut byte) => { read.unwrap_err(); }
        () = cut => {}
    }
}

#[tokio::test]
async fn refused_connections_close_at_once() {
    let (server, mut told) = echo().await;
    let proxy = Proxy::start(server).await.unwrap();
    let mut open = TcpStream::connect(proxy.address()).await.unwrap();
    exchange(&mut open, b"before").await.unwrap();
    assert_eq!(told.recv().await.unwrap(), b"before");

    proxy.refuse();

    open.read(&mut [0; 1]).await.unwrap_err();
    let mut next = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(exchange(&mut next, b"x").await.is_err());
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn byte_limit_is_exact() {
    let (server, mut told) = echo().await;
    let proxy = Proxy::start(server).await.unwrap();
    proxy.cut_after(Direction::ToServer, 5);
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();

    assert_eq!(exchange(&mut stream, b"123").await.unwrap(), b"123");
    assert_eq!(told.recv().await.unwrap(), b"123");
    exchange(&mut stream, b"45678").await.unwrap_err();
    assert_eq!(told.recv().await.unwrap(), b"45");

    // Once only.
    let mut next = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(exchange(&mut next, b"12345678").await.unwrap(), b"12345678");
}

#[tokio::test]
async fn request_arrives_when_the_reply_is_lost() {
    let (server, mut told) = echo().await;
    let proxy = Proxy::start(server).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    proxy.cut_after(Direction::ToClient, 0);

    exchange(&mut stream, b"COMMIT").await.unwrap_err();

    assert_eq!(told.recv().await.unwrap(), b"COMMIT");
}

#[tokio::test]
async fn delay_applies_to_both_directions() {
    let (server, _told) = echo().await;
    let proxy = Proxy::start(server).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    proxy.delay(WHILE);
    let begun = Instant::now();
    assert_eq!(exchange(&mut stream, b"slow").await.unwrap(), b"slow");
    assert!(begun.elapsed() >= 2 * WHILE, "{:?}", begun.elapsed());
}
