//! The address of the broker, the names of its queues, and time limits.

use std::{fmt, fs, str::FromStr, time::Duration};

use lapin::ConnectionProperties;
use lapin::tcp::OwnedTLSConfig;
use lapin::uri::{AMQPScheme, AMQPUri};
use tokio::time::timeout;

use crate::wire::Wire;
use crate::{Error, Topology};

/// AMQP's limit in bytes, on which lapin panics.
const MAX_VHOST: usize = 255;

/// The configuration that every part of this crate is made from.
#[derive(Clone, Debug)]
pub struct Broker {
    /// The broker's address and credentials.
    pub url: BrokerUrl,
    /// Names of exchange and queues.
    pub topology: Topology,
    /// Time and size limits.
    pub limits: Limits,
}

impl Broker {
    /// The broker at `url` with the usual names and limits.
    pub fn new(url: BrokerUrl) -> Self {
        Self { url, topology: Topology::default(), limits: Limits::default() }
    }

    /// Opens a connection that the broker's tools show as `shenfen PURPOSE`.
    pub(crate) async fn connect(&self, purpose: &str) -> Result<Wire, Error> {
        let mut uri = self.url.uri.clone();
        uri.query.heartbeat.get_or_insert(self.limits.heartbeat);
        let properties =
            ConnectionProperties::default().with_connection_name(format!("shenfen {purpose}").as_str().into());
        let tls = OwnedTLSConfig { identity: None, cert_chain: self.url.authorities.clone() };
        let opening = Wire::open(uri, properties, tls, self.limits.connect);
        match timeout(self.limits.connect, opening).await {
            Ok(wire) => wire.map_err(|source| Error::connecting(self.url.to_string(), source)),
            Err(_) => {
                Err(Error::Silent { operation: format!("connecting to {}", self.url), limit: self.limits.connect })
            }
        }
    }
}

/// Limits on waiting times and sizes.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Time to open a connection, including TLS and login.
    pub connect: Duration,
    /// Time for one answer to a declaration, an acknowledgement or a probe.
    pub call: Duration,
    /// Time from the first publish of a batch to its last confirm.
    pub confirm: Duration,
    /// Seconds between heartbeats, unless the URL says otherwise; two missed ones end the connection.
    pub heartbeat: u16,
    /// Interval at which an idle consumer checks that its queue still exists.
    pub probe: Duration,
    /// Shortest wait before reconnecting; doubles from there.
    pub backoff_first: Duration,
    /// Longest wait before reconnecting.
    pub backoff_most: Duration,
    /// Maximum size of a message body in bytes. RabbitMQ 4 accepts 16 MiB by default and closes the channel for more.
    pub max_body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            call: Duration::from_secs(10),
            confirm: Duration::from_secs(30),
            heartbeat: 20,
            probe: Duration::from_secs(30),
            backoff_first: Duration::from_millis(500),
            backoff_most: Duration::from_secs(30),
            max_body: 16 << 20,
        }
    }
}

/// `amqp://user:password@host:port/vhost`, or `amqps://` for TLS. Never shows its password.
///
/// A missing or empty path means the virtual host `/`. The query may set `heartbeat` (seconds), `frame_max`,
/// `channel_max`, `auth_mechanism` as RabbitMQ documents them, and `cacertfile` (a PEM file with the authorities to trust
/// besides the public ones).
#[derive(Clone, PartialEq, Eq)]
pub struct BrokerUrl {
    uri: AMQPUri,
    authorities: Option<String>,
}

impl FromStr for BrokerUrl {
    type Err = Error;

    /// # Errors
    /// [`Error::Url`] if the URL is invalid or its `cacertfile` cannot be read. The text never repeats the URL.
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |rule: &str| Error::Url { rule: rule.to_owned() };
        let form = "must be amqp://user:password@host:port/vhost or amqps://...";
        if !text.starts_with("amqp://") && !text.starts_with("amqps://") {
            return Err(wrong(form));
        }
        // The parser's error may repeat the URL, password included.
        let mut uri: AMQPUri = text.parse().map_err(|_| wrong(form))?;
        if uri.vhost.is_empty() {
            uri.vhost = "/".to_owned();
        }
        if let Some(address) = ip6_host(text) {
            uri.authority.host = address.ok_or_else(|| wrong("has an address in brackets that is not IPv6"))?;
        }
        if uri.vhost.len() > MAX_VHOST {
            return Err(wrong("has a virtual host of more than 255 bytes"));
        }
        if uri.authority.host.is_empty() {
            return Err(wrong(form));
        }
        let authorities = match query_value(text, "cacertfile") {
            Some(path) => Some(
                fs::read_to_string(&path)
                    .map_err(|error| Error::Url { rule: format!("cannot read its cacertfile {path}: {error}") })?,
            ),
            None => None,
        };
        Ok(Self { uri, authorities })
    }
}

/// The host of a URL that has one in brackets. lapin's parser takes these for localhost, and the password would be sent to the
/// wrong host.
fn ip6_host(url: &str) -> Option<Option<String>> {
    let authority = url.split_once("://")?.1.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let address = host.strip_prefix('[')?.split_once(']')?.0;
    Some(address.parse::<std::net::Ipv6Addr>().ok().map(|address| address.to_string()))
}

fn query_value(url: &str, key: &str) -> Option<String> {
    let query = url.split_once('?')?.1.split('#').next()?;
    query.split('&').filter_map(|pair| pair.split_once('=')).find(|(name, _)| *name == key).map(|(_, v)| v.to_owned())
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AMQPUri { scheme, authority, vhost, .. } = &self.uri;
        let scheme = if *scheme == AMQPScheme::AMQPS { "amqps" } else { "amqp" };
        let user = &authority.userinfo.username;
        let host = if authority.host.contains(':') { format!("[{}]", authority.host) } else { authority.host.clone() };
        let vhost = if vhost == "/" { "" } else { vhost };
        write!(f, "{scheme}://{user}:***@{host}:{}/{vhost}", authority.port)
    }
}

impl fmt::Debug for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, shown: &str, vhost: &str) {
        let parsed: BrokerUrl = url.parse().unwrap();
        assert_eq!(parsed.to_string(), shown);
        assert_eq!(format!("{parsed:?}"), shown);
        assert_eq!(parsed.uri.vhost, vhost);
    }

    #[test]
    fn empty_path_means_the_default_virtual_host() {
        for url in ["amqp://u:p@h", "amqp://u:p@h/", "amqp://u:p@h/%2f"] {
            check(url, "amqp://u:***@h:5672/", "/");
        }
        check("amqps://u:p@h/v", "amqps://u:***@h:5671/v", "v");
    }

    #[test]
    fn parses_an_ipv6_host() {
        check("amqp://u:p@[fd00::5]:5673/", "amqp://u:***@[fd00::5]:5673/", "/");
        assert!("amqp://u:p@[zz]/".parse::<BrokerUrl>().is_err());
    }

    #[test]
    fn rejects_a_virtual_host_too_long_for_amqp() {
        assert!(format!("amqp://h/{}", "v".repeat(255)).parse::<BrokerUrl>().is_ok());
        assert!(format!("amqp://h/{}", "v".repeat(256)).parse::<BrokerUrl>().is_err());
    }

    #[test]
    fn url_errors_do_not_contain_the_password() {
        for url in ["http://u:secret@h", "amqp:secret", "amqp://u:secret@h:port/", "amqp://u:secret@h?heartbeat=secret"]
        {
            let text = url.parse::<BrokerUrl>().unwrap_err().to_string();
            assert!(!text.contains("secret"), "{text}");
        }
        let missing = "amqps://u:secret@h/?cacertfile=/nowhere/ca.pem".parse::<BrokerUrl>().unwrap_err().to_string();
        assert!(missing.contains("/nowhere/ca.pem") && !missing.contains("secret"), "{missing}");
    }
}
