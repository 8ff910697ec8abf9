//! A registry that lies on demand, for what a real one will not do. It fakes the server, never our client.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response};
use futures_util::stream;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A server with an answer for some addresses, and 404 for the others. It ends with this.
pub(crate) struct Fake {
    url: String,
    answers: Answers,
    server: JoinHandle<()>,
}

type Answers = Arc<Mutex<HashMap<String, Answer>>>;

#[derive(Clone, Default)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    delay: Option<Duration>,
    endless: bool,
}

/// An answer that can still be changed.
pub(crate) struct Editing<'a> {
    fake: &'a Fake,
    path: String,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = Answers::default();
        let router = Router::new().fallback(reply).with_state(Arc::clone(&answers));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, answers, server }
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Answers requests for `path`, its query included, with 200 and this body: JSON, or plain text for a string.
    pub(crate) fn answer(&self, path: &str, body: Value) -> Editing<'_> {
        let body = match body {
            Value::String(text) => text,
            json => json.to_string(),
        };
        let answer = Answer { status: 200, body, ..Answer::default() };
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
        Editing { fake: self, path: path.to_owned() }
    }
}

impl Editing<'_> {
    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        self.edit(|answer| answer.headers.push((name.to_owned(), value.to_owned())))
    }

    pub(crate) fn link(self, value: &str) -> Self {
        self.header("link", value)
    }

    pub(crate) fn status(self, status: u16) -> Self {
        self.edit(|answer| answer.status = status)
    }

    /// Answers after a while.
    pub(crate) fn slow(self, delay: Duration) -> Self {
        self.edit(|answer| answer.delay = Some(delay))
    }

    /// Never answers at all.
    pub(crate) fn hang(self) -> Self {
        self.slow(Duration::MAX)
    }

    /// Answers with a body that has neither a length nor an end.
    pub(crate) fn endless(self) -> Self {
        self.edit(|answer| answer.endless = true)
    }

    fn edit(self, edit: impl FnOnce(&mut Answer)) -> Self {
        edit(self.fake.answers.lock().unwrap().get_mut(&self.path).unwrap());
        self
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn reply(State(answers): State<Answers>, request: Request<Body>) -> Response<Body> {
    let path = request.uri().path_and_query().unwrap().to_string();
    let found = answers.lock().unwrap().get(&path).cloned();
    let answer = found.unwrap_or(Answer { status: 404, ..Answer::default() });
    if let Some(delay) = answer.delay {
        tokio::time::sleep(delay).await;
    }
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    let spaces = || stream::repeat_with(|| Ok::<_, Infallible>(vec![b' '; 64 * 1024]));
    response.body(if answer.endless { Body::from_stream(spaces()) } else { Body::from(answer.body) }).unwrap()
}
