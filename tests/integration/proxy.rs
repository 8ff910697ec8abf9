//! A proxy before Postgres that holds back the answers, to count what is sent before the first of them is needed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes one connection on. While `hold` is some number, answers wait until so many requests have been sent.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    requests: Arc<AtomicUsize>,
    hold: watch::Sender<usize>,
    sent: watch::Receiver<usize>,
}

impl Proxy {
    pub(crate) async fn start(upstream: (String, u16)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(AtomicUsize::new(0));
        let (hold, held) = watch::channel(0);
        let (counted, sent) = watch::channel(0);
        let counter = Arc::clone(&requests);
        let sent_by_server = sent.clone();
        tokio::spawn(async move {
            let (client, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(upstream).await.unwrap();
            let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
            tokio::spawn(forward_answers(from_server, to_client, held, sent_by_server));
            forward_requests(from_client, to_server, &counter, &counted).await;
        });
        Self { port, requests, hold, sent }
    }

    /// How many requests were sent so far, each of which asks the server for an answer.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Lets no answer through before this many more requests were sent.
    pub(crate) fn hold_until(&self, more: usize) {
        self.hold.send_replace(*self.sent.borrow() + more);
    }
}

/// Forwards whole messages, and counts those that ask for an answer: Sync and the simple Query. The first one of a
/// connection, the start-up, has no type.
async fn forward_requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    counter: &AtomicUsize,
    counted: &watch::Sender<usize>,
) {
    let mut started = false;
    loop {
        let mut head = vec![0; if started { 5 } else { 4 }];
        if from.read_exact(&mut head).await.is_err() {
            return;
        }
        let length = u32::from_be_bytes(head[head.len() - 4..].try_into().unwrap());
        let mut body = vec![0; length as usize - 4];
        from.read_exact(&mut body).await.unwrap();
        to.write_all(&head).await.unwrap();
        to.write_all(&body).await.unwrap();
        if started && matches!(head[0], b'S' | b'Q') {
            counted.send_replace(counter.fetch_add(1, Ordering::SeqCst) + 1);
        }
        started = true;
    }
}

async fn forward_answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    held: watch::Receiver<usize>,
    mut sent: watch::Receiver<usize>,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else { return };
        let wanted = *held.borrow();
        if sent.wait_for(|sent| *sent >= wanted).await.is_err() || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
