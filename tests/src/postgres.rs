//! A PostgreSQL server for a single test.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use crate::folder::Folder;
use crate::port::free_port;
use crate::process::{Process, output_of};

const USER: &str = "shenfen";

/// Small, with everything in its folder, so that shared memory of a killed server is removed with it.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
dynamic_shared_memory_type = mmap
shared_buffers = 32MB
max_connections = 200
log_line_prefix = '%m [%p] '
";

/// A private PostgreSQL server. Dropping it stops it and removes its data.
pub struct Postgres {
    // Dropped before its folder.
    process: Option<Process>,
    programs: PathBuf,
    owner: Option<Owner>,
    port: u16,
    folder: Folder,
}

/// The user that the server runs as when root starts it, since it refuses to run as root.
#[derive(Clone, Copy)]
struct Owner {
    uid: u32,
    gid: u32,
}

impl Postgres {
    /// Creates an empty server and starts it.
    ///
    /// # Errors
    ///
    /// When no PostgreSQL is installed, or it does not start; with the end of its output.
    pub async fn start() -> Result<Self> {
        let programs = find_programs()?;
        let folder = Folder::create()?;
        let owner = if rustix::process::getuid().is_root() { Some(find_owner()?) } else { None };
        let mut server = Self { process: None, programs, owner, port: free_port()?, folder };
        server.initialise().await?;
        server.restart().await?;
        Ok(server)
    }

    async fn initialise(&self) -> Result<()> {
        let data = self.data();
        fs::create_dir(&data)?;
        if let Some(owner) = self.owner {
            chown(&data, Some(owner.uid), Some(owner.gid))?;
        }
        let mut initdb = self.command("initdb");
        initdb
            .args(["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--username", USER, "-D"])
            .arg(&data)
            .current_dir(&data);
        output_of(initdb).await?;
        let file = data.join("postgresql.conf");
        let given = fs::read_to_string(&file)?;
        fs::write(&file, format!("{given}{SETTINGS}port = {}\n", self.port))?;
        Ok(())
    }

    /// Starts the server again with the data that it had, after a clean shutdown if it still runs. It accepts
    /// connections when this returns.
    ///
    /// # Errors
    ///
    /// When it does not start; with the end of its output.
    pub async fn restart(&mut self) -> Result<()> {
        if self.process.is_some() {
            self.shut_down().await?;
        }
        let mut postgres = self.command("postgres");
        postgres.arg("-D").arg(self.data());
        let output = self.folder.path().join("postgres.log");
        let mut process = Process::spawn("PostgreSQL", postgres, &self.data(), &output)?;
        let notice = self.data().join("postmaster.pid");
        process.until(async |process| says_ready(&notice, process.id())).await?;
        self.process = Some(process);
        Ok(())
    }

    /// Shuts the server down cleanly and closes the connections of its clients. [`Self::restart`] starts it again.
    ///
    /// # Errors
    ///
    /// When it is not running, or does not stop.
    pub async fn shut_down(&mut self) -> Result<()> {
        let status = self.running()?.end(Signal::INT).await?;
        ensure!(status.success(), "PostgreSQL ended in disorder ({status})");
        Ok(())
    }

    /// Kills all its processes (SIGKILL). [`Self::restart`] starts it again.
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub fn kill(&mut self) -> Result<()> {
        self.running()?.kill()
    }

    /// Stops all its processes (SIGSTOP): connections stay open, and nothing answers.
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub fn freeze(&mut self) -> Result<()> {
        self.process.as_mut().context("PostgreSQL does not run")?.freeze()
    }

    /// Resumes a frozen server (SIGCONT).
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub fn thaw(&mut self) -> Result<()> {
        self.process.as_mut().context("PostgreSQL does not run")?.thaw()
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The URL of its database `postgres`, with a superuser.
    pub fn url(&self) -> String {
        self.url_of("postgres", self.address())
    }

    /// The URL of a database, with another address than the server's own: that of a proxy.
    pub fn url_of(&self, database: &str, at: SocketAddr) -> String {
        format!("postgres://{USER}@{at}/{database}")
    }

    /// Creates a database and returns its URL.
    ///
    /// # Errors
    ///
    /// When it already exists, or the server does not answer.
    pub async fn create_database(&self, name: &str) -> Result<String> {
        self.query("postgres", &format!("CREATE DATABASE \"{name}\"")).await?;
        Ok(self.url_of(name, self.address()))
    }

    /// Runs SQL statements with `psql` and returns their rows, one per line, with columns separated by `|`.
    ///
    /// # Errors
    ///
    /// When the server refuses a statement, or does not answer.
    pub async fn query(&self, database: &str, sql: &str) -> Result<String> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.env("PGCONNECT_TIMEOUT", "10")
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--command", sql])
            .arg(self.url_of(database, self.address()));
        Ok(output_of(psql).await?.trim_end().to_owned())
    }

    fn running(&mut self) -> Result<Process> {
        self.process.take().context("PostgreSQL does not run")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// One of the server's programs, run as the owner of the data and with an empty environment.
    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = match self.owner {
            None => Command::new(&program),
            Some(Owner { uid, gid }) => {
                // `exec`, so that the server is a child of this process.
                let mut command = Command::new("setpriv");
                command.args([format!("--reuid={uid}"), format!("--regid={gid}")]).args(["--clear-groups", "--"]);
                command.arg(&program);
                command
            }
        };
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LC_ALL", "C.UTF-8");
        command
    }
}

/// Whether the server has written that it accepts connections; the file may be left from an earlier one.
fn says_ready(notice: &Path, pid: u32) -> bool {
    let notice = fs::read_to_string(notice).unwrap_or_default();
    let lines: Vec<&str> = notice.lines().collect();
    lines.first() == Some(&pid.to_string().as_str()) && lines.get(7).is_some_and(|state| state.trim() == "ready")
}

/// The folder of the newest server's programs: Debian's, which is not on the PATH, or else one on the PATH.
fn find_programs() -> Result<PathBuf> {
    let mut debian: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .filter(|(_, folder)| folder.join("postgres").exists())
        .collect();
    debian.sort();
    let on_path = || {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).find(|folder| folder.join("postgres").exists())
    };
    let newest = debian.pop().map(|(_, folder)| folder);
    newest.or_else(on_path).context("no PostgreSQL server is installed: run scripts/test, which installs one")
}

/// The user `postgres` that packages create, or else `nobody`.
fn find_owner() -> Result<Owner> {
    let users = fs::read_to_string("/etc/passwd").context("read the list of users")?;
    let find = |name: &str| {
        let mut fields = users.lines().map(|line| line.split(':')).find(|line| line.clone().next() == Some(name))?;
        Some(Owner { uid: fields.nth(2)?.parse().ok()?, gid: fields.next()?.parse().ok()? })
    };
    find("postgres").or_else(|| find("nobody")).context("no user to run PostgreSQL as: it refuses to run as root")
}
