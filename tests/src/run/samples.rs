//! Pushes the sample charts, and sends the events that ECR would send for them.

use anyhow::{Context as _, bail};
use serde_json::json;
use shared::domain::Digest;
use shared::oci::{AllowedAddresses, Connections, Login};
use tests::function::Function;
use tests::helm;
use tests::push::Pusher;
use tests::registry::Registry;

use super::output::progress;

/// The ECR registry of the events for `ecr-events`. Its content is in the local registry.
const ECR_DOMAIN: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";

/// The charts that the Helm client pushes: folder in `tests/charts`, version, namespace.
const SAMPLES: [(&str, &str, &str); 6] = [
    ("hello", "0.1.0", "demo"),
    ("hello", "0.2.0+build.7", "demo"),
    ("payments-api", "1.0.0", "my-org"),
    ("payments-api", "1.1.0", "other-org"),
    ("orders", "2.0.0", "shop"),
    ("orders", "2.1.0", "shop"),
];

/// The repository whose samples have events for `ecr-events`.
const ECR_REPOSITORY: &str = "shop/orders";

/// The tag that stays.
const ECR_KEPT: &str = "2.1.0";

/// The tag that is deleted.
const ECR_DELETED: &str = "2.0.0";

/// A row that the table must have at the end of a correct run.
pub(super) struct Expected {
    pub(super) registry: String,
    pub(super) repository: String,
    pub(super) tag: String,
    pub(super) digest: Digest,
    pub(super) state: &'static str,
}

/// Pushes the samples, and sends `ecr-events` the events that ECR would send for some of them.
/// Returns the rows that the table must have.
pub(super) async fn push_samples(
    registry: &Registry,
    ecr_events: &Function,
) -> anyhow::Result<Vec<Expected>> {
    let url = registry.url()?;
    let connections =
        Connections::new(shared::tls::client_config(None)?, AllowedAddresses::default());
    let oci = connections.client(url.clone(), Login::Anonymous, 1)?;
    let mut expected = Vec::new();
    for (chart, version, namespace) in SAMPLES {
        progress(&format!("helm push {chart}-{version}.tgz oci://{}/{namespace}", registry.host()));
        helm::push_sample(chart, version, registry.host(), namespace).await?;
        let (repository, tag) = (format!("{namespace}/{chart}"), version.replace('+', "_"));
        let reference = shared::domain::Reference::Tag(tag.parse()?);
        let digest = oci.get_manifest(&repository.parse()?, &reference).await?.digest;
        expected.push(Expected {
            registry: url.to_string(),
            repository,
            tag,
            digest,
            state: "available",
        });
    }

    for tag in [ECR_KEPT, ECR_DELETED] {
        let at = expected.iter().position(|row| row.repository == ECR_REPOSITORY && row.tag == tag);
        let at = at.context("no such sample")?;
        let digest = expected.get(at).context("no such sample")?.digest.clone();
        progress(&format!("ECR event: PUSH {ECR_REPOSITORY}:{tag}"));
        send(ecr_events, "PUSH", tag, &digest).await?;
        let mut row = Expected {
            registry: ECR_DOMAIN.to_owned(),
            repository: ECR_REPOSITORY.to_owned(),
            tag: tag.to_owned(),
            digest: digest.clone(),
            state: "available",
        };
        if tag == ECR_DELETED {
            progress(&format!("deleting {ECR_REPOSITORY}:{tag}, ECR event: DELETE"));
            Pusher::new(registry.host())?.delete(ECR_REPOSITORY, &digest).await?;
            send(ecr_events, "DELETE", tag, &digest).await?;
            row.state = "DELETED";
            // The tag is deleted before the first pass, so the polled registry never has a row for
            // it.
            expected.remove(at);
        }
        expected.push(row);
    }
    Ok(expected)
}

/// Sends one message as SQS would.
async fn send(
    ecr_events: &Function,
    action: &str,
    tag: &str,
    digest: &Digest,
) -> anyhow::Result<()> {
    let body = json!({
        "version": "0", "id": "00000000-0000-0000-0000-000000000000",
        "detail-type": "ECR Image Action", "source": "aws.ecr", "account": "123456789012",
        "region": "us-east-1", "resources": [],
        "time": time::OffsetDateTime::now_utc()
            .format(&time::format_description::well_known::Rfc3339)?,
        "detail": {
            "result": "SUCCESS", "action-type": action, "repository-name": ECR_REPOSITORY,
            "image-digest": digest.as_str(), "image-tag": tag,
        },
    });
    let batch = json!({"Records": [{"messageId": "1", "body": body.to_string()}]});
    let answer = ecr_events.invoke(&batch).await?;
    if answer != json!({"batchItemFailures": []}) {
        bail!("ecr-events did not handle the {action} of {tag}: {answer}");
    }
    Ok(())
}
