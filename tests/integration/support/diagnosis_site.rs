//! Asks the diagnosis of the admin pages why a chart is missing, and checks each answer.

use std::sync::Arc;

use serde_json::Value;
use tests::admin::Admin;
use tests::function::Function;
use tests::function_url::Endpoint;

use super::admin_site::{client, read};
use super::fake_registry::FakeRegistry;
use super::stack::{Stack, instance};

/// The steps of a diagnosis, in order.
const STEPS: [&str; 10] = [
    "instance",
    "reachable",
    "authorized",
    "listed",
    "tag",
    "manifest",
    "contents",
    "row",
    "kind",
    "freshness",
];

/// Runs the functions, and the pages that ask them.
pub(crate) struct DiagnosisSite {
    pub(crate) stack: Stack,
    poll: Arc<Function>,
    pub(crate) ecr_events: Arc<Function>,
    pub(crate) admin: Admin,
    _lambda: Endpoint,
}

/// A step that failed.
#[derive(Debug)]
pub(crate) struct Cause {
    pub(crate) id: String,
    pub(crate) detail: String,
    pub(crate) remedy: String,
}

impl DiagnosisSite {
    pub(crate) async fn new() -> Self {
        Self::with(&[], &[]).await
    }

    /// Starts a site whose poller has polled this registry once.
    pub(crate) async fn polling(fake: &FakeRegistry) -> Self {
        let site = Self::new().await;
        site.poll(&instance(&fake.url())).await;
        site
    }

    /// Starts a site with more settings for its functions.
    pub(crate) async fn with(of_poll: &[(&str, &str)], of_ecr: &[(&str, &str)]) -> Self {
        Self::on(Stack::new().await, of_poll, of_ecr).await
    }

    /// Starts a site on a stack that exists.
    pub(crate) async fn on(
        stack: Stack,
        of_poll: &[(&str, &str)],
        of_ecr: &[(&str, &str)],
    ) -> Self {
        let poll = Arc::new(stack.oci_poll_with(of_poll).await);
        let ecr_events = Arc::new(stack.ecr_events_with(of_ecr).await);
        let lambda = Endpoint::lambda([Arc::clone(&poll), Arc::clone(&ecr_events)]).await.unwrap();
        let url = lambda.url();
        let usual = [("DATABASE_URL", stack.database.url())];
        let admin = Admin::start(&[&usual[..], &Endpoint::lambda_settings(&url)[..]].concat())
            .await
            .unwrap();
        Self { stack, poll, ecr_events, admin, _lambda: lambda }
    }

    /// Returns the diagnosis of a reference. Checks what must be true for each diagnosis.
    pub(crate) async fn ask(&self, reference: &str) -> Value {
        let mut url = url::Url::parse(&format!("{}/api/v2/diagnose", self.admin.url())).unwrap();
        url.query_pairs_mut().append_pair("reference", reference);
        let (status, diagnosis) = read(client().get(url).send().await.unwrap()).await;
        assert_eq!(status, 200, "{diagnosis}");
        let steps = diagnosis["steps"].as_array().unwrap();
        assert_eq!(
            steps.iter().map(|step| step["id"].as_str().unwrap()).collect::<Vec<_>>(),
            STEPS
        );
        let failed = steps.iter().position(|step| step["ok"] == false);
        let verdict = failed.map_or("ok", |failed| STEPS[failed]);
        assert_eq!(diagnosis["verdict"], verdict);
        for (at, step) in steps.iter().enumerate() {
            assert_eq!(
                step["remedy"].is_string(),
                step["ok"] == false,
                "only a step that fails has a remedy: {step}"
            );
            assert!(step["detail"].as_str().unwrap().len() > 10, "{step}");
            if at < 7 && failed.is_some_and(|failed| at > failed) {
                assert!(
                    step["ok"].is_null(),
                    "the steps after the one that fails are left out: {diagnosis:#}"
                );
            }
        }
        diagnosis
    }

    /// Returns the first step that fails.
    async fn cause(&self, reference: &str) -> Cause {
        let diagnosis = self.ask(reference).await;
        let failed = diagnosis["steps"].as_array().unwrap().iter().find(|step| step["ok"] == false);
        assert!(failed.is_some(), "no step fails: {diagnosis:#}");
        let step = failed.unwrap();
        let text = |field: &str| step[field].as_str().unwrap().to_owned();
        Cause { id: text("id"), detail: text("detail"), remedy: text("remedy") }
    }

    /// Checks that this step is the first one that fails, and that its detail and remedy contain
    /// these texts.
    pub(crate) async fn expect(
        &self,
        reference: &str,
        id: &str,
        detail: &str,
        remedy: &str,
    ) -> Cause {
        let cause = self.cause(reference).await;
        assert_eq!(cause.id, id, "{reference}: {cause:?}");
        assert!(cause.detail.contains(detail), "{detail:?} is not in {cause:?}");
        assert!(cause.remedy.contains(remedy), "{remedy:?} is not in {cause:?}");
        cause
    }

    /// Invokes the function that a remedy names, with the payload that it names.
    pub(crate) async fn follow(&self, remedy: &str) {
        let (before, payload) = remedy.split_at(remedy.find('{').unwrap());
        let payload = payload.rsplit_once('}').map(|(payload, _)| format!("{payload}}}")).unwrap();
        let function =
            if before.contains("invoke oci-poll") { &self.poll } else { &self.ecr_events };
        function.invoke(&serde_json::from_str(&payload).unwrap()).await.unwrap();
    }

    /// Checks that no step fails.
    pub(crate) async fn expect_ok(&self, reference: &str) {
        let diagnosis = self.ask(reference).await;
        assert_eq!(diagnosis["verdict"], "ok", "{reference}: {diagnosis:#}");
    }

    /// Polls the instance once, and returns the summary.
    pub(crate) async fn poll(&self, instance: &Value) -> Value {
        self.poll.invoke(instance).await.unwrap()
    }

    /// Changes the health of all instances.
    pub(crate) async fn set_instances(&self, assignments: &str) {
        let update = format!("UPDATE discovery_instances SET {assignments}");
        self.stack.rows.execute(&update, &[]).await.unwrap();
    }
}

/// Returns one step of a diagnosis.
pub(crate) fn step<'a>(diagnosis: &'a Value, id: &str) -> &'a Value {
    &diagnosis["steps"][STEPS.iter().position(|step| *step == id).unwrap()]
}

/// Starts a registry with one chart, `team/api:1.0.0`.
pub(crate) async fn one_chart() -> FakeRegistry {
    let fake = FakeRegistry::start().await;
    fake.catalog(&["team/api"]);
    fake.tags("team/api", &["1.0.0"]);
    fake.chart("team/api", "1.0.0", "x");
    fake
}

/// Returns the instance that polls a registry, with more settings.
pub(crate) fn with(url: &str, settings: &Value) -> Value {
    let mut instance = instance(url);
    for (name, value) in settings.as_object().unwrap() {
        instance["oci"][name] = value.clone();
    }
    instance
}

/// Returns the reference of the one chart.
pub(crate) fn api(fake: &FakeRegistry) -> String {
    format!("{}:1.0.0", place(fake))
}

/// Returns the reference of the one chart's repository.
pub(crate) fn place(fake: &FakeRegistry) -> String {
    format!("oci://{}/team/api", fake.url().strip_prefix("http://").unwrap())
}
