//! GitLab's lists of registry repositories. The fake follows GitLab's documents.

use serde_json::{Value, json};

use crate::support::assert_summary::assert_summary;
use crate::support::vendor_site::{VendorSite, only_error};

const GROUPS: &str = "/api/v4/groups?all_available=false&per_page=100&page=1";
const PROJECTS: &str = "/api/v4/projects?membership=true&simple=true&per_page=100&page=1";

fn repositories_of(kind: &str, path: &str, page: usize) -> String {
    let path = path.replace('/', "%2F");
    format!("/api/v4/{kind}/{path}/registry/repositories?per_page=100&page={page}")
}

fn repositories(paths: &[&str]) -> Value {
    let repository = |path: &&str| {
        json!({"id": 1, "name": "", "path": path, "project_id": 9, "status": null,
            "location": format!("registry.example:5000/{path}"),
            "created_at": "2026-01-02T03:04:05.678Z"})
    };
    paths.iter().map(repository).collect()
}

#[tokio::test]
async fn groups_with_their_subgroups_and_projects_of_the_user_are_found() {
    let site = VendorSite::start("gitlab", json!({"username": "x", "password": "glpat-x"})).await;
    site.push(&["acme/tea", "acme/tools/cups", "jane/notes"]);
    let token = ("private-token", "glpat-x");
    let groups = json!([{"full_path": "Acme"}, {"full_path": "Acme/tools"}]);
    site.api.answer(GROUPS, groups).needs_header(token.0, token.1);
    let projects =
        json!([{"path_with_namespace": "Acme/shop"}, {"path_with_namespace": "jane/notes"}]);
    site.api.answer(PROJECTS, projects).needs_header(token.0, token.1);
    let group = |page| repositories_of("groups", "Acme", page);
    let link = format!("<{}>; rel=\"next\", <{}>; rel=\"first\"", group(2), group(1));
    site.api.answer(&group(1), repositories(&["acme/tea"])).link(&link);
    site.api.answer(&group(2), repositories(&["acme/tools/cups"])).needs_header(token.0, token.1);
    let own = repositories(&["Jane/notes"]);
    site.api.answer(&repositories_of("projects", "jane/notes", 1), own);
    assert_summary!(site.poll().await, added = 3, complete = true);
    // Neither the subgroup nor the project in the group is asked for again.
    assert_eq!(site.api.asked().len(), 5);
}

#[tokio::test]
async fn namespace_is_a_group_or_a_project_and_a_job_token_has_its_own_header() {
    let mut site = VendorSite::start("gitlab", json!({"apiToken": "glcbt-x"})).await;
    site.set("namespaces", json!(["acme/tools/shop", "other"]));
    site.push(&["acme/tools/shop/tea"]);
    let page = repositories(&["acme/tools/shop/tea"]);
    let project = repositories_of("projects", "acme/tools/shop", 1);
    site.api.answer(&project, page).needs_header("job-token", "glcbt-x");
    let summary = site.poll().await;
    assert_summary!(summary, added = 1, complete = false);
    assert!(only_error(&summary).contains("no group and no project other"), "{summary}");
}

#[tokio::test]
async fn list_of_groups_without_an_end_or_a_limit_is_an_error() {
    let groups = |count: usize| -> Value {
        (0..count).map(|number| json!({"full_path": format!("g{number}")})).collect()
    };
    let site = VendorSite::start("gitlab", json!({"apiToken": "glpat-x"})).await;
    for page in 1..4 {
        let page = GROUPS.replace("&page=1", &format!("&page={page}"));
        site.api.answer(&page, groups(100));
    }
    let summary = site.poll().await;
    assert!(only_error(&summary).contains("in a circle or without end"), "{summary}");
    assert_eq!(site.api.asked().len(), 2);
    site.api.answer(GROUPS, groups(101));
    let summary = site.poll().await;
    assert!(only_error(&summary).contains("more than 100 items"), "{summary}");
}

/// Case from the field 24.
#[tokio::test]
async fn token_that_no_header_can_carry_is_an_error_that_names_the_secret() {
    let mut site = VendorSite::start("gitlab", json!({"apiToken": "glpat-x\n"})).await;
    site.set("namespaces", json!(["acme"]));
    site.api.answer(&repositories_of("groups", "acme", 1), repositories(&[]));
    let summary = site.poll().await;
    assert!(only_error(&summary).contains("oci.credentialsSecretArn"), "{summary}");
    assert!(site.api.asked().is_empty());
}

#[tokio::test]
async fn refusal_names_the_right_or_the_kind_of_token_that_is_missing() {
    for (secret, status, expected) in [
        ("glpat-x", 401, "wrong or expired"),
        ("glpat-x", 403, "lacks the right read_api"),
        ("gldt-x", 401, "A deploy token lists nothing"),
    ] {
        let secret = json!({"username": "x", "password": secret});
        let site = VendorSite::start("gitlab", secret).await;
        site.api.answer(GROUPS, json!({"message": "no"})).status(status);
        let summary = site.poll().await;
        assert!(only_error(&summary).contains(expected), "{summary}");
    }
    let site = VendorSite::start("gitlab", Value::Null).await;
    assert!(only_error(&site.poll().await).contains("oci.namespaces"));
}

/// The registry denies its catalog to everybody but administrators, and its realm shows GitLab.
#[tokio::test]
async fn registry_that_shows_itself_as_gitlab_is_listed_by_its_own_call() {
    let mut site = VendorSite::start("gitlab", json!({"username": "x", "password": "p"})).await;
    for field in ["catalog", "catalogUrl"] {
        site.set(field, Value::Null);
    }
    // Here the API and the registry are one host, as the realm must be.
    let fake = &site.registry;
    let realm = format!("{}/jwt/auth", fake.url());
    let challenge = |scope: &str| {
        format!("Bearer realm=\"{realm}\",service=\"container_registry\",scope=\"{scope}\"")
    };
    fake.answer("/v2/", json!({})).needs("Bearer base", &challenge(""));
    fake.answer(
        "/jwt/auth?scope=registry%3Acatalog%3A*&service=container_registry",
        json!({
        "token": "empty"}),
    );
    fake.answer("/jwt/auth?service=container_registry", json!({"token": "base"}));
    fake.catalog(&[]).needs("Bearer admin", &challenge("registry:catalog:*"));
    fake.answer(
        "/jwt/auth?scope=repository%3Aacme%2Ftea%3Apull&service=container_registry",
        json!({"token": "pull"}),
    );
    fake.answer(GROUPS, json!([{"full_path": "acme"}])).needs_header("private-token", "p");
    fake.answer(PROJECTS, json!([]));
    let page = repositories_of("groups", "acme", 1);
    fake.answer(&page, repositories(&["acme/tea"]));
    site.push(&["acme/tea"]);
    assert_summary!(site.poll().await, added = 1, complete = true);
    let before = site.registry.count("", "_catalog");
    assert_summary!(site.poll().await, added = 0, complete = true);
    assert_eq!(site.registry.count("", "_catalog"), before, "the vendor is remembered");
}
