//! GitHub's lists of packages. The fake follows GitHub's documents, and lies as GitHub was seen to.

use serde_json::{Value, json};

use crate::support::assert_summary::assert_summary;
use crate::support::vendor_site::{VendorSite, only_error};

const TOKEN: &str = "ghp_classic";

const OWN: &str = "/user/packages?package_type=container&per_page=100&page=1";
const ORGANISATIONS: &str = "/user/orgs?per_page=100&page=1";

fn packages_of(account: &str, page: usize) -> String {
    format!("/{account}/packages?package_type=container&per_page=100&page={page}")
}

/// Returns a page of packages as GitHub writes it.
fn packages(owner: &str, names: &[&str]) -> Value {
    let package = |name: &&str| {
        json!({"id": 11, "name": name, "package_type": "container", "version_count": 1,
            "visibility": "private", "updated_at": "2026-01-02T03:04:05Z",
            "owner": {"login": owner, "id": 7}})
    };
    names.iter().map(package).collect()
}

async fn site() -> VendorSite {
    VendorSite::start("github", json!({"apiToken": TOKEN})).await
}

/// The example of docs/registries/ghcr.md, with the registry and the API on this machine.
#[tokio::test]
async fn charts_of_the_user_and_its_organisations_are_found_without_a_list() {
    let mut site = site().await;
    site.set("domain", json!("https://ghcr.io"));
    site.push(&["jane/notes", "acme/tea", "acme/charts/cups", "big/last"]);
    let bearer = format!("Bearer {TOKEN}");
    site.api.answer(OWN, packages("Jane", &["notes"])).needs(&bearer, "Basic");
    let organisations = json!([{"login": "Acme", "id": 1}, {"login": "big", "id": 2}]);
    site.api.answer(ORGANISATIONS, organisations).needs(&bearer, "Basic");
    site.api.answer(&packages_of("orgs/acme", 1), packages("Acme", &["tea", "charts/cups"]));
    // A full page has a link to the next one.
    let names: Vec<String> = (0..100).map(|n| format!("image-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let link = format!("<https://api.github.com{}>; rel=\"next\"", packages_of("orgs/big", 2));
    site.api.answer(&packages_of("orgs/big", 1), packages("big", &names)).link(&link);
    site.api.answer(&packages_of("orgs/big", 2), packages("big", &["last"])).link("<x>; rel=prev");
    for name in names {
        site.registry.tags(&format!("big/{name}"), &[]);
    }
    let summary = site.poll().await;
    assert_summary!(summary, added = 4, repositories = 104, complete = true);
    assert_eq!(
        site.repositories().await,
        ["acme/charts/cups", "acme/tea", "big/last", "jane/notes"]
    );
    assert!(site.stack.charts().await[0].contains("ghcr.io "));
    assert!(site.api.asked().iter().all(|asked| asked.authorization.as_ref() == Some(&bearer)));
    assert!(site.registry.asked().iter().all(|asked| asked.authorization.is_none()));
    assert_eq!(site.registry.count("", "_catalog"), 0);
    assert_summary!(site.poll().await, added = 0, unavailable = 0, complete = true);
}

#[tokio::test]
async fn without_a_token_the_error_says_what_to_set() {
    let site = VendorSite::start("github", Value::Null).await;
    let summary = site.poll().await;
    let error = only_error(&summary);
    for part in [
        "GitHub cannot be asked for its repositories",
        "classic personal access token",
        "read:packages and read:org",
        "oci.credentialsSecretArn",
        "oci.repositories",
    ] {
        assert!(error.contains(part), "{error}");
    }
    assert_summary!(summary, complete = false);
    assert!(site.api.asked().is_empty());
}

#[tokio::test]
async fn refusal_names_the_right_or_the_kind_of_token_that_is_missing() {
    let refused = |status: u16, scopes: &str| (status, scopes.to_owned());
    for (token, path, answer, expected) in [
        (TOKEN, ORGANISATIONS, refused(403, "read:packages"), "right read:org"),
        (TOKEN, ORGANISATIONS, refused(403, "read:packages"), "set oci.namespaces"),
        (TOKEN, OWN, refused(403, "repo, read:org"), "right read:packages"),
        (TOKEN, OWN, refused(401, ""), "wrong or expired"),
        ("github_pat_x", OWN, refused(403, ""), "fine-grained one (github_pat_…)"),
        ("ghs_x", OWN, refused(400, ""), "Actions or of an App (ghs_…)"),
        ("unknown", OWN, refused(400, ""), "classic personal access tokens only"),
    ] {
        let site = VendorSite::start("github", json!({"apiToken": token})).await;
        site.api.answer(ORGANISATIONS, json!([]));
        site.api.answer(OWN, json!([]));
        let (status, scopes) = answer;
        let message = json!({"message": "Invalid argument."});
        let answered = site.api.answer(path, message).status(status);
        if !scopes.is_empty() {
            answered.header("x-oauth-scopes", &scopes);
        }
        let summary = site.poll().await;
        let error = only_error(&summary);
        assert!(error.contains(expected) && !error.contains(token), "{expected}: {error}");
        assert!(error.contains(&status.to_string()) && error.contains("/user/"), "{error}");
    }
}

#[tokio::test]
async fn token_that_sees_nothing_is_an_error_with_a_remedy() {
    for (scopes, expected) in [
        ("read:packages", "lacks the right read:org"),
        ("read:packages, read:org", "GitHub lists no repository"),
    ] {
        let site = site().await;
        site.api.answer(ORGANISATIONS, json!([])).header("x-oauth-scopes", scopes);
        site.api.answer(OWN, json!([]));
        let summary = site.poll().await;
        assert!(only_error(&summary).contains(expected), "{summary}");
        assert_summary!(summary, complete = false);
    }
}

#[tokio::test]
async fn namespace_is_an_organisation_or_a_user_and_a_wrong_one_hides_no_other() {
    let mut site = site().await;
    site.set("namespaces", json!(["Acme", "jane", "mistyped"]));
    site.push(&["acme/tea", "jane/notes"]);
    site.api.answer(&packages_of("orgs/acme", 1), packages("Acme", &["tea"]));
    site.api.answer(&packages_of("users/jane", 1), packages("Jane", &["notes"]));
    let summary = site.poll().await;
    assert_summary!(summary, added = 2, complete = false);
    let error = only_error(&summary);
    assert!(error.contains("no organisation and no user mistyped"), "{error}");
    assert_eq!(site.api.count("", "/user/"), 0);
}

/// GitHub's pages lack a package now and then.
#[tokio::test]
async fn package_that_a_page_lacks_keeps_its_charts() {
    let mut site = site().await;
    site.set("namespaces", json!(["acme"]));
    site.push(&["acme/tea", "acme/cups"]);
    let page = packages_of("orgs/acme", 1);
    site.api.answer(&page, packages("acme", &["tea", "cups"]));
    assert_summary!(site.poll().await, added = 2, complete = true);
    site.api.answer(&page, packages("acme", &["tea"]));
    // It has a new tag, which is found all the same.
    site.registry.tags("acme/cups", &["1.0.0", "2.0.0"]);
    site.registry.chart("acme/cups", "2.0.0", "new");
    let summary = site.poll().await;
    assert_summary!(summary, added = 1, unavailable = 0, held = 0, complete = true);
    site.api.answer(&page, packages("acme", &["tea", "cups"]));
    assert_summary!(site.poll().await, added = 0, unavailable = 0, complete = true);
    assert_eq!(site.stack.charts().await.len(), 3);
}

#[tokio::test]
async fn unchanged_pages_are_asked_for_with_their_etag() {
    let mut site = site().await;
    site.set("namespaces", json!(["acme"]));
    site.push(&["acme/tea"]);
    let page = packages_of("orgs/acme", 1);
    site.api.answer(&page, packages("acme", &["tea"])).header("etag", "W/\"1\"");
    assert_summary!(site.poll().await, added = 1, complete = true);
    // The same `ETag` is answered with 304 and no body. Without it this would be no list.
    site.api.answer(&page, json!("no list")).header("etag", "W/\"1\"");
    assert_summary!(site.poll().await, added = 0, spared = 1, complete = true);
    site.push(&["acme/cups"]);
    site.api.answer(&page, packages("acme", &["tea", "cups"])).header("etag", "W/\"2\"");
    assert_summary!(site.poll().await, added = 1, complete = true);
}
