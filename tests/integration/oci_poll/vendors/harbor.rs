//! Harbor's lists of repositories. The fake answers as a real Harbor was seen to.

use serde_json::{Value, json};

use crate::support::assert_summary::assert_summary;
use crate::support::fake_registry::FakeRegistry;
use crate::support::stack::Stack;
use crate::support::vendor_site::{VendorSite, only_error};

/// The Basic credentials `robot$x:letmein`.
const BASIC: &str = "Basic cm9ib3QkeDpsZXRtZWlu";

const ALL: &str = "/api/v2.0/repositories?page_size=100&page=1";

fn repositories(names: &[&str]) -> Value {
    let repository = |name: &&str| {
        json!({"id": 4, "project_id": 2, "name": name, "artifact_count": 3, "pull_count": 9,
            "update_time": "2026-01-02T03:04:05.678Z"})
    };
    names.iter().map(repository).collect()
}

/// Starts a Harbor whose catalog is denied, as to a robot without the right `catalog: read`.
async fn site() -> VendorSite {
    let secret = json!({"username": "robot$x", "password": "letmein"});
    let mut site = VendorSite::start("harbor", secret).await;
    for field in ["catalog", "catalogUrl"] {
        site.set(field, Value::Null);
    }
    let fake = &site.registry;
    let realm = format!("{}/service/token", fake.url());
    let bearer = format!("Bearer realm=\"{realm}\",service=\"harbor-registry\"");
    fake.answer("/v2/", json!({})).needs("Bearer x", &bearer);
    fake.catalog(&[]).needs("Basic admin", "Basic realm=\"harbor\"");
    for scope in ["registry%3Acatalog%3A*", "repository%3Aacme%2Fcharts%2Ftea%3Apull"] {
        // A denied user still gets a token, and `access_token` is always empty.
        let token = json!({"token": "x", "access_token": "", "expires_in": 1800});
        fake.answer(&format!("/service/token?scope={scope}&service=harbor-registry"), token);
    }
    fake.answer(
        "/service/token?service=harbor-registry",
        json!({"token": "x", "access_token": "", "expires_in": 1800}),
    );
    site
}

/// Case from the field 27.
#[tokio::test]
async fn robot_without_the_right_to_the_catalog_is_listed_by_harbors_own_call() {
    let site = site().await;
    site.push(&["acme/charts/tea"]);
    let page = repositories(&["acme/charts/tea"]);
    site.registry.answer(ALL, page).needs(BASIC, "Basic").header("x-total-count", "1");
    assert_summary!(site.poll().await, added = 1, complete = true);
    let before = site.registry.count("", "_catalog");
    assert_summary!(site.poll().await, added = 0, complete = true);
    assert_eq!(site.registry.count("", "_catalog"), before, "the vendor is remembered");
}

/// Case from the field 27.
#[tokio::test]
async fn robot_that_may_list_nothing_is_told_which_right_is_missing() {
    let site = site().await;
    site.registry.answer(ALL, json!({"errors": [{"code": "UNAUTHORIZED"}]})).status(401);
    let error = only_error(&site.poll().await).to_owned();
    for part in ["Harbor refuses GET", "catalog: read", "oci.repositories"] {
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn projects_are_listed_one_by_one_and_page_by_page() {
    let secret = json!({"username": "robot$x", "password": "letmein"});
    let mut site = VendorSite::start("harbor", secret).await;
    site.set("namespaces", json!(["acme", "tools@home"]));
    site.push(&["acme/tea", "acme/cups", "tools/spoon"]);
    let page = |project: &str, number: usize| {
        format!("/api/v2.0/projects/{project}/repositories?page_size=100&page={number}")
    };
    let link = format!("<{}>; rel=\"next\"", page("acme", 2));
    site.api.answer(&page("acme", 1), repositories(&["acme/tea"])).link(&link);
    site.api.answer(&page("acme", 2), repositories(&["acme/cups"])).needs(BASIC, "Basic");
    // Harbor decodes the name of a project twice.
    site.api.answer(&page("tools%2540home", 1), repositories(&["tools/spoon"]));
    assert_summary!(site.poll().await, added = 3, complete = true);
}

/// A limit of Harbor's API is a limit of its registry.
#[tokio::test]
async fn limit_at_the_registrys_own_address_stops_all_requests() {
    let site = site().await;
    site.registry.answer(ALL, json!({})).status(429).header("retry-after", "600");
    let summary = site.poll().await;
    assert!(only_error(&summary).contains("registry closed until"), "{summary}");
    let before = site.registry.asked().len();
    site.poll().await;
    assert_eq!(site.registry.asked().len(), before);
}

#[tokio::test]
async fn registry_that_names_no_vendor_is_asked_for_its_catalog_alone() {
    let (stack, fake) = (Stack::new().await, FakeRegistry::start().await);
    let instance = crate::support::stack::instance(&fake.url());
    let function = stack.oci_poll().await;
    for status in [404, 401, 403] {
        fake.catalog(&[]).status(status);
        let summary = function.invoke(&instance).await.unwrap();
        assert!(only_error(&summary).contains("the catalog cannot be read"), "{summary}");
    }
    assert_eq!(fake.count("", "/api/"), 0);
}
