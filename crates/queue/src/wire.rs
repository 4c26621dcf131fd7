//! A connection that can be closed in any state.
//!
//! lapin waits without limit for the broker's answer to a close and keeps the socket open meanwhile. To the broker such a
//! consumer is alive: once the network recovers it would be sent messages that nobody receives. So a second handle on the
//! socket is kept here, and the socket is shut down when the connection is dropped.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lapin::tcp::{AMQPUriTcpExt, AsyncTcpStream, OwnedTLSConfig};
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties};
use tokio::time::timeout;

use crate::Error;
use crate::timeout::within;

/// An open connection; dropping it shuts down its socket.
#[derive(Debug)]
pub(crate) struct Wire {
    connection: Connection,
    _socket: Socket,
}

impl Wire {
    /// Connects, logs in and opens the virtual host. Only connecting the socket has a time limit here. Dropping the future
    /// closes the socket.
    pub(crate) async fn open(
        uri: AMQPUri,
        properties: ConnectionProperties,
        tls: OwnedTLSConfig,
        limit: Duration,
    ) -> lapin::Result<Self> {
        let socket = Socket::default();
        let state = Arc::clone(&socket.0);
        let runtime = lapin::runtime::default_runtime()?;
        // lapin does not name the type of its runtime; it is inferred from the argument above.
        let connecting = Connection::connector(
            uri,
            runtime,
            async move |uri: AMQPUri, runtime| {
                let connecting = uri.connect_with_config_async(tls.as_ref(), &runtime);
                let stream =
                    timeout(limit, connecting).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
                let plain = match &stream {
                    AsyncTcpStream::Plain(plain) => plain.get_ref(),
                    AsyncTcpStream::Rustls(tls) => tls.get_ref().0.get_ref(),
                    _ => return Err(io::Error::from(io::ErrorKind::Unsupported).into()),
                };
                hold(&state, TcpStream::from(plain.as_fd().try_clone_to_owned()?));
                Ok(stream)
            },
            properties,
        );
        Ok(Self { connection: connecting.await?, _socket: socket })
    }

    pub(crate) async fn channel(&self, limit: Duration) -> Result<Channel, Error> {
        within("opening a channel", limit, self.connection.create_channel()).await
    }

    pub(crate) fn is_open(&self) -> bool {
        self.connection.status().connected()
    }

    /// Whether the broker blocks publishing on it.
    pub(crate) fn is_blocked(&self) -> bool {
        self.is_open() && self.connection.status().blocked()
    }

    /// Closes the connection and waits at most 2 seconds for the answer.
    pub(crate) async fn close(self) {
        let _ = timeout(Duration::from_secs(2), self.connection.close(200, "done".into())).await;
    }
}

/// A second handle on the socket of a connection: shuts it down when dropped, or as soon as it is connected.
#[derive(Debug, Default)]
struct Socket(Arc<Mutex<State>>);

#[derive(Debug, Default)]
enum State {
    #[default]
    Connecting,
    Open(TcpStream),
    Shut,
}

fn hold(state: &Mutex<State>, stream: TcpStream) {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    match *state {
        State::Shut => shut(&stream),
        _ => *state = State::Open(stream),
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Open(stream) = std::mem::replace(&mut *state, State::Shut) {
            shut(&stream);
        }
    }
}

fn shut(stream: &TcpStream) {
    // It fails only for a socket that the other side has shut already.
    let _ = stream.shutdown(Shutdown::Both);
}
