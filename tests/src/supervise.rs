//! Servers that end when we do, whatever ends us: each runs below a small shell that waits for the
//! end of a pipe of ours, then ends the server and removes its folder. A `kill -9` closes the pipe
//! as well.

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

/// `$1` is the folder, the rest the server's command line. The shell lets go of the output, so that
/// it closes when the server ends. SIGTERM ends Docker Distribution; Postgres would wait for its
/// clients, and SIGQUIT tells it not to. The whole process group gets both, and the folder is
/// removed until nobody is left to write into it.
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

/// A running server and its folder. Dropping it ends the one, removes the other, and waits until
/// that is done.
#[derive(Debug)]
pub struct Supervised {
    child: Child,
    log: Log,
}

/// What a process has printed so far, line by line.
#[derive(Debug, Clone)]
pub struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    count: watch::Receiver<usize>,
}

/// The user that a server runs as when we are root, which Postgres refuses to be.
#[derive(Debug, Clone, Copy)]
pub struct User {
    id: u32,
    group: u32,
}

/// As `chown` takes it.
impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.id, self.group)
    }
}

impl User {
    /// `postgres`, or else `nobody`, if we are root; `None` if we are not.
    #[must_use]
    pub fn instead_of_root() -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let we_are_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let user = |name: &str| {
            users.lines().find_map(|line| {
                let mut fields = line.split(':');
                let found = fields.next() == Some(name);
                let (id, group) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
                found.then_some(Self { id, group })
            })
        };
        we_are_root.then(|| user("postgres").or_else(|| user("nobody"))).flatten()
    }

    /// Gives a folder to the user.
    ///
    /// # Errors
    /// When we may not.
    pub fn own(self, folder: &Path) -> std::io::Result<()> {
        chown(folder, Some(self.id), Some(self.group))
    }

    /// Lets a command run as the user.
    pub fn run(self, command: &mut Command) {
        command.uid(self.id).gid(self.group);
    }
}

impl Supervised {
    /// Starts a server whose files are all in `folder`.
    ///
    /// # Errors
    /// When no process can be started.
    pub fn start(
        folder: TempDir,
        command: &[&std::ffi::OsStr],
        user: Option<User>,
    ) -> anyhow::Result<Self> {
        let mut supervisor = Command::new("/bin/sh");
        // Its own process group: Ctrl-C is for us, and the supervisor's turn comes when we are
        // gone.
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

    /// What the server has printed.
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

    /// All lines so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the first line that `find` makes something of.
    ///
    /// # Errors
    /// When the output ends without such a line; the error has the last lines.
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
