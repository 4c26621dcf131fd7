//! Pictures from servers, so that a message cannot make this machine ask for anything else: only hosts on a list, only
//! public addresses unless told otherwise, each redirect checked like the first address, limits on size and time.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use shenfen_core::{Refusal, Rule};
use thiserror::Error;
use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use url::Url;

use super::failure::{Failure, FetchError};

/// Redirects that are followed.
const MOST_REDIRECTS: usize = 3;
/// From the first byte sent to the last one received, redirects included.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// The servers that pictures may be fetched from.
#[derive(Clone)]
pub struct WebHosts {
    hosts: Arc<[Host]>,
    agent: Agent,
}

/// Why pictures cannot be fetched as configured.
#[derive(Debug, Error)]
pub enum WebHostsError {
    /// A host that cannot be put on the list.
    #[error("{0:?} is no host: expected cards.example.com, *.example.com, or http://host:port for one without TLS")]
    Host(String),
    /// The file of certificate authorities cannot be read.
    #[error("cannot read the certificate authorities in {}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// It holds none.
    #[error("{} holds no certificates in PEM", .0.display())]
    NoAuthorities(PathBuf),
}

/// One entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Host {
    scheme: &'static str,
    /// What the host's name is, or ends with.
    name: String,
    with_subdomains: bool,
    /// `None` for the scheme's usual one.
    port: Option<u16>,
}

impl FromStr for Host {
    type Err = WebHostsError;

    fn from_str(text: &str) -> Result<Host, WebHostsError> {
        let wrong = || WebHostsError::Host(text.to_owned());
        let (scheme, rest) = match text.split_once("://") {
            None | Some(("https", _)) => ("https", text.trim_start_matches("https://")),
            Some(("http", rest)) => ("http", rest),
            Some(_) => return Err(wrong()),
        };
        let (name, port) = match rest.rsplit_once(':') {
            Some((name, port)) if !name.contains(':') => (name, Some(port.parse().map_err(|_| wrong())?)),
            _ => (rest, None),
        };
        let (name, with_subdomains) = match name.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
        if name.is_empty() || !name.bytes().all(plain) {
            return Err(wrong());
        }
        Ok(Host { scheme, name: name.to_ascii_lowercase(), with_subdomains, port })
    }
}

impl Host {
    fn allows(&self, uri: &Uri) -> bool {
        let Some(host) = uri.host().map(str::to_ascii_lowercase) else { return false };
        let usual = if self.scheme == "https" { 443 } else { 80 };
        let subdomain = || host.strip_suffix(&self.name).is_some_and(|rest| rest.ends_with('.'));
        uri.scheme_str() == Some(self.scheme)
            && uri.port_u16().unwrap_or(usual) == self.port.unwrap_or(usual)
            && (host == self.name || (self.with_subdomains && subdomain()))
            && !uri.authority().is_some_and(|authority| authority.as_str().contains('@'))
    }
}

impl WebHosts {
    /// The list, each entry a host (`cards.example.com`), a host with all below it (`*.example.com`), or, for one without
    /// TLS, `http://host:port`. Addresses of private networks are refused unless `private_addresses`. Certificates are checked against
    /// the authorities that browsers trust and those in the PEM file `authorities`.
    ///
    /// # Errors
    /// The first entry that is no host, and a file that cannot be read or holds no certificates.
    pub fn new(
        hosts: &[String],
        private_addresses: bool,
        authorities: Option<&Path>,
    ) -> Result<WebHosts, WebHostsError> {
        let hosts = hosts.iter().map(|host| host.parse()).collect::<Result<Vec<Host>, _>>()?;
        let config = Config::builder()
            .timeout_global(Some(TIME_LIMIT))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .proxy(None)
            .user_agent("shenfen")
            .tls_config(TlsConfig::builder().root_certs(root_certificates(authorities)?).build())
            .build();
        let resolver = PublicOnly { private_addresses, system: DefaultResolver::default() };
        let agent = Agent::with_parts(config, DefaultConnector::default(), resolver);
        Ok(WebHosts { hosts: hosts.into(), agent })
    }

    /// The bytes behind a URL, at most `most`.
    pub(crate) fn get(&self, url: &str, most: usize) -> Result<Vec<u8>, FetchError> {
        let mut uri: Uri = url.parse().map_err(|_| refused(Rule::UrlRefused, "the URL is not understood"))?;
        for _ in 0..=MOST_REDIRECTS {
            if !self.hosts.iter().any(|host| host.allows(&uri)) {
                return Err(refused(Rule::UrlRefused, "the URL's host is not on this worker's list (--image-host)"));
            }
            let mut answer = self.agent.get(&uri).call().map_err(|error| failed(&error))?;
            let status = answer.status();
            if status.is_redirection() {
                uri = target(&uri, answer.headers().get("location").and_then(|to| to.to_str().ok()))?;
                continue;
            }
            if status.is_server_error() || [408, 425, 429].contains(&status.as_u16()) {
                return Err(later(format!("the server answered {}", status.as_u16())));
            }
            if !status.is_success() {
                return Err(refused(Rule::UrlFailed, format!("the server answered {}", status.as_u16())));
            }
            let mut bytes = Vec::new();
            // One byte beyond the limit shows that there are too many.
            let mut body = answer.body_mut().as_reader().take(most as u64 + 1);
            body.read_to_end(&mut bytes).map_err(|_| later("the connection was lost within the picture"))?;
            if bytes.len() > most {
                let detail = format!("the picture has more bytes than the limit of {most}");
                return Err(refused(Rule::PictureBytes, detail));
            }
            return Ok(bytes);
        }
        Err(refused(Rule::UrlFailed, "too many redirects"))
    }
}

/// The certificate authorities that browsers trust, and those in a PEM file.
fn root_certificates(path: Option<&Path>) -> Result<RootCerts, WebHostsError> {
    let Some(path) = path else { return Ok(RootCerts::WebPki) };
    let cannot_read = |source| WebHostsError::Authorities { path: path.to_owned(), source };
    let pem = std::fs::read(path).map_err(cannot_read)?;
    let private: Vec<Certificate<'static>> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if private.is_empty() {
        return Err(WebHostsError::NoAuthorities(path.to_owned()));
    }
    let public = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().map(|der| Certificate::from_der(der));
    Ok(RootCerts::from(public.chain(private)))
}

/// Where a redirect leads, absolute or relative.
fn target(from: &Uri, to: Option<&str>) -> Result<Uri, FetchError> {
    let joined = || {
        let to = Url::parse(&from.to_string()).ok()?.join(to?).ok()?;
        matches!(to.scheme(), "http" | "https").then(|| to.as_str().parse().ok()).flatten()
    };
    joined().ok_or_else(|| refused(Rule::UrlFailed, "the server redirects to nowhere"))
}

fn refused(rule: Rule, detail: impl Into<String>) -> FetchError {
    FetchError::Refused(Refusal::new(rule, detail))
}

fn later(reason: impl Into<String>) -> FetchError {
    FetchError::Later(Failure::Unavailable(reason.into()))
}

/// Errors of the library may name the URL, which may hold a secret; so they are put in other words.
fn failed(error: &ureq::Error) -> FetchError {
    match error {
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            refused(Rule::UrlRefused, "the URL leads to a private address")
        }
        ureq::Error::BadUri(_) => refused(Rule::UrlRefused, "the URL is not understood"),
        ureq::Error::Timeout(_) => later("the server did not answer in time"),
        ureq::Error::HostNotFound => later("the server's name was not found"),
        ureq::Error::ConnectionFailed | ureq::Error::Io(_) => later("the server could not be reached"),
        ureq::Error::Rustls(_) => later("no secure connection to the server"),
        _ => later("the server's answer was not understood"),
    }
}

/// Names to addresses, none of which is private. The connection goes to the addresses checked here and no others, so a
/// name that changes in between gains nothing.
#[derive(Debug)]
struct PublicOnly {
    private_addresses: bool,
    system: DefaultResolver,
}

impl Resolver for PublicOnly {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.system.resolve(uri, config, timeout)?;
        if self.private_addresses || found.iter().all(|address| is_public(address.ip())) {
            Ok(found)
        } else {
            Err(ureq::Error::Io(std::io::ErrorKind::PermissionDenied.into()))
        }
    }
}

/// Not of this machine, a private network, a link, a cloud's metadata service, documentation or multicast (IANA's
/// special-purpose registries).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let special = a == 0 || a >= 240 || (a == 192 && b == 0 && c == 0) || (a == 198 && (18..20).contains(&b));
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || shared
        || special)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // Global unicast is 2000::/3. Within it: documentation, Teredo and 6to4, which wrap addresses of version 4.
    let wraps = first == 0x2002 || (first == 0x2001 && second == 0);
    let documentation = (first == 0x2001 && second == 0x0db8) || first == 0x3fff;
    (first & 0xe000) == 0x2000 && !wraps && !documentation
}

#[cfg(test)]
mod tests;
