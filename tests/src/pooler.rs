//! Runs pgbouncer in front of a Postgres server, in transaction mode.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tokio_postgres::NoTls;
use url::Url;

use crate::supervise::{Supervised, User};
use crate::tools;

/// The settings. Each database and role has two server connections, so that clients must share
/// them.
const SETTINGS: &str = "\
[databases]
* = host=HOST port=SERVER_PORT

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = PORT
unix_socket_dir =
pool_mode = transaction
default_pool_size = 2
max_client_conn = 1000
auth_type = trust
auth_file = FOLDER/users.txt
auth_user = postgres
";

/// A running pgbouncer. It ends when this value is dropped.
#[derive(Debug)]
pub struct Pooler {
    /// The port on loopback.
    pub port: u16,
    _process: Supervised,
}

impl Pooler {
    /// Starts one in front of the server of this address.
    ///
    /// # Errors
    /// Fails if pgbouncer is missing or does not start.
    pub async fn start(server: &Url) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("chart-discovery-pooler-").tempdir()?;
        let user = User::instead_of_root();
        // A copy, because the user that it runs as may not be allowed to read in the workspace.
        let pgbouncer = tools::pgbouncer()?;
        let copied = Command::new("cp").arg("-R").arg(pgbouncer).arg(folder.path()).status()?;
        ensure!(copied.success(), "cannot copy pgbouncer");
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let path = folder.path().to_string_lossy().into_owned();
        let server_port = server.port().context("the server has no port")?.to_string();
        let settings = SETTINGS
            .replace("HOST", server.host_str().context("the server has no host")?)
            .replace("SERVER_PORT", &server_port)
            .replace("PORT", &port.to_string())
            .replace("FOLDER", &path);
        std::fs::write(folder.path().join("pgbouncer.ini"), settings)?;
        std::fs::write(folder.path().join("users.txt"), "\"postgres\" \"\"\n")?;
        if let Some(user) = user {
            // The user must own the files, because it removes them at the end.
            let owner = user.to_string();
            let owned = Command::new("chown").args(["-R", &owner]).arg(folder.path()).status()?;
            ensure!(owned.success(), "cannot give pgbouncer its folder");
        }
        let libraries = format!("LD_LIBRARY_PATH={path}/pgbouncer/lib");
        let program = format!("{path}/pgbouncer/pgbouncer");
        let file = format!("{path}/pgbouncer.ini");
        let command = ["/usr/bin/env", &libraries, &program, &file].map(OsStr::new);
        let process = Supervised::start(folder, &command, user)?;
        let mut url = server.clone();
        url.set_port(Some(port)).ok().context("the address cannot have a port")?;
        let ready = async {
            while tokio_postgres::connect(url.as_str(), NoTls).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            () = ready => Ok(Self { port, _process: process }),
            ended = process.log().wait_for(|_| None::<()>) => {
                ended.context("pgbouncer did not start")?;
                bail!("pgbouncer ended")
            }
            () = tokio::time::sleep(Duration::from_secs(30)) => {
                bail!("pgbouncer was not ready within 30 s")
            }
        }
    }
}
