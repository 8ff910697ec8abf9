//! Refuses a reference that is none, and sends the registry few requests.

use std::time::Duration;

use crate::support::admin_site::{client, read};
use crate::support::diagnosis_site::{DiagnosisSite, api, one_chart};
use crate::support::stack::instance;

#[tokio::test]
async fn what_is_no_reference_is_refused_and_a_registry_is_asked_four_times() {
    let desk = DiagnosisSite::new().await;
    let url = format!("{}/api/v2/diagnose", desk.admin.url());
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
    // A registry that takes its time is waited for, and no request to it comes from here.
    let fake = one_chart().await;
    fake.tags("team/api", &["1.0.0"]).slow(Duration::from_millis(300));
    desk.poll(&instance(&fake.url())).await;
    let before = fake.asked().len();
    desk.expect_ok(&api(&fake)).await;
    assert_eq!(
        fake.asked().len() - before,
        4,
        "tags, catalog, manifest, layer: {:?}",
        fake.asked()
    );
}
