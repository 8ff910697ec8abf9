//! Lists that span several pages, as registries send them.

use serde_json::{Value, json};
use shared::oci::Error;

use crate::support::fake_registry::FakeRegistry;
use crate::support::oci_client::anonymous;

/// Cases from the field 4 and 5.
#[tokio::test]
async fn catalog_and_tags_are_read_to_their_end_without_a_link() {
    let fake = FakeRegistry::start().await;
    let names: Vec<String> = (1000..3500).map(|n| format!("r/{n}")).collect();
    let tags: Vec<String> = (1000..3000).map(|n| n.to_string()).collect();
    for (query, page) in [
        ("n=1000", &names[..1000]),
        ("n=1000&last=r%2F1999", &names[1000..2000]),
        ("n=1000&last=r%2F2999", &names[2000..]),
    ] {
        fake.answer(&format!("/v2/_catalog?{query}"), json!({"repositories": page}));
    }
    // Behind the last tag, the registry starts again from the first.
    for (query, page) in [
        ("n=1000", &tags[..1000]),
        ("n=1000&last=1999", &tags[1000..]),
        ("n=1000&last=2999", &tags[..1000]),
    ] {
        fake.answer(&format!("/v2/a/tags/list?{query}"), json!({"tags": page}));
    }
    let client = anonymous(&fake.url());
    let mut pages = client.list_repositories(None);
    let mut listed = Vec::new();
    while let Some(page) = pages.next().await.unwrap() {
        listed.extend(page.names.iter().map(ToString::to_string));
    }
    assert_eq!(listed, names);
    // A saved position resumes the list.
    let position = Some("n=1000&last=r%2F2999".to_owned());
    let rest = client.list_repositories(position).next().await.unwrap().unwrap();
    assert_eq!(rest.names.len(), 500);
    let page = client.list_tags(&"a".parse().unwrap()).await.unwrap();
    assert_eq!(page.names.iter().map(ToString::to_string).collect::<Vec<_>>(), tags);
    assert_eq!((fake.count("GET", "_catalog"), fake.count("GET", "tags/list")), (4, 3));
}

/// Case from the field 4.
#[tokio::test]
async fn link_in_any_form_leads_on_or_is_an_error() {
    let fake = FakeRegistry::start().await;
    let client = anonymous(&fake.url());
    let repository = "a".parse().unwrap();
    fake.answer("/v2/a/tags/list?last=1", json!({"tags": ["2"]}));
    for link in ["<?last=1>; rel='next'", "?last=1; rel = \"next last\""] {
        fake.tags("a", &["1"]).link(link);
        assert_eq!(client.list_tags(&repository).await.unwrap().names.len(), 2, "{link}");
    }
    fake.tags("a", &["1"]).link("page 2 of 3");
    let error = client.list_tags(&repository).await.unwrap_err();
    assert!(matches!(error, Error::UnreadableLink { .. }), "{error}");
}

/// Case from the field 6.
#[tokio::test]
async fn refused_page_size_is_lowered_and_remembered() {
    let too_many = json!({"errors": [{"code": "PAGINATION_NUMBER_INVALID"}]});
    let other = json!({"errors": [{"code": "NAME_INVALID"}]});
    for (status, body) in [(400, &too_many), (413, &json!("")), (422, &json!(""))] {
        let fake = FakeRegistry::start().await;
        fake.answer("/v2/a/tags/list?n=1000", body.clone()).status(status);
        fake.answer("/v2/a/tags/list?n=100", json!({"tags": ["1"]}));
        fake.answer("/v2/b/tags/list?n=100", body.clone()).status(status);
        fake.answer("/v2/b/tags/list", json!({"tags": ["1"]}));
        let client = anonymous(&fake.url());
        for repository in ["a", "a", "b", "b"] {
            let page = client.list_tags(&repository.parse().unwrap()).await.unwrap();
            assert_eq!(page.names.len(), 1, "{status}");
        }
        let asked: Vec<String> = fake.asked().into_iter().map(|asked| asked.path).collect();
        assert_eq!(
            asked,
            [
                "/v2/a/tags/list?n=1000",
                "/v2/a/tags/list?n=100",
                "/v2/a/tags/list?n=100",
                "/v2/b/tags/list?n=100",
                "/v2/b/tags/list",
                "/v2/b/tags/list"
            ]
        );
    }
    // Another fault has nothing to do with the number.
    let fake = FakeRegistry::start().await;
    fake.answer("/v2/a/tags/list?n=1000", other).status(400);
    let error = anonymous(&fake.url()).list_tags(&"a".parse().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("NAME_INVALID"), "{error}");
    assert_eq!(fake.asked().len(), 1);
}

/// Case from the field 23.
#[tokio::test]
async fn list_of_many_megabytes_is_read_as_a_stream() {
    let fake = FakeRegistry::start().await;
    let manifest = |n: usize| {
        (
            format!("sha256:{n:064}"),
            json!({"mediaType": "x", "tag": [n.to_string()], "layerId": ""}),
        )
    };
    let manifests: serde_json::Map<String, Value> = (0..60_000).map(manifest).collect();
    let body = json!({"child": [], "manifest": manifests, "name": "a", "tags": ["1.0.0"]});
    assert!(body.to_string().len() > 4 << 20);
    fake.answer("/v2/a/tags/list?n=1000", body);
    let page = anonymous(&fake.url()).list_tags(&"a".parse().unwrap()).await.unwrap();
    assert_eq!(page.names.len(), 1);
}
