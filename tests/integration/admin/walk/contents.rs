//! The page of a chart, and the comparison of two, in a browser that runs no script.

use tests::chart::Archive;
use tests::helm;

use crate::support::walk::{Walk, get};

const README: &str = "\
# API

Serves **answers**. [Docs](https://example.com/docs), [relative](docs/x.md).

![Logo](https://example.com/logo.png)

## Parameters

| name | default |
|------|---------|
| `replicas` | 2 |

```console
$ helm install api oci://example.com/api
```

<script>document.title = 'pwned'</script>
[bad](javascript:document.title='pwned') <img src=x onerror=\"document.title='pwned'\">
";

const VALUES: &str = "\
# How many
replicas: 2
image:
  repository: example.com/api # where
  tag: \"1.0\"
ingress:
  enabled: false
  hosts: []
";

/// Packs a chart `api` with everything in it.
fn archive(version: &str, values: &str) -> Vec<u8> {
    let chart = format!(
        "apiVersion: v2\nname: api\nversion: {version}\nappVersion: '7'\nkubeVersion: '>=1.25'\n\
         description: Serves answers\nkeywords: [web]\nhome: https://example.com\n\
         icon: https://example.com/i.png\nsources: ['javascript:alert(1)']\n\
         maintainers: [{{name: '<b>Ann', email: ann@example.com, url: 'data:text/html,x'}}]\n\
         dependencies: [{{name: db, version: {version}, repository: 'oci://example.com/charts'}}]\n\
         annotations: {{licence: '<script>document.title=1</script>'}}\n"
    );
    Archive::new()
        .file("api/Chart.yaml", chart)
        .file("api/README.md", README)
        .file("api/values.yaml", values)
        .file("api/values.schema.json", "{\"type\": \"object\"}")
        .pack()
}

async fn push(walk: &Walk, version: &str, values: &str) -> String {
    let layer = archive(version, values);
    walk.stack.pusher.push_archive("team-a/api", version, &layer).await.unwrap();
    walk.poll().await;
    let (_, list) = get(&walk.url(&format!("/api/v2/helm-charts?text={version}"))).await;
    list["items"][0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn page_of_a_chart_shows_what_is_in_it() {
    let walk = Walk::new().await;
    let browser = &walk.browser;
    push(&walk, "1.0.0", VALUES).await;
    let id = push(&walk, "1.1.0", &VALUES.replace('2', "3")).await;
    walk.open("kinds").await;
    browser.follow("api").await.unwrap();
    browser.follow("1.1.0").await.unwrap();
    assert_eq!(walk.wait_for("h1").await, ["api 1.1.0"]);
    assert_eq!(walk.wait_for(".markdown h3").await, ["API"]);
    assert_eq!(walk.wait_for(".markdown td").await, ["replicas", "2"]);
    let unlinked = walk.wait_for(".markdown .unlinked").await;
    assert_eq!(unlinked[0], "relative (docs/x.md)");
    assert_eq!(unlinked[1], "Picture: Logo (https://example.com/logo.png)");
    assert_eq!(walk.wait_for("#history + table tbody tr").await.len(), 1);
    walk.picture("chart").await;

    // The commands of the page work.
    let command = walk.wait_for(".commands .line").await;
    let folder = tempfile::tempdir().unwrap();
    let by_digest =
        command.iter().find(|line| line.contains("pull") && line.contains('@')).unwrap();
    helm::pull(by_digest.split(' ').nth(2).unwrap(), folder.path()).await.unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

    // The filter needs no script, and its address can be shared.
    walk.fill_and_click("input[name=values]", "TAG", "#values + form button").await;
    let expected = "⋯\nimage:\n⋯\n  tag: \"1.0\"";
    browser.wait_for("pre[aria-label=Values]", |shown| shown == [expected]).await.unwrap();
    let address = browser.address().await.unwrap();
    assert!(address.ends_with(&format!("/admin/charts/{id}?values=TAG#values")), "{address}");
}

#[tokio::test]
async fn comparison_shows_what_changed() {
    let walk = Walk::new().await;
    let first = push(&walk, "1.0.0", VALUES).await;
    let second = push(&walk, "1.1.0", &VALUES.replace("replicas: 2", "replicas: 3")).await;
    walk.open(&format!("charts/{second}")).await;
    walk.browser.click("form[action$=compare] button").await.unwrap();
    walk.wait_for(".diff").await;
    let address = walk.browser.address().await.unwrap();
    assert!(address.ends_with(&format!("/admin/charts/{second}/compare/{first}")), "{address}");
    walk.browser.follow("Swap").await.unwrap();
    walk.browser.wait_for("h1", |titles| titles == ["api 1.0.0 → api 1.1.0"]).await.unwrap();
    let removed = walk.wait_for(".diff del").await;
    assert_eq!(removed, ["- db 1.0.0 oci://example.com/charts", "- replicas: 2"]);
    let added = walk.wait_for(".diff ins").await;
    assert_eq!(added, ["+ db 1.1.0 oci://example.com/charts", "+ replicas: 3"]);
    walk.picture("chart-compare").await;
    let (status, _) = get(&walk.url(&format!("/api/v2/helm-charts/{first}"))).await;
    assert_eq!(status, 200);
}
