//! A RabbitMQ broker for a single test.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::folder::Folder;
use crate::port::free_port;
use crate::process::{Process, output_of};

const NODE: &str = "shenfen@localhost";

/// A private broker of a single node. Dropping it stops it and removes its data.
pub struct Rabbit {
    // Dropped before their folder.
    process: Option<Process>,
    /// The Erlang port mapper. A private one, since otherwise the broker starts one for the whole machine that outlives it.
    _port_mapper: Process,
    programs: PathBuf,
    port: u16,
    distribution_port: u16,
    mapper_port: u16,
    folder: Folder,
}

impl Rabbit {
    /// Creates an empty broker and starts it.
    ///
    /// # Errors
    ///
    /// When no RabbitMQ is installed, or it does not start; with the end of its output.
    pub async fn start() -> Result<Self> {
        let programs = find_programs()?;
        let folder = Folder::create()?;
        let (port, distribution_port, mapper_port) = (free_port()?, free_port()?, free_port()?);
        // Only the broker works here, so that the port mapper is not killed with it.
        fs::create_dir(folder.path().join("node"))?;
        let settings = format!("listeners.tcp.local = 127.0.0.1:{port}\nraft.wal_max_size_bytes = 67108864\n");
        fs::write(folder.path().join("rabbitmq.conf"), settings)?;
        fs::write(folder.path().join("enabled_plugins"), "[].\n")?;

        let mut epmd = Command::new("epmd");
        epmd.args(["-address", "127.0.0.1", "-port", &mapper_port.to_string()]);
        let output = folder.path().join("epmd.log");
        let mut mapper = Process::spawn("Erlang's port mapper", epmd, folder.path(), &output)?;
        mapper.until(async |_| TcpStream::connect((Ipv4Addr::LOCALHOST, mapper_port)).await.is_ok()).await?;

        let mut broker =
            Self { process: None, _port_mapper: mapper, programs, port, distribution_port, mapper_port, folder };
        broker.restart().await?;
        Ok(broker)
    }

    /// Starts the broker again with the queues that it had, after a clean shutdown if it still runs. It accepts
    /// connections when this returns.
    ///
    /// # Errors
    ///
    /// When it does not start; with the end of its output.
    pub async fn restart(&mut self) -> Result<()> {
        if self.process.is_some() {
            self.shut_down().await?;
        }
        let mut server = self.command("rabbitmq-server");
        // Makes the script `exec` the broker instead of waiting for it.
        server.env("RUNNING_UNDER_SYSTEMD", "true");
        let home = self.folder.path().join("node");
        let mut process = Process::spawn("RabbitMQ", server, &home, &self.folder.path().join("rabbitmq.log"))?;
        let address = self.address();
        process.until(async |_| greets(address).await).await?;
        self.process = Some(process);
        Ok(())
    }

    /// Shuts the broker down cleanly. [`Self::restart`] starts it again.
    ///
    /// # Errors
    ///
    /// When it is not running, or does not stop.
    pub async fn shut_down(&mut self) -> Result<()> {
        let status = self.running()?.end(Signal::TERM).await?;
        ensure!(status.success(), "RabbitMQ ended in disorder ({status})");
        Ok(())
    }

    /// Kills it (SIGKILL). [`Self::restart`] starts it again.
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub fn kill(&mut self) -> Result<()> {
        self.running()?.kill()
    }

    /// Stops it (SIGSTOP): connections stay open, and nothing answers.
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub fn freeze(&mut self) -> Result<()> {
        self.process.as_mut().context("RabbitMQ does not run")?.freeze()
    }

    /// Resumes a frozen broker (SIGCONT).
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub fn thaw(&mut self) -> Result<()> {
        self.process.as_mut().context("RabbitMQ does not run")?.thaw()
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The URL of its virtual host `/`, with an administrator.
    pub fn url(&self) -> String {
        self.url_of("/", self.address())
    }

    /// The URL of a virtual host, with another address than the broker's own: that of a proxy.
    pub fn url_of(&self, vhost: &str, at: SocketAddr) -> String {
        format!("amqp://guest:guest@{at}/{}", vhost.replace('/', "%2f"))
    }

    /// Creates a virtual host, which has its own queue names, and returns its URL.
    ///
    /// # Errors
    ///
    /// When the broker does not answer.
    pub async fn create_vhost(&self, name: &str) -> Result<String> {
        self.rabbitmqctl(&["add_vhost", name]).await?;
        self.rabbitmqctl(&["set_permissions", "-p", name, "guest", ".*", ".*", ".*"]).await?;
        Ok(self.url_of(name, self.address()))
    }

    /// Makes the broker persist at once which quorum queues it has. RabbitMQ 3.10 otherwise does so within half a second of
    /// their declaration: if it is killed before that, such a queue is restored without its messages, even confirmed ones,
    /// and never answers. Call it between declaring queues and the first kill.
    ///
    /// # Errors
    ///
    /// When the broker does not answer.
    pub async fn settle_queues(&self) -> Result<()> {
        self.rabbitmqctl(&["eval", "[ok = dets:sync(Table) || Table <- dets:all()]."]).await?;
        Ok(())
    }

    /// Runs `rabbitmqctl`, for instance `["list_queues", "name", "messages"]`: tables without a header, with columns
    /// separated by tabs.
    ///
    /// # Errors
    ///
    /// When the broker refuses, or does not answer.
    pub async fn rabbitmqctl(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.command("rabbitmqctl");
        // Outside the broker's folder, whose processes are killed together.
        command.current_dir(self.folder.path()).args(["--silent", "--node", NODE]).args(arguments);
        Ok(output_of(command).await?.trim_end().to_owned())
    }

    fn running(&mut self) -> Result<Process> {
        self.process.take().context("RabbitMQ does not run")
    }

    /// One of the broker's programs, with an empty environment and all its files in the folder.
    fn command(&self, program: &str) -> Command {
        let folder = self.folder.path();
        let mut command = Command::new(self.programs.join(program));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LC_ALL", "C.UTF-8")
            // Contains the cookie that authenticates Erlang nodes to each other.
            .env("HOME", folder)
            // Busy-waiting schedulers would take CPU time from the program under test.
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+sbwt none +sbwtdcpu none +sbwtdio none")
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("ERL_EPMD_PORT", self.mapper_port.to_string())
            .env("RABBITMQ_NODENAME", NODE)
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            // Any number of concurrent commands; the default is eleven for the whole machine.
            .env("RABBITMQ_CTL_DIST_PORT_MIN", "32768")
            .env("RABBITMQ_CTL_DIST_PORT_MAX", "60999")
            .env("RABBITMQ_MNESIA_BASE", folder.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("enabled_plugins"))
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
            // Files that do not exist, so that no configuration in /etc applies.
            .env("RABBITMQ_CONF_ENV_FILE", folder.join("none"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", folder.join("none.config"));
        command
    }
}

/// Whether a broker answers the AMQP protocol header there, which it does only once all its queues are ready.
async fn greets(address: SocketAddr) -> bool {
    let conversation = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
        stream.read_u8().await
    };
    // The first byte of the answer: a method frame.
    matches!(tokio::time::timeout(Duration::from_secs(1), conversation).await, Ok(Ok(1)))
}

/// The folder of the newest broker's own scripts: the wrappers that Debian puts on the PATH require a certain user.
fn find_programs() -> Result<PathBuf> {
    let mut debian: Vec<PathBuf> = fs::read_dir("/usr/lib/rabbitmq/lib")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("sbin")))
        .filter(|folder| is_there(folder))
        .collect();
    debian.sort();
    let on_path = || {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).find(|folder| is_there(folder))
    };
    debian.pop().or_else(on_path).context("no RabbitMQ is installed: run scripts/test, which installs one")
}

fn is_there(folder: &Path) -> bool {
    folder.join("rabbitmq-server").exists()
}
