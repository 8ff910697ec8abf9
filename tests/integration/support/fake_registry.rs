//! A registry that misbehaves on demand, for behaviour that a real registry does not show. It fakes
//! the server, so that the tests use the real client.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request, Response};
use futures_util::stream;
use serde_json::{Value, json};
use shared::domain::Digest;
use shared::helm::{CHART_MEDIA_TYPE, CONFIG_MEDIA_TYPE};
use tests::chart;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A server with answers for some paths, and 404 for the others.
pub(crate) struct FakeRegistry {
    url: String,
    shared: Shared,
    server: JoinHandle<()>,
}

/// A request that the registry received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordedRequest {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: String,
}

#[derive(Clone)]
struct Shared {
    /// The answers for each path, in turn. The last one is repeated.
    answers: Arc<Mutex<HashMap<String, Vec<Answer>>>>,
    asked: Arc<Mutex<Vec<RecordedRequest>>>,
    gate: watch::Sender<bool>,
    /// The requests that are answered before the registry is closed.
    limit: Arc<Mutex<Option<RequestLimit>>>,
}

/// The requests that are answered before the registry is closed.
struct RequestLimit {
    /// A text in the path of the requests that count.
    part: String,
    left: usize,
}

#[derive(Clone, Default)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    delay: Option<Duration>,
    /// Waits for [`FakeRegistry::open`].
    is_gated: bool,
    endless: bool,
    drip: bool,
    /// The `Authorization` that a request needs, and the challenge for a request without it.
    login: Option<(String, String)>,
    /// A header that a request needs.
    needed: Option<(String, String)>,
}

/// The chart layer that a manifest names.
struct Layer<'a> {
    digest: &'a str,
    size: usize,
}

/// An answer that a test can still change.
pub(crate) struct Editing<'a> {
    fake: &'a FakeRegistry,
    path: String,
}

impl FakeRegistry {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Shared {
            answers: Arc::default(),
            asked: Arc::default(),
            gate: watch::Sender::new(false),
            limit: Arc::default(),
        };
        let router = Router::new().fallback(reply).with_state(shared.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shared, server }
    }

    /// Starts a registry with the repository `a` and one chart per tag.
    pub(crate) async fn with_charts(tags: &[&str]) -> Self {
        let fake = Self::start().await;
        fake.catalog(&["a"]);
        fake.tags("a", tags);
        for tag in tags {
            fake.chart("a", tag, tag);
        }
        fake
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Answers requests for `path` (with its query) with 200 and this body. The body is JSON, or
    /// plain text if it is a string.
    pub(crate) fn answer(&self, path: &str, body: Value) -> Editing<'_> {
        self.shared.answers.lock().unwrap().insert(path.to_owned(), Vec::new());
        Editing { fake: self, path: path.to_owned() }.then(body)
    }

    /// Answers with the catalog of these repositories, in one page.
    pub(crate) fn catalog(&self, repositories: &[&str]) -> Editing<'_> {
        self.answer("/v2/_catalog?n=1000", json!({"repositories": repositories}))
    }

    /// Answers with a repository's tags, in one page.
    pub(crate) fn tags(&self, repository: &str, tags: &[&str]) -> Editing<'_> {
        self.answer(
            &format!("/v2/{repository}/tags/list?n=1000"),
            json!({"name": repository, "tags": tags}),
        )
    }

    /// Answers with a chart whose digest depends on `content`.
    pub(crate) fn chart(&self, repository: &str, tag: &str, content: &str) -> Editing<'_> {
        let plain = chart::plain();
        let (digest, size) = (Digest::sha256(&plain).to_string(), plain.len());
        self.blob(repository, &digest, plain);
        self.manifest_of(repository, tag, &Layer { digest: &digest, size }, content)
    }

    /// Answers with a chart whose manifest claims another size of its layer.
    pub(crate) fn chart_of_size(&self, repository: &str, tag: &str, layer: &[u8], claimed: usize) {
        let digest = Digest::sha256(layer).to_string();
        self.blob(repository, &digest, layer.to_vec());
        self.manifest(repository, tag, &digest, claimed);
    }

    /// Answers with the manifest of a chart with this layer.
    pub(crate) fn manifest(
        &self,
        repository: &str,
        tag: &str,
        layer: &str,
        size: usize,
    ) -> Editing<'_> {
        self.manifest_of(repository, tag, &Layer { digest: layer, size }, "")
    }

    fn manifest_of(
        &self,
        repository: &str,
        tag: &str,
        layer: &Layer<'_>,
        content: &str,
    ) -> Editing<'_> {
        let layer =
            json!({"mediaType": CHART_MEDIA_TYPE, "digest": layer.digest, "size": layer.size});
        let config = json!({"mediaType": CONFIG_MEDIA_TYPE});
        let chart =
            json!({"config": config, "layers": [layer], "annotations": {"content": content}});
        let digest = Digest::sha256(chart.to_string().as_bytes());
        self.answer(&format!("/v2/{repository}/manifests/{tag}"), chart)
            .header("docker-content-digest", digest.as_str())
    }

    /// Returns the digest of the manifest that it answers with.
    pub(crate) fn digest(&self, repository: &str, tag: &str) -> Digest {
        let answers = self.shared.answers.lock().unwrap();
        Digest::sha256(&answers[&format!("/v2/{repository}/manifests/{tag}")][0].body)
    }

    /// Answers with a blob.
    pub(crate) fn blob(&self, repository: &str, digest: &str, bytes: Vec<u8>) -> Editing<'_> {
        let path = format!("/v2/{repository}/blobs/{digest}");
        self.answer(&path, Value::Null).edit(|answer| answer.body = bytes)
    }

    /// Answers 404 with `MANIFEST_UNKNOWN`.
    pub(crate) fn absent(&self, repository: &str, tag: &str) {
        let error = json!({"errors": [{"code": "MANIFEST_UNKNOWN"}]});
        self.answer(&format!("/v2/{repository}/manifests/{tag}"), error).status(404);
    }

    /// Answers this many more requests with this text in their path. Closes the registry for an
    /// hour after that.
    pub(crate) fn close_after(&self, part: &str, requests: usize) {
        let limit = RequestLimit { part: part.to_owned(), left: requests };
        *self.shared.limit.lock().unwrap() = Some(limit);
    }

    /// Returns the requests so far.
    pub(crate) fn asked(&self) -> Vec<RecordedRequest> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// Counts the requests of a method with this text in their path. An empty method is any.
    pub(crate) fn count(&self, method: &str, part: &str) -> usize {
        self.asked()
            .iter()
            .filter(|asked| {
                (method.is_empty() || asked.method == method) && asked.path.contains(part)
            })
            .count()
    }

    /// Releases the gated answers.
    pub(crate) fn open(&self) {
        self.shared.gate.send_replace(true);
    }

    /// Waits for a request with this text in its path.
    pub(crate) async fn wait_for(&self, part: &str) {
        while self.asked().iter().all(|asked| !asked.path.contains(part)) {
            tokio::task::yield_now().await;
        }
    }
}

impl Editing<'_> {
    /// Adds the answer to the next request of the same path.
    pub(crate) fn then(self, body: Value) -> Self {
        let body = match body {
            Value::String(text) => text,
            json => json.to_string(),
        };
        let answer = Answer { status: 200, body: body.into_bytes(), ..Answer::default() };
        self.fake.shared.answers.lock().unwrap().get_mut(&self.path).unwrap().push(answer);
        self
    }

    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        self.edit(|answer| answer.headers.push((name.to_owned(), value.to_owned())))
    }

    pub(crate) fn link(self, value: &str) -> Self {
        self.header("link", value)
    }

    pub(crate) fn status(self, status: u16) -> Self {
        self.edit(|answer| answer.status = status)
    }

    /// Answers after a delay.
    pub(crate) fn slow(self, delay: Duration) -> Self {
        self.edit(|answer| answer.delay = Some(delay))
    }

    /// Never answers.
    pub(crate) fn hang(self) -> Self {
        self.slow(Duration::MAX)
    }

    /// Holds the answer back until [`FakeRegistry::open`] is called.
    pub(crate) fn gated(self) -> Self {
        self.edit(|answer| answer.is_gated = true)
    }

    /// Answers with a body that has neither a length nor an end.
    pub(crate) fn endless(self) -> Self {
        self.edit(|answer| answer.endless = true)
    }

    /// Sends one byte of the body per second, without end.
    pub(crate) fn drip(self) -> Self {
        self.edit(|answer| answer.drip = true)
    }

    /// Answers 401 with this challenge to requests without this `Authorization`.
    pub(crate) fn needs(self, authorization: &str, challenge: &str) -> Self {
        self.edit(|answer| answer.login = Some((authorization.to_owned(), challenge.to_owned())))
    }

    /// Answers 401 to requests without this header.
    pub(crate) fn needs_header(self, name: &str, value: &str) -> Self {
        self.edit(|answer| answer.needed = Some((name.to_owned(), value.to_owned())))
    }

    fn edit(self, edit: impl FnOnce(&mut Answer)) -> Self {
        edit(
            self.fake
                .shared
                .answers
                .lock()
                .unwrap()
                .get_mut(&self.path)
                .unwrap()
                .last_mut()
                .unwrap(),
        );
        self
    }
}

impl Drop for FakeRegistry {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    /// Counts a request. Returns whether the registry is closed to it.
    fn is_closed(&self, path: &str) -> bool {
        let mut limit = self.limit.lock().unwrap();
        let limit = limit.as_mut().filter(|limit| path.contains(&limit.part));
        limit.is_some_and(|limit| match limit.left.checked_sub(1) {
            Some(left) => {
                limit.left = left;
                false
            }
            None => true,
        })
    }

    fn next(&self, path: &str) -> Answer {
        let mut answers = self.answers.lock().unwrap();
        match answers.get_mut(path) {
            Some(turns) if turns.len() > 1 => turns.remove(0),
            Some(turns) => turns[0].clone(),
            None => Answer { status: 404, ..Answer::default() },
        }
    }
}

impl Answer {
    /// Returns what a request without the wanted headers gets, or one that has this answer already.
    fn instead(&self, headers: &HeaderMap) -> Option<Response<Body>> {
        let has = |name: &str, value: &str| {
            headers.get(name).is_some_and(|sent| sent.as_bytes() == value.as_bytes())
        };
        let lacks = |(name, value): &(String, String)| !has(name, value);
        let refused = self.login.as_ref().filter(|(wanted, _)| !has("authorization", wanted));
        if let Some((_, challenge)) = refused {
            let body = json!({"errors": [{"code": "UNAUTHORIZED"}]}).to_string();
            let response = Response::builder().status(401).header("www-authenticate", challenge);
            return Some(response.body(Body::from(body)).unwrap());
        }
        let empty = |status: u16| Response::builder().status(status).body(Body::empty()).unwrap();
        if self.needed.as_ref().is_some_and(lacks) {
            return Some(empty(401));
        }
        let etag = self.headers.iter().find(|(name, _)| name == "etag");
        etag.filter(|(_, etag)| has("if-none-match", etag)).map(|_| empty(304))
    }
}

async fn reply(State(shared): State<Shared>, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let request = Request::from_parts(head, ());
    let path = request.uri().path_and_query().unwrap().to_string();
    let header = |name: &str| Some(request.headers().get(name)?.to_str().unwrap().to_owned());
    let asked = RecordedRequest {
        method: request.method().to_string(),
        path: path.clone(),
        authorization: header("authorization"),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    shared.asked.lock().unwrap().push(asked);
    if shared.is_closed(&path) {
        let closed = Response::builder().status(429).header("retry-after", "3600");
        return closed.body(Body::empty()).unwrap();
    }
    let answer = shared.next(&path);
    if let Some(response) = answer.instead(request.headers()) {
        return response;
    }
    if let Some(delay) = answer.delay {
        tokio::time::sleep(delay).await;
    }
    if answer.is_gated {
        shared.gate.subscribe().wait_for(|open| *open).await.unwrap();
    }
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    let spaces = || stream::repeat_with(|| Ok::<_, Infallible>(vec![b' '; 64 * 1024]));
    let drops = || {
        stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, Infallible>(vec![b' ']), ()))
        })
    };
    let body = match (answer.endless, answer.drip) {
        (true, _) => Body::from_stream(spaces()),
        (_, true) => Body::from_stream(drops()),
        _ => Body::from(answer.body),
    };
    response.body(body).unwrap()
}
