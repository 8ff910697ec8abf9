//! Runs one of the functions: the real binary behind a Runtime API.

use std::process::{ExitStatus, Stdio};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, anyhow, bail, ensure};
use serde_json::Value;
use shared::config::Environment;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use crate::rights::Recorder;
use crate::runtime_api::RuntimeApi;
use crate::supervise::Log;
use crate::tools;

/// The default time limit of an invocation. Most functions are deployed with it.
pub const TIMEOUT: Duration = Duration::from_mins(1);

/// The file that records the AWS calls of all functions, if it is set.
const AWS_CALLS: &str = "TEST_AWS_CALLS";

/// A running function. Dropping it ends the process.
#[derive(Debug)]
pub struct Function {
    name: &'static str,
    id: u32,
    api: RuntimeApi,
    process: Mutex<Child>,
    _recorder: Option<Recorder>,
    log: Log,
    output: Log,
}

impl Function {
    /// Starts a function. Its environment has only these settings and its name.
    ///
    /// # Errors
    /// Fails if the binary is missing, or if the process does not start.
    pub async fn start(name: &'static str, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let api = RuntimeApi::start().await?;
        let recorder = match Environment::of_process().get(AWS_CALLS) {
            Some(file) => Some(Recorder::start(name, settings, file.into()).await?),
            None => None,
        };
        let mut command = Command::new(tools::function_binary(name)?);
        command.env_clear().env("AWS_LAMBDA_RUNTIME_API", api.address().to_string());
        command.env("AWS_LAMBDA_FUNCTION_NAME", name);
        command
            .envs(settings.iter().copied())
            .envs(recorder.iter().flat_map(Recorder::settings).cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // In its own process group, because Ctrl-C is meant for the parent, which ends the child.
        let mut process = command
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let log = Log::of(process.stderr.take().context("no standard error")?);
        let output = Log::of(process.stdout.take().context("no standard output")?);
        let id = process.id().context("no process")?;
        Ok(Self { name, id, api, process: Mutex::new(process), _recorder: recorder, log, output })
    }

    /// Returns the function's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Invokes the function and returns its answer.
    ///
    /// # Errors
    /// Fails with the message of a function error, or with the last log line if the process ended.
    pub async fn invoke(&self, payload: &Value) -> anyhow::Result<Value> {
        self.invoke_within(payload, TIMEOUT).await
    }

    /// Invokes the function with another time limit.
    ///
    /// # Errors
    /// Fails as [`Function::invoke`] does, and if the function exceeds the limit, as in Lambda.
    pub async fn invoke_within(&self, payload: &Value, timeout: Duration) -> anyhow::Result<Value> {
        self.invoke_until(payload, SystemTime::now() + timeout, timeout).await
    }

    /// Invokes the function with the deadline that `cargo lambda watch` sends: ten minutes after
    /// the epoch.
    ///
    /// # Errors
    /// Fails as [`Function::invoke`] does.
    pub async fn invoke_as_cargo_lambda(&self, payload: &Value) -> anyhow::Result<Value> {
        self.invoke_until(payload, SystemTime::UNIX_EPOCH + Duration::from_mins(10), TIMEOUT).await
    }

    async fn invoke_until(
        &self,
        payload: &Value,
        deadline: SystemTime,
        timeout: Duration,
    ) -> anyhow::Result<Value> {
        let answered = self.api.invoke(payload, deadline).await;
        let mut process = self.process.lock().await;
        tokio::select! {
            answer = answered => match answer {
                Ok(Ok(value)) => Ok(value),
                Ok(Err(error)) => {
                    let message = error.get("errorMessage").and_then(Value::as_str);
                    Err(anyhow!("{}", message.unwrap_or("a function error without a message")))
                }
                Err(_) => bail!("{} dropped an invocation", self.name),
            },
            ended = process.wait() => {
                bail!("{} ended: {}", self.name, self.last_words(ended?).await)
            },
            () = tokio::time::sleep(timeout) => {
                bail!("{} did not answer within {timeout:?}", self.name)
            },
        }
    }

    /// Waits for a function that exits by itself. Returns its status and its log lines.
    ///
    /// # Errors
    /// Fails if the process cannot be waited for.
    pub async fn wait(&self) -> anyhow::Result<(ExitStatus, Vec<String>)> {
        let status = self.process.lock().await.wait().await?;
        // The error is ignored, because it only says that the log has ended.
        let _ = self.log.wait_for(|_| None::<()>).await;
        Ok((status, self.log.lines()))
    }

    /// Returns the peak memory of the function so far, in bytes.
    ///
    /// # Errors
    /// Fails if the system does not report it.
    pub fn memory_peak(&self) -> anyhow::Result<u64> {
        memory_peak(self.id)
    }

    /// Sends a signal to the function: `STOP`, `CONT` or `KILL`.
    ///
    /// # Errors
    /// Fails if the signal cannot be sent.
    pub async fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let sent = Command::new("/bin/sh")
            .args(["-c", &format!("kill -{signal} {}", self.id)])
            .status()
            .await?;
        ensure!(sent.success(), "cannot send {signal} to {}", self.name);
        Ok(())
    }

    /// Returns the lines on standard output, which are metrics.
    #[must_use]
    pub fn output(&self) -> &Log {
        &self.output
    }

    /// Returns the log lines so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.log.lines()
    }

    async fn last_words(&self, status: ExitStatus) -> String {
        let _ = self.log.wait_for(|_| None::<()>).await;
        let line = self.log.lines().last().cloned();
        line.unwrap_or_else(|| status.to_string())
    }
}

/// Returns the peak memory of a process so far, in bytes.
///
/// # Errors
/// Fails if the system does not report it.
pub(crate) fn memory_peak(id: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    Ok(peak.context("no VmHWM")?.trim().parse::<u64>()? * 1024)
}
