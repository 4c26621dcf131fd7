//! A RabbitMQ broker of a test's own.

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

/// A private broker of a single node. Dropping it ends it and removes all it has stored.
pub struct Rabbit {
    // Ended before their folder goes.
    process: Option<Process>,
    /// Tells Erlang nodes the ports of others. One of its own, since otherwise the broker starts one for the whole
    /// machine that outlives it.
    _port_mapper: Process,
    programs: PathBuf,
    port: u16,
    distribution_port: u16,
    mapper_port: u16,
    folder: Folder,
}

impl Rabbit {
    /// Makes an empty broker and starts it.
    ///
    /// # Errors
    ///
    /// When no RabbitMQ is installed, or it does not start; with its last words.
    pub async fn start() -> Result<Self> {
        let programs = find_programs()?;
        let folder = Folder::create()?;
        let (port, distribution_port, mapper_port) = (free_port()?, free_port()?, free_port()?);
        // The broker alone works here: its port mapper is not to be killed with it.
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

    /// Starts the broker again with the queues that it had, after shutting it down in order if it still runs. It takes
    /// connections when this returns.
    ///
    /// # Errors
    ///
    /// When it does not start; with its last words.
    pub async fn restart(&mut self) -> Result<()> {
        if self.process.is_some() {
            self.shut_down().await?;
        }
        let mut server = self.command("rabbitmq-server");
        // Makes the script replace itself by the broker instead of waiting for it.
        server.env("RUNNING_UNDER_SYSTEMD", "true");
        let home = self.folder.path().join("node");
        let mut process = Process::spawn("RabbitMQ", server, &home, &self.folder.path().join("rabbitmq.log"))?;
        let address = self.address();
        process.until(async |_| greets(address).await).await?;
        self.process = Some(process);
        Ok(())
    }

    /// Ends the broker in order. [`Self::restart`] starts it again.
    ///
    /// # Errors
    ///
    /// When it does not run, or does not end.
    pub async fn shut_down(&mut self) -> Result<()> {
        let status = self.running()?.end(Signal::TERM).await?;
        ensure!(status.success(), "RabbitMQ ended in disorder ({status})");
        Ok(())
    }

    /// Kills it (SIGKILL). [`Self::restart`] starts it again.
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn kill(&mut self) -> Result<()> {
        self.running()?.kill()
    }

    /// Halts it (SIGSTOP): connections stay open, and nothing answers.
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn freeze(&mut self) -> Result<()> {
        self.process.as_mut().context("RabbitMQ does not run")?.freeze()
    }

    /// Lets a frozen broker go on (SIGCONT).
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn thaw(&mut self) -> Result<()> {
        self.process.as_mut().context("RabbitMQ does not run")?.thaw()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The address of its virtual host `/`, for a user who may do everything.
    pub fn url(&self) -> String {
        self.url_of("/", self.address())
    }

    /// The address of a virtual host, reached at another place than the broker's own: a proxy's.
    pub fn url_of(&self, vhost: &str, at: SocketAddr) -> String {
        format!("amqp://guest:guest@{at}/{}", vhost.replace('/', "%2f"))
    }

    /// Creates a virtual host, in which names of queues are one's own, and returns its address.
    ///
    /// # Errors
    ///
    /// When the broker does not answer.
    pub async fn create_vhost(&self, name: &str) -> Result<String> {
        self.rabbitmqctl(&["add_vhost", name]).await?;
        self.rabbitmqctl(&["set_permissions", "-p", name, "guest", ".*", ".*", ".*"]).await?;
        Ok(self.url_of(name, self.address()))
    }

    /// Makes the broker write down at once which quorum queues it has. RabbitMQ 3.10 otherwise does so within half a
    /// second of their declaration: when it is killed before that, such a queue comes back without its messages,
    /// confirmed ones too, and never answers again. To be called between declaring queues and the first kill.
    ///
    /// # Errors
    ///
    /// When the broker does not answer.
    pub async fn settle_queues(&self) -> Result<()> {
        self.rabbitmqctl(&["eval", "[ok = dets:sync(Table) || Table <- dets:all()]."]).await?;
        Ok(())
    }

    /// Runs `rabbitmqctl`, for instance `["list_queues", "name", "messages"]`: tables without a headline, columns
    /// separated by tabs.
    ///
    /// # Errors
    ///
    /// When the broker refuses, or does not answer.
    pub async fn rabbitmqctl(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.command("rabbitmqctl");
        // Not among the broker's processes, which are killed together.
        command.current_dir(self.folder.path()).args(["--silent", "--node", NODE]).args(arguments);
        Ok(output_of(command).await?.trim_end().to_owned())
    }

    fn running(&mut self) -> Result<Process> {
        self.process.take().context("RabbitMQ does not run")
    }

    /// One of the broker's programs, with nothing of this process's environment and all its files in the folder.
    fn command(&self, program: &str) -> Command {
        let folder = self.folder.path();
        let mut command = Command::new(self.programs.join(program));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LC_ALL", "C.UTF-8")
            // Holds the secret by which Erlang nodes know each other.
            .env("HOME", folder)
            // Schedulers that spin while they wait would take processor time from what is tested beside them.
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+sbwt none +sbwtdcpu none +sbwtdio none")
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("ERL_EPMD_PORT", self.mapper_port.to_string())
            .env("RABBITMQ_NODENAME", NODE)
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            // As many commands at a time as wanted: by default eleven on the whole machine.
            .env("RABBITMQ_CTL_DIST_PORT_MIN", "32768")
            .env("RABBITMQ_CTL_DIST_PORT_MAX", "60999")
            .env("RABBITMQ_MNESIA_BASE", folder.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("enabled_plugins"))
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
            // Files that do not exist: nothing of what is installed in /etc applies.
            .env("RABBITMQ_CONF_ENV_FILE", folder.join("none"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", folder.join("none.config"));
        command
    }
}

/// Whether a broker answers there to the greeting of AMQP: it does so only once all its queues are open.
async fn greets(address: SocketAddr) -> bool {
    let conversation = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
        stream.read_u8().await
    };
    // The first byte of its answer: a method of the protocol.
    matches!(tokio::time::timeout(Duration::from_secs(1), conversation).await, Ok(Ok(1)))
}

/// The folder of the newest broker's own scripts: those that Debian puts on the path insist on a user of their own.
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
