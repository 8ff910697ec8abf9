//! One diagnosis: which instance watches the chart, what its function answers, and what the rows
//! say.

use serde::Serialize;
use serde_json::json;
use shared::db::{Findings, PageRequest};
use shared::diagnose::{Live, Step, StepId};
use shared::domain::{DomainName, Registry};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::evidence::Evidence;
use super::freshness::freshness;
use super::instance::{WatchingInstance, unwatched};
use super::reference::PastedReference;
use super::row::row;
use crate::access::user::SiteAdmin;
use crate::app::App;
use crate::http::problem::Problem;

/// Instances that are considered: more than any installation has.
const INSTANCES: PageRequest = PageRequest { number: 1, size: 1000 };

/// The result of a diagnosis: every step, and the verdict.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Diagnosis)]
pub(crate) struct ChartDiagnosis {
    /// The reference, as `registry/repository:tag`.
    pub(crate) reference: String,
    /// `ok`, or the id of the first step that failed: the cause.
    pub(crate) verdict: &'static str,
    /// The steps, all ten, in order.
    pub(crate) steps: Vec<Step>,
    /// The rows, for links on the page.
    #[serde(skip)]
    pub(crate) found: Findings,
}

/// Diagnoses a pasted reference.
///
/// # Errors
/// The text is not a reference, or the database does not answer.
pub(crate) async fn diagnose(
    app: &App,
    SiteAdmin(_): &SiteAdmin,
    text: &str,
) -> Result<ChartDiagnosis, Problem> {
    let now = OffsetDateTime::now_utc();
    let mut pasted = PastedReference::read(text).map_err(Problem::bad_request)?;
    let instances = app.database.list_instances(INSTANCES).await?.items;
    let mut watch = WatchingInstance::find(&pasted, &instances, now);
    if let (None, Some(other)) = (&watch, pasted.on_docker_hub()) {
        pasted = other;
        watch = WatchingInstance::find(&pasted, &instances, now);
    }
    if watch.is_none() {
        pasted.check().map_err(Problem::bad_request)?;
    }
    let (host, repository) = match &watch {
        Some(watch) => (watch.registry_host.clone(), watch.repository.to_string()),
        None => pasted.host_and_repository(),
    };
    let reference = pasted.reference.as_ref().map(shared::domain::Reference::as_str);
    let (first, live) = match &watch {
        None => (unwatched(&pasted, &instances), Live::without_answer(Vec::new())),
        Some(watch) => ask(app, watch, &pasted).await,
    };
    let name = watch.as_ref().map(|watch| watch.instance.name.as_str());
    let found = app.database.find_chart(&host, &repository, reference, name).await?;
    let ending = ending_of_orphan(app, &found).await?;
    let evidence = Evidence { pasted: &pasted, watch, live, now };
    let mut steps = vec![first];
    if let (None, Some(ending)) = (&evidence.watch, &ending) {
        add_remedy(&mut steps, ending);
    }
    steps.extend(evidence.live.steps.iter().cloned());
    steps.extend(evidence.skipped());
    let row = row(&evidence, &found);
    steps.push(kind(&found));
    let mut freshness = vec![freshness(&evidence, row.ok == Some(true))];
    if let Some(ending) = &ending {
        add_remedy(&mut freshness, ending);
    }
    steps.append(&mut freshness);
    steps.push(row);
    steps.sort_by_key(|step| step.id);
    let verdict = steps.iter().find(|step| step.has_failed()).map_or("ok", |step| step.id.as_str());
    Ok(ChartDiagnosis { reference: pasted.shown(&host, &repository), verdict, steps, found })
}

/// Returns the words that say how to end the rows of a registry that no live instance watches.
/// Returns `None` if one does, or if there is no available row.
async fn ending_of_orphan(app: &App, found: &Findings) -> Result<Option<String>, Problem> {
    let Some(registry) = found.registry.as_ref().filter(|registry| registry.available > 0) else {
        return Ok(None);
    };
    let Ok(name) = registry.domain_name.parse::<DomainName>() else { return Ok(None) };
    let known = app.database.known_instances().await?;
    let payload = json!({"orphans": registry.domain_name});
    Ok(known.live_at(&Registry::named(name)).is_none().then(|| {
        format!(
            "If the registry is not to be watched any more, end its rows, which are orphans: \
             invoke oci-poll with {payload}."
        )
    }))
}

/// Adds a way out to the steps that failed.
fn add_remedy(steps: &mut [Step], more: &str) {
    for step in steps {
        if let Some(remedy) = &mut step.remedy {
            *remedy = format!("{remedy} {more}");
        }
    }
}

/// Asks the registry through the function that has its credentials.
async fn ask(app: &App, watch: &WatchingInstance, pasted: &PastedReference) -> (Step, Live) {
    let no_answer = Live::without_answer(Vec::new());
    let name = &watch.instance.name;
    let (Some(function), Some(configuration)) =
        (&watch.instance.function_name, &watch.instance.configuration)
    else {
        let detail = format!(
            "The instance {name} watches it, and has not run since this version was deployed."
        );
        let remedy = "See why: its schedule, and the log of its function.";
        return (Step::failed(StepId::Instance, detail, remedy), no_answer);
    };
    let payload = json!({"instance": configuration, "diagnose": watch.request(pasted)});
    let answer = app.functions.ask(function, &payload).await;
    match answer.and_then(|answer| Ok(serde_json::from_value(answer)?)) {
        Ok(live) => (
            Step::passed(
                StepId::Instance,
                format!("The instance {name} watches it, with the function {function}."),
            ),
            live,
        ),
        Err(error) => {
            let detail = format!(
                "The instance {name} watches it. Its function {function}, which has the \
                 credentials, was asked for the steps below: {}.",
                shared::telemetry::Causes(&error)
            );
            (Step::failed(StepId::Instance, detail, error.remedy()), no_answer)
        }
    }
}

fn kind(found: &Findings) -> Step {
    match &found.registry {
        Some(registry) => Step::passed(
            StepId::Kind,
            format!("The kind {:?} shows the charts of this repository.", registry.kind),
        ),
        None => Step::skipped(StepId::Kind, "A repository gets its kind with its first chart."),
    }
}
