//! The page of the instances lists what no instance watches any more.

use reqwest::Response;

use crate::support::admin_site::client;
use crate::support::diagnosis_site::{DiagnosisSite, one_chart};
use crate::support::stack::count;

async fn page(site: &DiagnosisSite) -> String {
    let url = format!("{}/admin/instances", site.admin.url());
    let answer = client().get(url).send().await.and_then(Response::error_for_status);
    answer.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn orphans_are_listed_with_the_payload_that_ends_them() {
    let fake = one_chart().await;
    let site = DiagnosisSite::polling(&fake).await;
    assert!(!page(&site).await.contains("id=\"orphans\""));
    site.set_instances("last_started_at = now() - interval '1 day'").await;
    let listed = page(&site).await;
    assert!(listed.contains("id=\"orphans\"") && listed.contains("1</td>"), "{listed}");
    let (_, payload) = listed.split_once("<code class=\"payload\">").unwrap();
    let (payload, _) = payload.split_once("</code>").unwrap();
    site.follow(&format!("invoke oci-poll with {}", payload.replace("&quot;", "\""))).await;
    assert!(!page(&site).await.contains("id=\"orphans\""));
    let rows = &site.stack.rows;
    assert_eq!(count(rows, "SELECT count(*) FROM helm_charts WHERE available").await, 0);
    assert_eq!(count(rows, "SELECT count(*) FROM discovery_instances").await, 0);
}
