//! The broker argument, and advice on its errors.

use std::io::{self, Write};
use std::pin::pin;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use shenfen_queue::{Broker, Error, Publisher, Topology};
use tokio::time::sleep;

/// What takes longer than this is said.
const SAID_AFTER: Duration = Duration::from_secs(1);

/// Where jobs are queued.
#[derive(Args)]
pub(crate) struct BrokerArgs {
    /// RabbitMQ broker: amqp://USER:PASSWORD@HOST:PORT/VHOST, amqps:// for TLS
    // Parsed later: an error of the argument parser would repeat the value, password included.
    #[arg(long, global = true, env = "SHENFEN_BROKER", hide_env_values = true, value_name = "URL")]
    broker: Option<String>,

    /// Prefix of the names of exchange and queues
    #[arg(long, global = true, env = "SHENFEN_QUEUE_PREFIX", default_value = "shenfen", value_name = "NAME")]
    queue_prefix: String,
}

impl BrokerArgs {
    /// The broker; `None` when none was named.
    ///
    /// # Errors
    /// When its address or the prefix cannot be used. The text does not repeat the address.
    pub(crate) fn choice(&self) -> Result<Option<Broker>, Error> {
        let Some(url) = self.broker.as_deref().filter(|url| !url.is_empty()) else { return Ok(None) };
        let topology = Topology::new(self.queue_prefix.as_str())?;
        Ok(Some(Broker { topology, ..Broker::new(url.parse()?) }))
    }

    /// The broker of a command that needs one.
    ///
    /// # Errors
    /// When none was named, or its address or the prefix cannot be used.
    pub(crate) fn required(&self) -> anyhow::Result<Broker> {
        match self.choice()? {
            Some(broker) => Ok(broker),
            None => {
                bail!("this command needs a broker: --broker amqp://USER:PASSWORD@HOST:PORT/VHOST or SHENFEN_BROKER")
            }
        }
    }
}

/// Connects a publisher and declares the queues, to find errors early. Says what it waits for when that takes long.
///
/// # Errors
/// When the broker cannot be reached or refuses.
pub(crate) async fn reach(publisher: &Publisher, broker: &Broker) -> Result<(), Error> {
    let mut check = pin!(publisher.check());
    tokio::select! {
        checked = &mut check => return checked,
        () = sleep(SAID_AFTER) => {}
    }
    // Nothing can be done if standard error is closed.
    let _ = writeln!(io::stderr(), "waiting for the broker {}", broker.url);
    check.await
}

/// What the user can do about an error of the broker, where its text does not say.
pub(crate) fn advice(error: &anyhow::Error) -> Option<&'static str> {
    let error = error.chain().find_map(<dyn std::error::Error>::downcast_ref::<Error>)?;
    match error {
        Error::Unreachable { .. } => Some("check that it runs, and check host and port in --broker"),
        Error::Refused { .. } => Some("check user, password and virtual host in --broker"),
        Error::Silent { .. } | Error::Cancelled { .. } | Error::Broker { .. } | Error::Blocked => {
            Some("check the broker and run the same command again")
        }
        Error::Rejected { .. } => Some("run the same command again when there is room"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(broker: Option<&str>) -> BrokerArgs {
        BrokerArgs { broker: broker.map(str::to_owned), queue_prefix: "kyc".to_owned() }
    }

    #[test]
    fn broker_uses_the_queue_prefix() {
        let broker = args(Some("amqp://u:p@h/")).required().unwrap();
        assert_eq!(broker.topology.jobs_queue(), "kyc.jobs");
        assert!(args(None).choice().unwrap().is_none());
        assert!(args(None).required().unwrap_err().to_string().contains("--broker amqp://"));
    }

    #[test]
    fn mistyped_url_hides_its_password() {
        for url in ["http://u:s3cret@h", "amqp:u:s3cret@h", "amqp://u:s3cret@h:port/"] {
            let error = format!("{:#}", args(Some(url)).required().unwrap_err());
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
