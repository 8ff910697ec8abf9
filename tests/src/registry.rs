//! Docker Distribution, serving from memory, for one test or one run.

use anyhow::{Context as _, anyhow};
use shared::domain::RegistryUrl;
use tokio::net::TcpStream;

use crate::supervise::Supervised;
use crate::tools;

const CONFIGURATION: &str = r"
version: 0.1
log: {level: info, accesslog: {disabled: false}}
storage: {inmemory: {}, delete: {enabled: true}}
http: {addr: '127.0.0.1:0'}
";

/// A running registry. It ends with this.
#[derive(Debug)]
pub struct Registry {
    process: Supervised,
    host: String,
}

impl Registry {
    /// Starts an empty registry.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("chart-discovery-registry-").tempdir()?;
        let configuration = folder.path().join("config.yml");
        std::fs::write(&configuration, CONFIGURATION)?;
        let program = tools::docker_registry()?;
        let command = [program.as_os_str(), "serve".as_ref(), configuration.as_os_str()];
        let process = Supervised::start(folder, &command, None)?;
        let host = process.log().wait_for(listening_on).await.context("Docker Distribution did not start")?;
        TcpStream::connect(&host).await.context("Docker Distribution does not listen")?;
        Ok(Self { process, host })
    }

    /// Host and port: what a chart's `oci://` address begins with.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The registry's address.
    ///
    /// # Errors
    /// Never: the host is one that we listen on.
    pub fn url(&self) -> anyhow::Result<RegistryUrl> {
        format!("http://{}", self.host).parse().map_err(|error| anyhow!("{error}"))
    }

    /// The requests served so far, each as `METHOD path`.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        let requests = |line: &String| {
            let (_, request) = line.split_once("] \"")?;
            Some(request.split_once(" HTTP/")?.0.to_owned())
        };
        self.process.log().lines().iter().filter_map(requests).collect()
    }
}

/// The address in the line that Docker Distribution prints when it is ready.
fn listening_on(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("listening on ")?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || ".:[]".contains(c))).unwrap_or(rest.len());
    rest.get(..end).map(str::to_owned)
}
