//! Runs a function that serves HTTP at a local address, as on a laptop: the real binary, on a free
//! port.

use std::process::Stdio;

use anyhow::Context as _;
use tokio::process::{Child, Command};

use crate::supervise::Log;
use crate::{function, tools};

/// A running function. Dropping it ends the process.
#[derive(Debug)]
pub struct HttpFunction {
    url: String,
    log: Log,
    id: u32,
    _process: Child,
}

impl HttpFunction {
    /// Starts a function. Its environment has only these settings and an address, which it reads
    /// from this variable.
    ///
    /// # Errors
    /// Fails if the binary is missing, or if the process does not start. The error has the last log
    /// lines.
    pub async fn start(
        name: &str,
        address_variable: &str,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(tools::function_binary(name)?);
        command.env_clear().env(address_variable, "127.0.0.1:0").envs(settings.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // In its own process group, because Ctrl-C is meant for the parent, which ends the child.
        let process = command.process_group(0).kill_on_drop(true).spawn();
        let mut process = process.with_context(|| format!("cannot start {name}"))?;
        let log = Log::of(process.stderr.take().context("no standard error")?);
        let id = process.id().context("no process")?;
        let url = |line: &str| {
            let url = line.split_once("\"url\":\"")?.1.split_once('"')?.0;
            let (scheme, rest) = url.split_once("://")?;
            Some(format!("{scheme}://{}", rest.split('/').next()?))
        };
        let url = log.wait_for(url).await?;
        Ok(Self { url, log, id, _process: process })
    }

    /// Returns the address without a path and a slash, such as `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the log lines so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.log.lines()
    }

    /// Returns the peak memory of the function so far, in bytes.
    ///
    /// # Errors
    /// Fails if the system does not report it.
    pub fn memory_peak(&self) -> anyhow::Result<u64> {
        function::memory_peak(self.id)
    }
}
