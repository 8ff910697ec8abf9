//! Runs servers that end with this process, however it ends. A small shell supervises each server.
//! It waits until this process closes a pipe, then ends the server and removes its folder. A
//! `kill -9` closes the pipe as well.

use std::fmt;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::ChildStdout;
use tokio::sync::watch;

/// The supervising shell. `$1` is the folder, and the rest is the server's command line.
///
/// The shell closes its own output, so that the output ends when the server ends. SIGTERM ends
/// Docker Distribution. Postgres needs SIGQUIT as well, because after SIGTERM it waits for its
/// clients. The whole process group receives both. The removal is repeated, because a process may
/// still write into the folder.
const SUPERVISOR: &str = r#"
folder=$1; shift
"$@" </dev/null 2>&1 & server=$!
exec >/dev/null 2>&1
cat
trap '' TERM QUIT
kill -TERM 0; kill -QUIT 0
wait $server
while [ -e "$folder" ]; do rm -rf "$folder"; done
"#;

/// A running server and its folder. Dropping it ends the server, removes the folder, and waits for
/// both.
#[derive(Debug)]
pub struct Supervised {
    child: Child,
    log: Log,
}

/// The lines that a process has printed so far.
#[derive(Debug, Clone)]
pub struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    count: watch::Receiver<usize>,
}

/// The user that a server runs as if this process runs as root, because Postgres refuses to run as
/// root.
#[derive(Debug, Clone, Copy)]
pub struct User {
    id: u32,
    group: u32,
}

/// Formats the user as `chown` expects it.
impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.id, self.group)
    }
}

impl User {
    /// Returns `postgres`, or else `nobody`, if this process runs as root. Returns `None`
    /// otherwise.
    #[must_use]
    pub fn instead_of_root() -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let user = |name: &str| {
            users.lines().find_map(|line| {
                let mut fields = line.split(':');
                let found = fields.next() == Some(name);
                let (id, group) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
                found.then_some(Self { id, group })
            })
        };
        is_root.then(|| user("postgres").or_else(|| user("nobody"))).flatten()
    }

    /// Makes the user the owner of a folder.
    ///
    /// # Errors
    /// Fails if this process lacks the right.
    pub fn own(self, folder: &Path) -> std::io::Result<()> {
        chown(folder, Some(self.id), Some(self.group))
    }

    /// Makes a command run as the user.
    pub fn run(self, command: &mut Command) {
        command.uid(self.id).gid(self.group);
    }
}

impl Supervised {
    /// Starts a server whose files are all in `folder`.
    ///
    /// # Errors
    /// Fails if the process does not start.
    pub fn start(
        folder: TempDir,
        command: &[&std::ffi::OsStr],
        user: Option<User>,
    ) -> anyhow::Result<Self> {
        let mut supervisor = Command::new("/bin/sh");
        // In its own process group, because Ctrl-C is meant for this process. The supervisor acts
        // after this process has ended.
        supervisor
            .args(["-c", SUPERVISOR, "supervisor"])
            .arg(folder.path())
            .args(command)
            .process_group(0);
        supervisor
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .current_dir("/");
        if let Some(user) = user {
            user.run(&mut supervisor);
        }
        let mut child = supervisor.spawn().context("cannot start a supervisor")?;
        let _: PathBuf = folder.keep();
        let output = child.stdout.take().context("the supervisor has no output")?;
        Ok(Self { child, log: Log::of(ChildStdout::from_std(output)?) })
    }

    /// Returns the lines that the server has printed.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        if let Err(error) = self.child.wait() {
            eprintln!("cannot wait for a supervisor: {error}");
        }
    }
}

impl Log {
    /// Collects what `output` prints until it closes.
    pub(crate) fn of(output: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (counted, count) = watch::channel(0);
        let collected = Arc::clone(&lines);
        tokio::spawn(async move {
            let mut output = BufReader::new(output).lines();
            while let Ok(Some(line)) = output.next_line().await {
                let mut collected = collected.lock().unwrap_or_else(PoisonError::into_inner);
                collected.push(line);
                counted.send_replace(collected.len());
            }
        });
        Self { lines, count }
    }

    /// Returns all lines so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the first line for which `find` returns a value.
    ///
    /// # Errors
    /// Fails if the output ends without such a line. The error has the last lines.
    pub async fn wait_for<T>(&self, find: impl Fn(&str) -> Option<T>) -> anyhow::Result<T> {
        let mut count = self.count.clone();
        loop {
            let ended = count.has_changed().is_err();
            if let Some(found) = self.lines().iter().find_map(|line| find(line)) {
                return Ok(found);
            }
            if ended || count.changed().await.is_err() {
                let lines = self.lines();
                if let Some(found) = lines.iter().find_map(|line| find(line)) {
                    return Ok(found);
                }
                let last = lines.iter().rev().take(5).rev().cloned().collect::<Vec<_>>().join("; ");
                anyhow::bail!("a process ended before it was ready: {last}");
            }
        }
    }
}
