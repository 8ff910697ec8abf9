//! The scripts of the pages run. Scripts in a chart's text do not.

use tests::browser::Browser;
use tests::chart::Archive;

use crate::support::stack::Stack;
use crate::support::walk::{admin, archive, get};

/// Packs a chart with this text in all that pages show.
fn hostile_chart(hostile: &str) -> Vec<u8> {
    let annotation = hostile.replace('\'', "''");
    let chart = format!(
        "apiVersion: v2\nname: api\nversion: 1.0.0\ndescription: {hostile:?}\nhome: \
         'javascript:alert(1)'\nannotations: {{x: '{annotation}'}}\nkubeVersion: '{annotation}'\n\
         maintainers: [{{name: '{annotation}', url: 'data:text/html,x'}}]\n\
         dependencies: [{{name: a, repository: 'javascript:alert(1)'}}]\n"
    );
    Archive::new()
        .file("api/Chart.yaml", chart)
        .file("api/README.md", format!("{hostile}\n\n# {hostile}\n\n[a](javascript:alert(1))\n"))
        .file("api/values.yaml", format!("{hostile}: {hostile}\n# {hostile}\n"))
        .file("api/values.schema.json", hostile)
        .pack()
}

/// Hostile input 16.
#[tokio::test]
async fn text_of_a_chart_is_never_markup() {
    let (stack, browser) = (Stack::new().await, Browser::start().await.unwrap());
    let admin = admin(&stack, &[]).await;
    let hostile =
        "<script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">";
    stack.pusher.push_archive("team-a/api", "1.0.0", &hostile_chart(hostile)).await.unwrap();
    stack.oci_poll().await.invoke(&stack.instance()).await.unwrap();
    let odd = "UPDATE helm_registries SET fa_icon = \
               'javascript:alert(1)\"><script>document.title=''pwned''</script>';
        UPDATE k8s_deployment_kinds SET name = '<b onmouseover=alert(1)>api';
        INSERT INTO deployment_kind_icons SELECT id, '<script>' FROM k8s_deployment_kinds;
        UPDATE helm_charts SET error = '<script>document.title=''pwned''</script>'";
    stack.rows.batch_execute(odd).await.unwrap();
    let id = async |list: &str| {
        get(&format!("{}/api/v2/{list}", admin.url())).await.1["items"][0]["id"].clone()
    };
    let (registry, kind) = (id("helm-registries").await, id("deployment-kinds").await);
    let chart = id("helm-charts").await;
    let chart = chart.as_str().unwrap();
    for path in [
        "helm-registries".to_owned(),
        "helm-registries?text=%3Cscript%3Edocument.title='pwned'%3C/script%3E".to_owned(),
        format!("helm-registries/{}", registry.as_str().unwrap()),
        format!("helm-registries/{}?icon=%22%3E%3Cscript%3E", registry.as_str().unwrap()),
        format!("charts/{chart}"),
        format!("charts/{chart}?values=%3Cscript%3E"),
        format!("charts/{chart}/compare/{chart}"),
        "kinds".to_owned(),
        format!("kinds/{}", kind.as_str().unwrap()),
        "tag-formats?pattern=%3Cscript%3Edocument.title='pwned'%3C/script%3E".to_owned(),
    ] {
        browser.open(&format!("{}/admin/{path}", admin.url())).await.unwrap();
        let seen = browser.run(
            "return [document.title, document.querySelectorAll('main script, main \
                  img[onerror], main b, main [href^=javascript], main [href^=data]').length]",
        );
        let seen = seen.await.unwrap();
        assert!(
            seen[0].as_str().unwrap().ends_with("Helm charts") && seen[1] == 0,
            "{path}: {seen}"
        );
    }
    // The page's content security policy stops a script that is injected into the page.
    let inject = "const s = document.createElement('script'); s.textContent = 'document.title \
                  = \"pwned\"'; \
                  document.body.append(s); return document.title";
    assert_ne!(browser.run(inject).await.unwrap(), "pwned");
}

#[tokio::test]
async fn scripts_preview_icons_and_follow_the_parsing() {
    let (stack, browser) = (Stack::new().await, Browser::start().await.unwrap());
    let admin = admin(&stack, &[]).await;
    stack.pusher.push_archive("team-a/api", "1.0.0", &archive("1.0.0", "Answers")).await.unwrap();
    stack.oci_poll().await.invoke(&stack.instance()).await.unwrap();
    browser.open(&format!("{}/admin", admin.url())).await.unwrap();
    browser.follow("team-a/api").await.unwrap();
    // The icon appears while the user types its name.
    browser.fill("input[name=icon]", "anchor").await.unwrap();
    browser
        .wait_for("img.typed-icon:not([hidden])[src$=anchor]", |found| !found.is_empty())
        .await
        .unwrap();
    browser.click(".pull summary").await.unwrap();
    let buttons =
        browser.wait_for(".pull button:not([hidden])", |found| !found.is_empty()).await.unwrap();
    assert!(buttons[0].starts_with("Copy"), "{buttons:?}");
    // The page shows the progress of parsing without losing the text in its field.
    stack.rows.batch_execute("UPDATE helm_chart_details SET parsed_with = 0").await.unwrap();
    browser.open(&format!("{}/admin/tag-formats", admin.url())).await.unwrap();
    let shown = browser.texts("#parsing p").await.unwrap();
    assert_eq!(shown, ["The tags are being parsed again.", "1 of 1 charts remaining. Refresh"]);
    browser.fill("input[name=pattern]", "is not lost").await.unwrap();
    stack
        .rows
        .batch_execute(
            "UPDATE helm_chart_details SET parsed_with = version FROM helm_tag_formats_version",
        )
        .await
        .unwrap();
    browser
        .wait_for("#parsing", |shown| shown == ["1 chart, all up to date with these formats."])
        .await
        .unwrap();
    let typed =
        browser.run("return document.querySelector('input[name=pattern]').value").await.unwrap();
    assert_eq!(typed, "is not lost");
}
