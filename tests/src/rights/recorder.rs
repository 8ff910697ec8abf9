//! Stands between a function and a stand-in of AWS, and records the calls. It passes every byte on
//! as it comes, so that a test cannot tell whether it is there.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;

use super::recorded::RecordedCall;
use super::request::AwsRequest;
use super::roles::Caller;

/// Records the calls of one function. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Recorder {
    settings: Vec<(String, String)>,
    servers: Vec<JoinHandle<()>>,
}

/// What the connections of a recorder share.
#[derive(Debug)]
struct Shared {
    program: &'static str,
    caller: Caller,
    file: PathBuf,
    written: Mutex<BTreeSet<RecordedCall>>,
}

impl Recorder {
    /// Puts a recorder in front of each address of AWS in the settings of a function.
    ///
    /// # Errors
    /// Fails if it cannot listen.
    pub(crate) async fn start(
        program: &'static str,
        settings: &[(&str, &str)],
        file: PathBuf,
    ) -> anyhow::Result<Self> {
        let caller = Caller::new(program, settings);
        let shared = Arc::new(Shared { program, caller, file, written: Mutex::default() });
        let mut recorder = Self { settings: Vec::new(), servers: Vec::new() };
        for (name, value) in settings {
            let upstream = Url::parse(value).ok().filter(|_| name.starts_with("AWS_ENDPOINT_URL"));
            let upstream =
                upstream.and_then(|url| Some(format!("{}:{}", url.host_str()?, url.port()?)));
            let Some(upstream) = upstream else { continue };
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = format!("http://{}", listener.local_addr()?);
            recorder.settings.push(((*name).to_owned(), address));
            recorder.servers.push(tokio::spawn(accept(listener, upstream, Arc::clone(&shared))));
        }
        Ok(recorder)
    }

    /// Returns the settings that replace those of the function.
    pub(crate) fn settings(&self) -> &[(String, String)] {
        &self.settings
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        for server in &self.servers {
            server.abort();
        }
    }
}

async fn accept(listener: TcpListener, upstream: String, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let (upstream, shared) = (upstream.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            // Without a server the function's connection ends too.
            let Ok(server) = TcpStream::connect(upstream).await else { return };
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::select! {
                () = pass(from_client, to_server, |bytes, read| {
                    bytes.extend_from_slice(read);
                    while let Some(request) = take_request(bytes) {
                        shared.record(&request);
                    }
                }) => {},
                () = pass(from_server, to_client, |_, _| {}) => {},
            }
        });
    }
}

/// Passes bytes on until one side ends. `look` sees them before the server does.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut look: impl FnMut(&mut Vec<u8>, &[u8]),
) {
    let (mut seen, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let read = buffer.get(..length).unwrap_or_default();
        look(&mut seen, read);
        if to.write_all(read).await.is_err() {
            return;
        }
    }
}

/// Takes the first request from the bytes of a connection, if it is complete.
fn take_request(bytes: &mut Vec<u8>) -> Option<AwsRequest> {
    let head = bytes.windows(4).position(|end| end == b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(bytes.get(..head)?).into_owned();
    let header = |name: &str| {
        text.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let body: Value = {
        let body = bytes.get(head + 4..head + 4 + length)?;
        serde_json::from_slice(body).unwrap_or_default()
    };
    bytes.drain(..head + 4 + length);
    let path = text.split_whitespace().nth(1).unwrap_or_default().to_owned();
    Some(AwsRequest { target: header("x-amz-target").unwrap_or(path), body })
}

impl Shared {
    /// Writes down the rights that a request needs, each once.
    fn record(&self, request: &AwsRequest) {
        for right in request.rights() {
            let call = RecordedCall::new(self.program, self.caller.as_planned(right));
            let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            if written.insert(call.clone()) {
                let file = OpenOptions::new().create(true).append(true).open(&self.file);
                let line = serde_json::to_string(&call).unwrap_or_default() + "\n";
                // A test must not fail for it. `stack rights` notices that calls are missing.
                let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
            }
        }
    }
}
