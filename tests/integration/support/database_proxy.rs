//! A proxy between a function and Postgres. It holds answers back, to count the requests that a
//! function sends before it needs the first answer. It also breaks connections so that the function
//! notices only at its next request.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use url::Url;

/// Forwards the connections to a database.
pub(crate) struct DatabaseProxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

/// The state that the connections of a proxy share.
#[derive(Default)]
struct Shared {
    /// Number of cuts so far. A connection made before the last cut is cut.
    cuts: AtomicUsize,
    /// Number of times that all connections became black holes. Older connections are black holes.
    holes: AtomicUsize,
    /// The number of requests that ask the server for an answer.
    requests: watch::Sender<usize>,
    /// The number of requests before which no answer passes.
    hold: watch::Sender<usize>,
    /// The statements that clients prepared, in order.
    statements: Mutex<Vec<String>>,
}

impl DatabaseProxy {
    /// Starts a proxy to the database at this URL, on a free port.
    pub(crate) async fn start(database: &str) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), database)
    }

    /// Starts a proxy to the database at this URL, on a port that the test has chosen.
    pub(crate) fn start_on(listener: TcpListener, database: &str) -> Self {
        let port = listener.local_addr().unwrap().port();
        let database: Url = database.parse().unwrap();
        let shared = Arc::new(Shared::default());
        tokio::spawn(accept(listener, database, Arc::clone(&shared)));
        Self { port, shared }
    }

    /// Cuts each open connection as soon as its client sends something.
    pub(crate) fn cut(&self) {
        self.shared.cuts.fetch_add(1, Ordering::SeqCst);
    }

    /// Drops everything that clients send on the open connections, and keeps the connections open.
    pub(crate) fn swallow(&self) {
        self.shared.holes.fetch_add(1, Ordering::SeqCst);
    }

    /// Counts the requests so far that ask the server for an answer.
    pub(crate) fn requests(&self) -> usize {
        *self.shared.requests.borrow()
    }

    /// Counts the statements so far that contain this text.
    pub(crate) fn statements(&self, part: &str) -> usize {
        let statements = self.shared.statements.lock().unwrap();
        statements.iter().filter(|statement| statement.contains(part)).count()
    }

    /// Lets no answer through before clients have sent this many more requests.
    pub(crate) fn hold_until(&self, more: usize) {
        self.shared.hold.send_replace(self.requests() + more);
    }
}

async fn accept(listener: TcpListener, database: Url, shared: Arc<Shared>) {
    let upstream = (database.host_str().unwrap(), database.port().unwrap_or(5432));
    while let Ok((client, _)) = listener.accept().await {
        let server = TcpStream::connect(upstream).await.unwrap();
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let answers = tokio::spawn(forward_answers(from_server, to_client, Arc::clone(&shared)));
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            forward_requests(from_client, to_server, &shared).await;
            answers.abort();
        });
    }
}

/// Forwards whole messages, and counts those that ask for an answer: Sync and the simple Query. The
/// first message of a connection, the start-up, has no type.
async fn forward_requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared) {
    let cuts_before = shared.cuts.load(Ordering::SeqCst);
    let holes_before = shared.holes.load(Ordering::SeqCst);
    let mut started = false;
    loop {
        let mut head = vec![0; if started { 5 } else { 4 }];
        if from.read_exact(&mut head).await.is_err()
            || shared.cuts.load(Ordering::SeqCst) > cuts_before
        {
            return;
        }
        if shared.holes.load(Ordering::SeqCst) > holes_before {
            std::future::pending::<()>().await;
        }
        let length = u32::from_be_bytes(head[head.len() - 4..].try_into().unwrap());
        let mut body = vec![0; length as usize - 4];
        from.read_exact(&mut body).await.unwrap();
        to.write_all(&head).await.unwrap();
        to.write_all(&body).await.unwrap();
        if started && head[0] == b'P' {
            let statement = String::from_utf8_lossy(&body).into_owned();
            shared.statements.lock().unwrap().push(statement);
        }
        if started && matches!(head[0], b'S' | b'Q') {
            shared.requests.send_modify(|requests| *requests += 1);
        }
        started = true;
    }
}

async fn forward_answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: Arc<Shared>) {
    let mut requests = shared.requests.subscribe();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else { return };
        let wanted = *shared.hold.borrow();
        if requests.wait_for(|sent| *sent >= wanted).await.is_err()
            || to.write_all(&buffer[..read]).await.is_err()
        {
            return;
        }
    }
}
