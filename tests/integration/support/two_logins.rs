//! A registry that shows each login its own repositories, and the two instances that poll it. Their
//! secrets are here too, because a start of moto takes seconds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use shared::domain::Digest;
use shared::helm::{CHART_MEDIA_TYPE, CONFIG_MEDIA_TYPE};
use tests::chart;
use tests::function::Function;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::support::stack::{Stack, instance};

/// The logins, which are the names of their instances too.
pub(crate) const LOGINS: [&str; 2] = ["left", "right"];

/// The ARN of a login's secret, without its name at the end.
const SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:";

/// The answer to a login for a repository that it may not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denial {
    /// 404 with `NAME_UNKNOWN` for its list and its manifests.
    Unknown,
    /// 404 with `NAME_UNKNOWN` for its list, and `MANIFEST_UNKNOWN` for its manifests.
    Absent,
    /// 403.
    Forbidden,
    /// 401, although the credentials are good.
    Unauthorized,
}

/// What the registry has, and what it shows to whom.
pub(crate) struct Shown {
    /// Repository → tag → the content of its chart.
    pub(crate) charts: BTreeMap<String, BTreeMap<String, String>>,
    /// The repositories that each login may not see.
    pub(crate) hidden: BTreeSet<(&'static str, String)>,
    pub(crate) denial: Denial,
    /// Whether the catalog lists repositories that the login may not see.
    pub(crate) lists_all: bool,
    /// The requests so far: login and path.
    pub(crate) asked: Vec<(&'static str, String)>,
}

/// A registry on which two instances have a login each.
pub(crate) struct TwoLogins {
    pub(crate) stack: Stack,
    pub(crate) function: Function,
    url: String,
    shown: Arc<Mutex<Shown>>,
    server: JoinHandle<()>,
}

impl TwoLogins {
    pub(crate) async fn start(denial: Denial) -> Self {
        let stack = Stack::new().await;
        let shown = Arc::new(Mutex::new(Shown {
            charts: BTreeMap::new(),
            hidden: BTreeSet::new(),
            denial,
            lists_all: false,
            asked: Vec::new(),
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(reply).with_state(Arc::clone(&shown));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let function = function(&stack, &url).await;
        Self { stack, function, url, shown, server }
    }

    /// Starts another process of the function.
    pub(crate) async fn another_function(&self) -> Function {
        function(&self.stack, &self.url).await
    }

    /// Returns the instance of a login.
    pub(crate) fn instance(&self, login: &str) -> Value {
        let mut instance = instance(&self.url);
        instance["name"] = json!(login);
        instance["oci"]["credentialsSecretArn"] = json!(format!("{SECRET}{login}"));
        instance
    }

    /// Returns an instance with another name and the credentials of a login.
    pub(crate) fn named(&self, name: &str, login: &str) -> Value {
        let mut instance = self.instance(login);
        instance["name"] = json!(name);
        instance
    }

    pub(crate) async fn poll(&self, login: &str) -> Value {
        self.function.invoke(&self.instance(login)).await.unwrap()
    }

    pub(crate) fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap()
    }

    /// Pushes charts into a repository that only these logins see.
    pub(crate) fn push(&self, repository: &str, tags: usize, logins: &[&str]) {
        for tag in 0..tags {
            let tag = format!("1.{tag}.0");
            self.shown().push(repository, &tag, &tag);
        }
        for login in LOGINS {
            self.shown().show(repository, login, logins.contains(&login));
        }
    }
}

async fn function(stack: &Stack, secrets: &str) -> Function {
    stack.oci_poll_with(&[("AWS_ENDPOINT_URL_SECRETS_MANAGER", secrets)]).await
}

impl Shown {
    pub(crate) fn push(&mut self, repository: &str, tag: &str, content: &str) {
        let tags = self.charts.entry(repository.to_owned()).or_default();
        tags.insert(tag.to_owned(), content.to_owned());
    }

    /// Gives a login the right to see a repository, or takes it.
    pub(crate) fn show(&mut self, repository: &str, login: &'static str, is_shown: bool) {
        let right = (login, repository.to_owned());
        if is_shown {
            self.hidden.remove(&right);
        } else {
            self.hidden.insert(right);
        }
    }

    /// Returns whether a login sees a repository.
    pub(crate) fn shows(&self, repository: &str, login: &'static str) -> bool {
        self.charts.contains_key(repository)
            && !self.hidden.contains(&(login, repository.to_owned()))
    }

    /// Counts the requests of a login with this text in their path.
    pub(crate) fn count(&self, login: &str, part: &str) -> usize {
        self.asked.iter().filter(|(by, path)| *by == login && path.contains(part)).count()
    }

    fn answer(&self, login: &'static str, path: &str) -> Response {
        if path.is_empty() {
            return StatusCode::OK.into_response();
        }
        if path == "_catalog" {
            let is_listed = |name: &&String| self.lists_all || self.shows(name, login);
            let names: Vec<&String> = self.charts.keys().filter(is_listed).collect();
            return json_of(&json!({"repositories": names}));
        }
        let (rest, last) = path.rsplit_once('/').unwrap();
        let (repository, what) = rest.rsplit_once('/').unwrap();
        if !self.shows(repository, login) {
            let exists = self.charts.contains_key(repository);
            return self.denied(exists, what == "tags");
        }
        let tags = &self.charts[repository];
        match what {
            "tags" => json_of(&json!({"tags": tags.keys().collect::<Vec<_>>()})),
            "blobs" => chart::plain().into_response(),
            _ => match tags.get(last) {
                Some(content) => json_of(&manifest(content)),
                None => refused(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
            },
        }
    }

    fn denied(&self, exists: bool, is_list: bool) -> Response {
        match self.denial {
            Denial::Forbidden if exists => refused(StatusCode::FORBIDDEN, "DENIED"),
            Denial::Unauthorized if exists => refused(StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
            Denial::Absent if !is_list => refused(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
            _ => refused(StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
        }
    }
}

/// Returns the manifest of the chart with this content.
fn manifest(content: &str) -> Value {
    let plain = chart::plain();
    let digest = Digest::sha256(&plain);
    json!({
        "config": {"mediaType": CONFIG_MEDIA_TYPE},
        "layers": [{"mediaType": CHART_MEDIA_TYPE, "digest": digest.as_str(), "size": plain.len()}],
        "annotations": {"content": content},
    })
}

/// Returns the digest of the chart with this content.
pub(crate) fn digest_of(content: &str) -> String {
    Digest::sha256(manifest(content).to_string().as_bytes()).to_string()
}

fn json_of(body: &Value) -> Response {
    body.to_string().into_response()
}

fn refused(status: StatusCode, code: &str) -> Response {
    let body = json!({"errors": [{"code": code}]}).to_string();
    let challenge = [("www-authenticate", "Basic realm=\"two logins\"")];
    if status == StatusCode::UNAUTHORIZED {
        return (status, challenge, body).into_response();
    }
    (status, body).into_response()
}

fn login_of(headers: &HeaderMap) -> Option<&'static str> {
    let given = headers.get("authorization")?.to_str().ok()?.strip_prefix("Basic ")?;
    let given = String::from_utf8(STANDARD.decode(given).ok()?).ok()?;
    LOGINS.into_iter().find(|login| given == format!("{login}:letmein"))
}

/// Answers as Secrets Manager does. The tests of the login use moto instead.
fn secret(request: &str) -> Response {
    let request: Value = serde_json::from_str(request).unwrap();
    let login = request["SecretId"].as_str().unwrap().strip_prefix(SECRET).unwrap();
    let secret = json!({"username": login, "password": "letmein"}).to_string();
    json_of(&json!({"SecretString": secret}))
}

async fn reply(
    State(shown): State<Arc<Mutex<Shown>>>,
    headers: HeaderMap,
    uri: Uri,
    body: String,
) -> Response {
    if headers.contains_key("x-amz-target") {
        return secret(&body);
    }
    let Some(login) = login_of(&headers) else {
        return refused(StatusCode::UNAUTHORIZED, "UNAUTHORIZED");
    };
    let mut shown = shown.lock().unwrap();
    let path = uri.path().strip_prefix("/v2/").unwrap_or_default();
    shown.asked.push((login, path.to_owned()));
    shown.answer(login, path)
}

impl Drop for TwoLogins {
    fn drop(&mut self) {
        self.server.abort();
    }
}
