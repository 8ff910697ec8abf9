//! A proxy before Postgres that holds back the answers, to count what is sent before the first of
//! them is needed; and that cuts connections in a way that only the next request notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes connections on. While `hold` is some number, answers wait until so many requests have
/// been sent.
pub(crate) struct DatabaseProxy {
    pub(crate) port: u16,
    requests: Arc<AtomicUsize>,
    cuts: Arc<AtomicUsize>,
    holes: Arc<AtomicUsize>,
    hold: watch::Sender<usize>,
    sent: watch::Receiver<usize>,
}

impl DatabaseProxy {
    pub(crate) async fn start(upstream: (String, u16)) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), upstream)
    }

    pub(crate) fn start_on(listener: TcpListener, upstream: (String, u16)) -> Self {
        let port = listener.local_addr().unwrap().port();
        let (requests, cuts, holes) = (Arc::default(), Arc::default(), Arc::default());
        let (hold, held) = watch::channel(0);
        let (counted, sent) = watch::channel(0);
        let proxy = Self {
            port,
            requests: Arc::clone(&requests),
            cuts: Arc::clone(&cuts),
            holes: Arc::clone(&holes),
            hold,
            sent: sent.clone(),
        };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(upstream.clone()).await.unwrap();
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                let answers = tokio::spawn(forward_answers(
                    from_server,
                    to_client,
                    held.clone(),
                    sent.clone(),
                ));
                let (requests, counted) = (Arc::clone(&requests), counted.clone());
                let (cuts, holes) = (Arc::clone(&cuts), Arc::clone(&holes));
                tokio::spawn(async move {
                    forward_requests(from_client, to_server, &requests, (&cuts, &holes), &counted)
                        .await;
                    answers.abort();
                });
            }
        });
        proxy
    }

    /// Cuts the connections there are as soon as the client sends something.
    pub(crate) fn cut(&self) {
        self.cuts.fetch_add(1, Ordering::SeqCst);
    }

    /// Swallows what is sent on the connections there are from now on, and lets them stand.
    pub(crate) fn swallow(&self) {
        self.holes.fetch_add(1, Ordering::SeqCst);
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

/// Forwards whole messages, and counts those that ask for an answer: Sync and the simple Query. The
/// first one of a connection, the start-up, has no type.
async fn forward_requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    requests: &AtomicUsize,
    (cuts, holes): (&AtomicUsize, &AtomicUsize),
    counted: &watch::Sender<usize>,
) {
    let cuts_before = cuts.load(Ordering::SeqCst);
    let holes_before = holes.load(Ordering::SeqCst);
    let mut started = false;
    loop {
        let mut head = vec![0; if started { 5 } else { 4 }];
        if from.read_exact(&mut head).await.is_err() || cuts.load(Ordering::SeqCst) > cuts_before {
            return;
        }
        if holes.load(Ordering::SeqCst) > holes_before {
            std::future::pending::<()>().await;
        }
        let length = u32::from_be_bytes(head[head.len() - 4..].try_into().unwrap());
        let mut body = vec![0; length as usize - 4];
        from.read_exact(&mut body).await.unwrap();
        to.write_all(&head).await.unwrap();
        to.write_all(&body).await.unwrap();
        if started && matches!(head[0], b'S' | b'Q') {
            counted.send_replace(requests.fetch_add(1, Ordering::SeqCst) + 1);
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
        if sent.wait_for(|sent| *sent >= wanted).await.is_err()
            || to.write_all(&buffer[..read]).await.is_err()
        {
            return;
        }
    }
}
