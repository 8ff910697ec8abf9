//! Runs DynamoDB Local, AWS's own emulator, which is stricter than the one in this process.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::time::Duration;

use anyhow::bail;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::supervise::Supervised;
use crate::tools;

/// A Java machine takes some seconds to start, and longer on a busy machine.
const START: Duration = Duration::from_mins(2);

/// A running DynamoDB Local. It ends when this value is dropped.
#[derive(Debug)]
pub struct DynamoDbLocal {
    endpoint: String,
    _process: Supervised,
}

impl DynamoDbLocal {
    /// Starts one that keeps its tables in memory.
    ///
    /// # Errors
    /// Fails if it is not installed or does not start.
    pub async fn start() -> anyhow::Result<Self> {
        let libraries = tools::dynamodb_local()?;
        let java = tools::java()?;
        let folder = tempfile::Builder::new().prefix("chart-discovery-dynamodb-").tempdir()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let port = address.port().to_string();
        let libraries = libraries.display();
        let (path, jars) = (format!("-Djava.library.path={libraries}"), format!("{libraries}/*"));
        let main = "com.amazonaws.services.dynamodbv2.local.main.ServerRunner";
        let arguments = ["-Xmx1g", &path, "-cp", &jars, main, "-inMemory", "-port", &port];
        let command: Vec<&OsStr> =
            [java.as_os_str()].into_iter().chain(arguments.map(OsStr::new)).collect();
        let process = Supervised::start(folder, &command, None)?;
        // It says nothing when it is ready.
        let last = Instant::now() + START;
        while let Err(error) = TcpStream::connect(address).await {
            if Instant::now() > last {
                bail!("DynamoDB Local does not listen after {START:?}: {error}");
            }
            sleep(Duration::from_millis(50)).await;
        }
        let endpoint = format!("http://{address}");
        Ok(Self { endpoint, _process: process })
    }

    /// Returns its address.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}
