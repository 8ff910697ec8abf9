//! A registry that lies on demand, and whose contents change under the requests. The law of the
//! poller needs a server whose state it knows at any moment.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request, Response, StatusCode, Uri};
use fastrand::Rng;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::known_registry::{Known, layer_with};

/// The names in a page of any list.
const PAGE: usize = 3;

/// One request in this many is preceded by a change, while the registry is restless.
const RESTLESS: usize = 12;

/// What the registry answers about what is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denial {
    /// As Docker Distribution: `NAME_UNKNOWN` for lists, and `MANIFEST_UNKNOWN` for every manifest.
    Distribution,
    /// `NAME_UNKNOWN` for everything in an unknown repository.
    Strict,
    /// As Harbor: `NOT_FOUND` for everything.
    Harbor,
}

/// An answer that is not the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    ServerError,
    Unavailable,
    Forbidden,
    /// The registry asks to be left alone for an hour.
    Closed,
    /// No answer ever comes.
    Hang,
    /// 200 with a body about maintenance.
    Maintenance,
    Html,
    /// The body ends in the middle.
    Cut,
    /// 404 with a code that says nothing about the manifest or the repository.
    Missing(&'static str),
    /// 404 with the right code for something that is there.
    Unknown,
    /// A list without half of its names.
    Short,
    /// A list without the rest of its pages.
    LastPage,
    Empty,
    /// The answer of an earlier moment.
    Outdated,
}

pub(crate) const LIES: [Lie; 18] = [
    Lie::ServerError,
    Lie::Unavailable,
    Lie::Forbidden,
    Lie::Closed,
    Lie::Hang,
    Lie::Maintenance,
    Lie::Html,
    Lie::Cut,
    Lie::Missing("NOT_FOUND"),
    Lie::Missing("TAG_EXPIRED"),
    Lie::Missing(""),
    Lie::Unknown,
    Lie::Unknown,
    Lie::Short,
    Lie::LastPage,
    Lie::Empty,
    Lie::Outdated,
    Lie::Outdated,
];

/// A registry under the control of a test.
#[derive(Clone)]
pub(crate) struct LyingRegistry(Arc<Mutex<RegistryState>>);

pub(crate) struct RegistryState {
    pub(crate) known: Known,
    pub(crate) denial: Denial,
    /// The lies of the moment. It tells the truth if there is none.
    pub(crate) lies: Vec<Lie>,
    /// The percentage of requests that are answered with a lie.
    pub(crate) share: u8,
    /// Whether the contents change between the requests.
    pub(crate) is_restless: bool,
    /// Notifies the test after this number of requests.
    pub(crate) kill_in: Option<usize>,
    pub(crate) kill: Arc<Notify>,
    /// What it had when the lies began.
    before: Known,
    /// What changed between the requests, in words.
    pub(crate) changes: Vec<String>,
    rng: Rng,
}

/// An answer before it is sent.
struct RegistryAnswer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl LyingRegistry {
    /// Starts an empty registry. Returns it with its address.
    pub(crate) async fn start(seed: u64, denial: Denial) -> (Self, String, JoinHandle<()>) {
        let known = Known { keeps_ghosts: denial == Denial::Distribution, ..Known::default() };
        let registry = Self(Arc::new(Mutex::new(RegistryState {
            before: known.clone(),
            known,
            denial,
            lies: Vec::new(),
            share: 0,
            is_restless: false,
            kill_in: None,
            kill: Arc::default(),
            changes: Vec::new(),
            rng: Rng::with_seed(seed),
        })));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(reply).with_state(registry.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (registry, url, server)
    }

    /// Reads or changes the state.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut RegistryState) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }
}

impl RegistryState {
    /// Begins to lie.
    pub(crate) fn lie(&mut self, lies: Vec<Lie>, share: u8) {
        self.before = self.known.clone();
        (self.lies, self.share) = (lies, share);
    }

    /// Counts a request. Returns the lie about it.
    fn take(&mut self) -> Option<Lie> {
        if let Some(left) = self.kill_in {
            self.kill_in = left.checked_sub(1);
            if self.kill_in.is_none() {
                self.kill.notify_one();
            }
        }
        if self.is_restless && self.rng.usize(..RESTLESS) == 0 {
            let change = self.known.change(&mut self.rng);
            self.changes.push(change);
        }
        let lies = !self.lies.is_empty() && self.rng.u8(..100) < self.share;
        lies.then(|| self.lies[self.rng.usize(..self.lies.len())])
    }

    fn answer(&self, uri: &Uri, known: &Known) -> RegistryAnswer {
        let path = uri.path().strip_prefix("/v2/").unwrap_or_default();
        let last = uri
            .query()
            .and_then(|query| query.split('&').find_map(|part| part.strip_prefix("last=")));
        if path == "_catalog" {
            return page("repositories", known.repositories.keys().copied(), last);
        }
        if let Some(name) = path.strip_suffix("/tags/list") {
            let Some(repository) = known.repositories.get(name) else {
                return self.not_found("NAME_UNKNOWN");
            };
            let tags = repository.tags.keys().chain(&repository.ghosts).copied();
            let tags: std::collections::BTreeSet<&str> = tags.collect();
            return page("tags", tags.into_iter(), last);
        }
        if let Some((name, reference)) = path.split_once("/manifests/") {
            let repository = known.repositories.get(name);
            return match repository.map(|repository| repository.manifest(reference)) {
                Some(Some(manifest)) => {
                    let mut answer = RegistryAnswer::of(200, manifest.body);
                    answer.set("content-type", manifest.media_type);
                    answer.set("docker-content-digest", manifest.digest.as_str());
                    answer
                }
                None if self.denial == Denial::Strict => self.not_found("NAME_UNKNOWN"),
                _ => self.not_found("MANIFEST_UNKNOWN"),
            };
        }
        match path.split_once("/blobs/").and_then(|(_, digest)| layer_with(digest)) {
            Some(layer) => RegistryAnswer::of(200, layer),
            None => self.not_found("BLOB_UNKNOWN"),
        }
    }

    fn not_found(&self, code: &str) -> RegistryAnswer {
        let code = if self.denial == Denial::Harbor { "NOT_FOUND" } else { code };
        RegistryAnswer::of(404, json!({"errors": [{"code": code}]}).to_string())
    }
}

impl RegistryAnswer {
    fn of(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: HeaderMap::new(), body: body.into() }
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.headers.insert(name, value.parse().unwrap());
    }

    /// Returns the list in the body, if it has one.
    fn list(&self) -> Option<(&'static str, Vec<Value>)> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        ["repositories", "tags"]
            .into_iter()
            .find_map(|field| Some((field, body.get(field)?.as_array()?.clone())))
    }

    /// Turns the answer into a lie. A lie that does not suit the request leaves it as it is.
    fn distort(self, lie: Lie, path: &str) -> Self {
        let error = |code: &str| json!({"errors": [{"code": code}]}).to_string();
        match lie {
            Lie::ServerError => Self::of(500, ""),
            Lie::Unavailable => Self::of(503, "try later"),
            Lie::Forbidden => Self::of(403, error("DENIED")),
            Lie::Closed => {
                let mut answer = Self::of(429, "");
                answer.set("retry-after", "3600");
                answer
            }
            Lie::Maintenance => Self::of(200, r#"{"status":"maintenance"}"#),
            Lie::Html => Self::of(200, "<html>hello</html>"),
            Lie::Cut => {
                let half = self.body.len() / 2;
                Self { body: self.body[..half].to_vec(), ..self }
            }
            Lie::Missing("") => Self::of(404, "<html>not found</html>"),
            Lie::Missing(code) => Self::of(404, error(code)),
            Lie::Unknown if path.contains("/blobs/") => Self::of(404, error("BLOB_UNKNOWN")),
            Lie::Unknown if path.contains("/manifests/") => {
                Self::of(404, error("MANIFEST_UNKNOWN"))
            }
            Lie::Unknown => Self::of(404, error("NAME_UNKNOWN")),
            Lie::Short | Lie::LastPage | Lie::Empty => self.shorten(lie),
            Lie::Hang | Lie::Outdated => self,
        }
    }

    fn shorten(mut self, lie: Lie) -> Self {
        let Some((field, mut names)) = self.list() else { return self };
        match lie {
            Lie::Short => names.truncate(names.len() / 2),
            Lie::Empty => names.clear(),
            _ => {}
        }
        self.headers.remove("link");
        Self { body: json!({ field: names }).to_string().into_bytes(), ..self }
    }
}

/// Returns a page of a list behind a name.
fn page<'a>(
    field: &str,
    names: impl Iterator<Item = &'a str>,
    last: Option<&str>,
) -> RegistryAnswer {
    let mut left = names.filter(|name| last.is_none_or(|last| *name > last)).peekable();
    let names: Vec<&str> = left.by_ref().take(PAGE).collect();
    let mut answer = RegistryAnswer::of(200, json!({ field: names }).to_string());
    if let (Some(_), Some(last)) = (left.peek(), names.last()) {
        answer.set("link", &format!("<?last={last}>; rel=\"next\""));
    }
    answer
}

async fn reply(State(registry): State<LyingRegistry>, request: Request<Body>) -> Response<Body> {
    let uri = request.uri().clone();
    let lie = registry.with(RegistryState::take);
    if lie == Some(Lie::Hang) {
        std::future::pending::<()>().await;
    }
    let answer = registry.with(|state| {
        let known = if lie == Some(Lie::Outdated) { &state.before } else { &state.known };
        let answer = state.answer(&uri, known);
        lie.into_iter().fold(answer, |answer, lie| answer.distort(lie, uri.path()))
    });
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap();
    *response.headers_mut() = answer.headers;
    response
}
