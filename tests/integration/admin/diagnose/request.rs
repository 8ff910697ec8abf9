//! The diagnosis refuses a malformed reference, and sends few requests to the registry.

use std::time::Duration;

use crate::support::admin_site::{client, read};
use crate::support::diagnosis_site::{DiagnosisSite, api, one_chart};

#[tokio::test]
async fn malformed_reference_is_refused() {
    let site = DiagnosisSite::new().await;
    let url = format!("{}/api/v2/diagnose", site.admin.url());
    for (query, named) in [
        ("", "reference"),
        ("?reference=", "empty"),
        ("?reference=ghcr.io", "no repository"),
        ("?reference=ghcr.io/Api:1", "lower-case"),
        ("?reference=ghcr.io/My-Org/api:1", "lower-case"),
        ("?reference=team/api:1", "begin with it, as in ghcr.io/team/api"),
        ("?reference=a/b:1&tag=1", "tag"),
        ("?reference=%00/b:1", "no registry"),
    ] {
        let (status, problem) =
            read(client().get(format!("{url}{query}")).send().await.unwrap()).await;
        assert_eq!(status, 400, "{query}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(named), "{query}: {problem}");
    }
}

#[tokio::test]
async fn slow_registry_is_asked_four_times() {
    let fake = one_chart().await;
    fake.tags("team/api", &["1.0.0"]).slow(Duration::from_millis(300));
    let site = DiagnosisSite::polling(&fake).await;
    let before = fake.asked().len();
    site.expect_ok(&api(&fake)).await;
    assert_eq!(
        fake.asked().len() - before,
        4,
        "tags, catalog, manifest, layer: {:?}",
        fake.asked()
    );
}
