//! One of the functions: its own binary, running behind a Runtime API.

use std::process::{ExitStatus, Stdio};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, anyhow, bail, ensure};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use crate::runtime_api::RuntimeApi;
use crate::supervise::Log;
use crate::tools;

/// Time that an invocation gets unless the test gives it another: what most functions are deployed
/// with.
pub const TIMEOUT: Duration = Duration::from_mins(1);

/// A running function. It ends with this.
#[derive(Debug)]
pub struct Function {
    name: &'static str,
    id: u32,
    api: RuntimeApi,
    process: Mutex<Child>,
    log: Log,
    output: Log,
}

impl Function {
    /// Starts a function with nothing but these settings, and its name, in its environment.
    ///
    /// # Errors
    /// When it has not been built, or no process can be started.
    pub async fn start(name: &'static str, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let api = RuntimeApi::start().await?;
        let mut command = Command::new(tools::function_binary(name)?);
        command.env_clear().env("AWS_LAMBDA_RUNTIME_API", api.address().to_string());
        command.env("AWS_LAMBDA_FUNCTION_NAME", name);
        command
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // Ctrl-C is for us: we end what we started.
        let mut process = command
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let log = Log::of(process.stderr.take().context("no standard error")?);
        let output = Log::of(process.stdout.take().context("no standard output")?);
        let id = process.id().context("no process")?;
        Ok(Self { name, id, api, process: Mutex::new(process), log, output })
    }

    /// What the function is called.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Invokes the function and gives its answer.
    ///
    /// # Errors
    /// The message of a function error; or that the function ended, with its last words.
    pub async fn invoke(&self, payload: &Value) -> anyhow::Result<Value> {
        self.invoke_within(payload, TIMEOUT).await
    }

    /// As [`Function::invoke`], with another time to answer in.
    ///
    /// # Errors
    /// As [`Function::invoke`], and when the function is not done in that time, as Lambda would end
    /// it then.
    pub async fn invoke_within(&self, payload: &Value, timeout: Duration) -> anyhow::Result<Value> {
        self.invoke_until(payload, SystemTime::now() + timeout, timeout).await
    }

    /// As [`Function::invoke`], with the deadline that `cargo lambda watch` sends: ten minutes
    /// after the epoch began.
    ///
    /// # Errors
    /// As [`Function::invoke`].
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
                Err(_) => bail!("{} let go of an invocation", self.name),
            },
            ended = process.wait() => bail!("{} ended: \
                                             {}", self.name, self.last_words(ended?).await),
            () = tokio::time::sleep(timeout) => bail!("{} did not answer within \
                {timeout:?}", self.name),
        }
    }

    /// Waits for a function that ends by itself, and gives its status and what it printed.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub async fn wait(&self) -> anyhow::Result<(ExitStatus, Vec<String>)> {
        let status = self.process.lock().await.wait().await?;
        // Gives an error when the output has ended, which is what is waited for.
        let _ = self.log.wait_for(|_| None::<()>).await;
        Ok((status, self.log.lines()))
    }

    /// The most memory that the function has used so far, in bytes.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn memory_peak(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id))?;
        let peak =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        Ok(peak.context("no VmHWM")?.trim().parse::<u64>()? * 1024)
    }

    /// Sends the function a signal: `STOP`, `CONT`, `KILL`.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub async fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let sent = Command::new("/bin/sh")
            .args(["-c", &format!("kill -{signal} {}", self.id)])
            .status()
            .await?;
        ensure!(sent.success(), "cannot send {signal} to {}", self.name);
        Ok(())
    }

    /// What the function has printed to standard output: lines of metrics.
    #[must_use]
    pub fn output(&self) -> &Log {
        &self.output
    }

    /// What the function has logged so far.
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
