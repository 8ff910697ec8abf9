//! The page and the API of the instances list what no instance watches any more.

use reqwest::Response;
use serde_json::{Value, json};

use crate::support::admin_site::{client, read};
use crate::support::diagnosis_site::{DiagnosisSite, one_chart};
use crate::support::stack::count;

async fn page(site: &DiagnosisSite) -> String {
    let url = format!("{}/admin/instances", site.admin.url());
    let answer = client().get(url).send().await.and_then(Response::error_for_status);
    answer.unwrap().text().await.unwrap()
}

/// Returns the orphans as the API lists them.
async fn orphans(site: &DiagnosisSite) -> Value {
    let url = format!("{}/api/v2/discovery-instances/orphans", site.admin.url());
    let (status, listed) = read(client().get(url).send().await.unwrap()).await;
    assert_eq!(status, 200, "{listed}");
    listed["items"].clone()
}

#[tokio::test]
async fn orphans_are_listed_with_the_payload_that_ends_them() {
    let fake = one_chart().await;
    let site = DiagnosisSite::polling(&fake).await;
    assert!(!page(&site).await.contains("id=\"orphans\""));
    let ago = "now() - interval '1 day'";
    site.set_instances(&format!("last_started_at = {ago}, last_invoked_at = {ago}")).await;
    let listed = page(&site).await;
    assert!(listed.contains("id=\"orphans\"") && listed.contains("1</td>"), "{listed}");
    let orphan = json!({
        "domain_name": fake.url(), "charts": 1, "instances": ["test"],
        "payload": {"orphans": fake.url()},
    });
    assert_eq!(orphans(&site).await, json!([orphan]));
    let (_, payload) = listed.split_once("<code class=\"payload\">").unwrap();
    let (payload, _) = payload.split_once("</code>").unwrap();
    site.follow(&format!("invoke oci-poll with {}", payload.replace("&quot;", "\""))).await;
    assert!(!page(&site).await.contains("id=\"orphans\""));
    assert_eq!(orphans(&site).await, json!([]));
    let rows = &site.stack.rows;
    assert_eq!(count(rows, "SELECT count(*) FROM helm_charts WHERE available").await, 0);
    assert_eq!(count(rows, "SELECT count(*) FROM discovery_instances").await, 0);
}
