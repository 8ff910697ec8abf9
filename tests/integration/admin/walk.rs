//! The admin pages in a browser, as a site admin and as anybody else goes through them.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use shared::domain::Digest;
use tests::admin::Admin;
use tests::browser::Browser;
use tests::chart::Archive;
use tests::function::Function;
use tests::function_url::Endpoint;
use tests::{helm, tools};

use crate::support::stack::Stack;

/// What the charts of the walk are, by their tag.
fn archive(version: &str, description: &str) -> Vec<u8> {
    let chart = format!(
        "apiVersion: v2\nname: api\nversion: {version}\nappVersion: '7'\ndescription: \
         {description:?}\n"
    );
    Archive::new().file("api/Chart.yaml", chart).pack()
}

fn pictures() -> PathBuf {
    let folder = tools::workspace().join("target/screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

async fn admin(stack: &Stack, more: &[(&str, &str)]) -> Admin {
    let usual = [("DATABASE_URL", stack.database.url()), ("ENABLE_TAG_PARSER", "true")];
    Admin::start(&[&usual[..], more].concat()).await.unwrap()
}

/// A site, and somebody at a browser that runs no script.
struct Walk {
    stack: Stack,
    admin: Admin,
    poll: Arc<Function>,
    browser: Browser,
    _lambda: Endpoint,
}

impl Walk {
    async fn new() -> Self {
        let (stack, browser) = (Stack::new().await, Browser::start().await.unwrap());
        browser.send("Emulation.setScriptExecutionDisabled", json!({"value": true})).await.unwrap();
        let poll = Arc::new(stack.oci_poll_with(&[("ENABLE_TAG_PARSER", "true")]).await);
        let lambda = Endpoint::lambda([Arc::clone(&poll)]).await.unwrap();
        let url = lambda.url();
        let admin = admin(&stack, &Endpoint::lambda_settings(&url)).await;
        Self { stack, admin, poll, browser, _lambda: lambda }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.admin.url())
    }

    async fn open(&self, page: &str) {
        self.browser.open(&self.url(&format!("/admin/{page}"))).await.unwrap();
    }

    async fn push(&self, repository: &str, tag: &str, version: &str) -> Digest {
        self.stack.pusher.push_archive(repository, tag, &archive(version, "Answers")).await.unwrap()
    }

    async fn poll(&self) {
        self.poll.invoke(&self.stack.instance()).await.unwrap();
    }

    async fn wait_for(&self, css: &str) -> Vec<String> {
        self.browser.wait_for(css, |found| !found.is_empty()).await.unwrap()
    }

    async fn fill_and_click(&self, field: &str, text: &str, button: &str) {
        self.browser.fill(field, text).await.unwrap();
        self.browser.click(button).await.unwrap();
    }

    /// The tags in the table of the page.
    async fn tags(&self) -> Vec<String> {
        self.browser.texts(".charts .tag").await.unwrap()
    }

    /// Where a repository is on the local registry.
    fn place(&self, repository: &str) -> String {
        format!("{}/{repository}", self.stack.registry.host())
    }

    async fn picture(&self, name: &str) {
        self.browser.picture(&pictures(), name).await.unwrap();
    }

    /// The lines of the log about changes.
    fn changes(&self) -> Vec<String> {
        self.admin
            .log()
            .into_iter()
            .filter(|line| line.contains("\"message\":\"changed\""))
            .collect()
    }
}

#[tokio::test]
async fn an_empty_site_says_what_to_do() {
    let walk = Walk::new().await;
    for (page, said) in [
        ("helm-registries", "No chart has been seen yet."),
        ("kinds", "There are no kinds yet."),
        ("tag-formats", "There are no formats."),
        ("instances", "No instance has run yet."),
    ] {
        walk.open(page).await;
        assert!(walk.browser.texts(".empty").await.unwrap()[0].contains(said), "{page}");
        walk.picture(&format!("empty-{page}")).await;
    }
    walk.open("nowhere").await;
    assert_eq!(walk.browser.texts("h1").await.unwrap(), ["Not Found"]);
    walk.picture("not-found").await;
}

#[tokio::test]
async fn a_push_an_icon_a_name_and_a_second_registry() {
    let walk = Walk::new().await;
    let browser = &walk.browser;
    // A push: the registry appears.
    for version in ["1.9.0", "1.10.0", "1.10.0-rc.1"] {
        walk.push("team-a/api", version, version).await;
    }
    walk.push("team-a/api", "main-7-abc1234", "0.1.0").await;
    walk.stack.pusher.push_archive("team-a/api", "0.0.1", b"no archive").await.unwrap();
    walk.poll().await;
    browser.open(&walk.url("/admin")).await.unwrap();
    assert_eq!(browser.texts("td[data-label=Charts]").await.unwrap(), ["5"]);
    browser.follow("team-a/api").await.unwrap();
    assert!(
        walk.wait_for(".badge.broken ~ .reason").await[0]
            .contains("the chart layer is not an intact tar archive")
    );

    // Its icon shows on the kind.
    let preview = "#set-icon ~ form button";
    walk.fill_and_click("input[name=icon]", "no-such-icon", preview).await;
    assert!(
        walk.wait_for(".notice.bad").await[0].contains("There is no icon named \"no-such-icon\"")
    );
    walk.fill_and_click("input[name=icon]", "rocket", preview).await;
    walk.wait_for(".preview .icon[data-name=rocket] svg").await;
    walk.picture("helm-registry-icon").await;
    browser.click(".preview button").await.unwrap();
    walk.wait_for(".notice.good").await;
    browser.follow("api").await.unwrap();
    walk.wait_for("h1 .icon[data-name=rocket] svg").await;
    let kind = browser.address().await.unwrap();

    // The kind gets another name; discovery leaves it.
    walk.fill_and_click("input[name=name]", "Payments", "#rename ~ form button").await;
    browser.wait_for("h1", |title| title == ["Payments"]).await.unwrap();
    walk.poll().await;
    browser.open(&kind).await.unwrap();
    assert_eq!(browser.texts("h1").await.unwrap(), ["Payments"]);
    assert_eq!(walk.tags().await, ["1.10.0", "1.10.0-rc.1", "1.9.0", "0.0.1", "main-7-abc1234"]);
    assert!(browser.texts(".label").await.unwrap().is_empty(), "one registry needs no label");

    // A second registry, re-pointed: both are in the picker.
    walk.push("team-b/api", "1.9.5", "1.9.5").await;
    walk.poll().await;
    walk.open("helm-registries?text=team-b").await;
    browser.follow("team-b/api").await.unwrap();
    walk.fill_and_click("input[name=kind]", "Payment", "#set-kind ~ form button").await;
    assert!(walk.wait_for("#problem").await[0].contains("There is no kind named \"Payment\""));
    walk.fill_and_click("input[name=kind]", "Payments", "#set-kind ~ form button").await;
    walk.wait_for(".notice.good").await;
    browser.open(&kind).await.unwrap();
    assert_eq!(
        walk.tags().await,
        ["1.10.0", "1.10.0-rc.1", "1.9.5", "1.9.0", "0.0.1", "main-7-abc1234"]
    );
    let labels = browser.texts(".label").await.unwrap();
    assert_eq!(
        labels[1..4],
        ["team-a/api", "team-b/api", "team-a/api"].map(|repository| walk.place(repository))
    );
    walk.picture("kind").await;
    for page in ["helm-registries", "kinds", "instances"] {
        walk.open(page).await;
        walk.picture(page).await;
    }
    assert_eq!(browser.texts(".instance .badge").await.unwrap(), ["OK"]);

    // Who did what is in the log.
    let changes = walk.changes();
    assert_eq!(changes.len(), 3, "icon, name, kind: {changes:#?}");
    assert!(changes.iter().all(|line| line.contains("\"user\":\"local\"")), "{changes:#?}");
    assert!(changes[1].contains("api") && changes[1].contains("Payments"), "{}", changes[1]);
    // And on the page of what was changed.
    browser.open(&kind).await.unwrap();
    let changes = browser.texts(".changes td:nth-child(n+2)").await.unwrap();
    assert_eq!(changes, ["local", "name: api → Payments", "local", "fa icon: none → rocket"]);
}

#[tokio::test]
async fn a_chart_that_is_deleted_is_told_of_and_not_offered() {
    let walk = Walk::new().await;
    let browser = &walk.browser;
    let digest = walk.push("team-a/api", "1.0.0", "1.0.0").await;
    walk.push("team-a/api", "1.1.0", "1.1.0").await;
    walk.poll().await;
    let (_, chart) = get(&walk.url("/api/v2/helm-charts?text=1.0")).await;
    let id = chart["items"][0]["id"].as_str().unwrap().to_owned();
    walk.stack.pusher.delete("team-a/api", &digest).await.unwrap();
    walk.poll().await;

    walk.open("kinds").await;
    browser.follow("api").await.unwrap();
    browser.wait_for(".charts .tag", |tags| tags == ["1.1.0"]).await.unwrap();
    browser.follow("Show deleted versions").await.unwrap();
    browser.wait_for(".charts .tag", |tags| tags == ["1.1.0", "1.0.0"]).await.unwrap();
    browser.follow(&walk.place("team-a/api")).await.unwrap();
    assert_eq!(walk.wait_for(&format!("#chart-{id} .badge.deleted")).await, ["DELETED"]);
    // What deployed it once can still ask for it.
    let (status, chart) = get(&walk.url(&format!("/api/v2/helm-charts/{id}"))).await;
    assert_eq!(
        (status, &chart["available"], &chart["image_tag"]),
        (200, &json!(false), &json!("1.0.0"))
    );

    // The line that gets exactly this chart, which for one that is there Helm itself follows.
    browser.click(&format!("#chart-{id} summary")).await.unwrap();
    let line = format!("helm pull oci://{}@{digest} --plain-http", walk.place("team-a/api"));
    assert_eq!(walk.wait_for(&format!("#chart-{id} .line")).await, [line]);
    browser.click("tr:not(.gone) summary").await.unwrap();
    let line = walk.wait_for("tr:not(.gone) .line").await.remove(0);
    let folder = tempfile::tempdir().unwrap();
    helm::pull(line.split(' ').nth(2).unwrap(), folder.path()).await.unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    walk.picture("helm-registry").await;

    // A tag that moved says where to.
    walk.push("team-a/api", "1.0.0", "1.0.1").await;
    walk.poll().await;
    browser.open(&browser.address().await.unwrap()).await.unwrap();
    assert!(
        walk.wait_for(&format!("#chart-{id} .reason")).await[0]
            .starts_with("The tag now points to sha256:")
    );
}

#[tokio::test]
async fn why_a_chart_is_or_is_not_here_is_told_step_by_step() {
    let walk = Walk::new().await;
    let browser = &walk.browser;
    walk.open("diagnose").await;
    assert!(browser.texts(".steps li").await.unwrap().is_empty());
    walk.fill_and_click("input[name=reference]", "ghcr.io", "main form button").await;
    assert!(walk.wait_for("#problem").await[0].contains("no repository"));

    // From a chart: all is well.
    walk.push("team-a/api", "1.0.0", "1.0.0").await;
    walk.poll().await;
    walk.open("helm-registries").await;
    browser.follow("team-a/api").await.unwrap();
    browser.click(".charts a[href*=diagnose]").await.unwrap();
    assert_eq!(
        walk.wait_for(".notice").await,
        ["All is well: discovery sees it, and the rows agree."]
    );
    assert_eq!(browser.texts(".steps .good h3").await.unwrap().len(), 10);
    walk.picture("diagnose-well").await;

    // From a registry, and from a search that finds nothing.
    browser.follow("Charts of this repository").await.unwrap();
    browser.follow("Diagnose: is a chart missing?").await.unwrap();
    assert!(walk.wait_for("#tag").await[0].contains("Tags in the repository: 1"));
    browser.follow("Charts of this repository").await.unwrap();
    walk.fill_and_click("input[name=text]", "2.0.0", "form.search button").await;
    walk.wait_for(".empty").await;
    browser.follow("Diagnose why 2.0.0 is not here").await.unwrap();
    let notice = walk.wait_for(".notice.bad").await;
    assert!(
        notice[0].contains("no tag 2.0.0")
            && notice[0].contains("What to do: Look for a mistype: there is 1.0.0."),
        "{notice:?}"
    );
    // It is pushed, and brought in as the page says.
    walk.push("team-a/api", "2.0.0", "2.0.0").await;
    browser.open(&browser.address().await.unwrap()).await.unwrap();
    let payload = walk.wait_for(".notice.bad .payload").await.remove(0);
    walk.picture("diagnose-cause").await;
    walk.poll.invoke(&serde_json::from_str(&payload).unwrap()).await.unwrap();
    browser.open(&browser.address().await.unwrap()).await.unwrap();
    walk.wait_for(".notice.good").await;

    // What is searched for in vain among all registries.
    walk.open("helm-registries?text=ghcr.io%2Fteam%2Fweb").await;
    browser.follow("Diagnose why ghcr.io/team/web is not here").await.unwrap();
    assert!(walk.wait_for("#instance").await[0].contains("No instance watches ghcr.io"));
    walk.picture("diagnose-unwatched").await;
}

#[tokio::test]
async fn a_tag_format_is_tried_added_and_deleted() {
    let walk = Walk::new().await;
    let browser = &walk.browser;
    walk.push("team-a/api", "1.0.0", "1.0.0").await;
    walk.push("team-a/api", "main-7-abc1234", "0.1.0").await;
    walk.poll().await;
    let preview = "#add ~ form button";
    let parsed = async |told: &str| {
        // Without a script somebody has to look again.
        while browser.texts("#parsing").await.unwrap()
            != ["2 charts, all up to date with these formats."]
        {
            walk.open("tag-formats").await;
        }
        walk.open("kinds").await;
        browser.follow("api").await.unwrap();
        browser
            .wait_for("td[data-label=Version]", |versions| {
                versions.len() == 2 && versions[1] == told
            })
            .await
            .unwrap();
        walk.open("tag-formats").await;
    };
    walk.open("tag-formats").await;
    walk.fill_and_click("input[name=pattern]", "(?<=x)", preview).await;
    assert!(walk.wait_for(".notice.bad").await[0].contains("look-around"));
    let pattern = r"^(?P<branch>[a-z]+)-(?P<revision>\d+)-(?P<commit>[0-9a-f]{7})$";
    walk.fill_and_click("input[name=pattern]", pattern, preview).await;
    assert_eq!(
        walk.wait_for("#preview").await,
        ["Matches 1 tag, of which 1 match no existing format."]
    );
    walk.picture("tag-formats-preview").await;
    browser.click("form[method=post] button.primary").await.unwrap();
    walk.wait_for(".notice.good").await;
    parsed("(revision=7, branch=main, commit=abc1234)\napp 7\nAnswers").await;
    walk.picture("tag-formats").await;
    // The same again is refused, and what was typed is kept.
    walk.fill_and_click("input[name=pattern]", pattern, preview).await;
    browser.click("form[method=post] button.primary").await.unwrap();
    assert!(walk.wait_for("#problem").await[0].contains("This pattern exists already"));

    browser.click(".confirm summary").await.unwrap();
    browser.click("button.danger").await.unwrap();
    walk.wait_for(".notice.good").await;
    parsed("v0.1.0\napp 7\nAnswers").await;
    assert_eq!(walk.changes().len(), 2);
}

/// Hostile input 16.
#[tokio::test]
async fn text_of_a_chart_is_never_markup() {
    let (stack, browser) = (Stack::new().await, Browser::start().await.unwrap());
    let admin = admin(&stack, &[]).await;
    let hostile =
        "<script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">";
    stack.pusher.push_archive("team-a/api", "1.0.0", &archive("1.0.0", hostile)).await.unwrap();
    stack.oci_poll().await.invoke(&stack.instance()).await.unwrap();
    let odd = "UPDATE helm_registries SET fa_icon = \
               'javascript:alert(1)\"><script>document.title=''pwned''</script>';
        UPDATE k8s_deployment_kinds SET name = '<b onmouseover=alert(1)>api', fa_icon = '<script>';
        UPDATE helm_charts SET error = '<script>document.title=''pwned''</script>'";
    stack.rows.batch_execute(odd).await.unwrap();
    let id = async |list: &str| {
        get(&format!("{}/api/v2/{list}", admin.url())).await.1["items"][0]["id"].clone()
    };
    let (registry, kind) = (id("helm-registries").await, id("deployment-kinds").await);
    for path in [
        "helm-registries".to_owned(),
        "helm-registries?text=%3Cscript%3Edocument.title='pwned'%3C/script%3E".to_owned(),
        format!("helm-registries/{}", registry.as_str().unwrap()),
        format!("helm-registries/{}?icon=%22%3E%3Cscript%3E", registry.as_str().unwrap()),
        "kinds".to_owned(),
        format!("kinds/{}", kind.as_str().unwrap()),
        "tag-formats?pattern=%3Cscript%3Edocument.title='pwned'%3C/script%3E".to_owned(),
    ] {
        browser.open(&format!("{}/admin/{path}", admin.url())).await.unwrap();
        let seen = browser.run(
            "return [document.title, document.querySelectorAll('main script, main \
                  img[onerror], main b').length]",
        );
        let seen = seen.await.unwrap();
        assert!(
            seen[0].as_str().unwrap().ends_with("Helm charts") && seen[1] == 0,
            "{path}: {seen}"
        );
    }
    // Even what gets into a page is not run.
    let inject = "const s = document.createElement('script'); s.textContent = 'document.title \
                  = \"pwned\"'; \
                  document.body.append(s); return document.title";
    assert_ne!(browser.run(inject).await.unwrap(), "pwned");
}

#[tokio::test]
async fn with_javascript_the_pages_are_pleasant() {
    let (stack, browser) = (Stack::new().await, Browser::start().await.unwrap());
    let admin = admin(&stack, &[]).await;
    stack.pusher.push_archive("team-a/api", "1.0.0", &archive("1.0.0", "Answers")).await.unwrap();
    stack.oci_poll().await.invoke(&stack.instance()).await.unwrap();
    browser.open(&format!("{}/admin", admin.url())).await.unwrap();
    browser.follow("team-a/api").await.unwrap();
    // An icon shows while its name is typed.
    browser.fill("input[name=icon]", "anchor").await.unwrap();
    browser
        .wait_for("img.typed-icon:not([hidden])[src$=anchor]", |found| !found.is_empty())
        .await
        .unwrap();
    browser.click(".pull summary").await.unwrap();
    let buttons =
        browser.wait_for(".pull button:not([hidden])", |found| !found.is_empty()).await.unwrap();
    assert!(buttons[0].starts_with("Copy"), "{buttons:?}");
    // The progress of parsing is followed on the page.
    stack.rows.batch_execute("UPDATE helm_charts SET parsed_with = NULL").await.unwrap();
    browser.open(&format!("{}/admin/tag-formats", admin.url())).await.unwrap();
    let told = browser.texts("#parsing p").await.unwrap();
    assert_eq!(told, ["The tags are being parsed again.", "1 of 1 charts remaining. Refresh"]);
    browser.fill("input[name=pattern]", "is not lost").await.unwrap();
    stack
        .rows
        .batch_execute("UPDATE helm_charts SET parsed_with = version FROM helm_tag_formats_version")
        .await
        .unwrap();
    browser
        .wait_for("#parsing", |told| told == ["1 chart, all up to date with these formats."])
        .await
        .unwrap();
    let typed =
        browser.run("return document.querySelector('input[name=pattern]').value").await.unwrap();
    assert_eq!(typed, "is not lost");
}

#[tokio::test]
async fn somebody_who_is_no_site_admin_sees_kinds_alone() {
    let (stack, browser, pictures) =
        (Stack::new().await, Browser::start().await.unwrap(), pictures());
    stack.pusher.push_archive("team-a/api", "1.0.0", &archive("1.0.0", "Answers")).await.unwrap();
    stack.oci_poll().await.invoke(&stack.instance()).await.unwrap();
    let settings = [
        ("DATABASE_URL", stack.database.url()),
        ("ADMIN_AUTH", "iam"),
        ("SITE_ADMINS", "arn:aws:iam::123456789012:role/platform"),
    ];
    let function = Arc::new(Function::start("admin", &settings).await.unwrap());
    let jane = "arn:aws:iam::123456789012:user/jane";
    let site = Endpoint::function_url(Arc::clone(&function), Some(jane)).await.unwrap();
    browser.open(&format!("{}/admin", site.url())).await.unwrap();
    assert_eq!(browser.texts("nav[aria-label=Sections] a").await.unwrap(), ["Kinds"]);
    assert!(browser.texts(".user").await.unwrap()[0].ends_with("jane"));
    browser.follow("api").await.unwrap();
    browser.wait_for(".charts .tag", |tags| tags == ["1.0.0"]).await.unwrap();
    assert!(browser.texts("main form, main a[href*=helm-registries]").await.unwrap().is_empty());
    browser.picture(&pictures, "kind-of-a-user").await.unwrap();
    for page in ["helm-registries", "tag-formats", "instances", "diagnose"] {
        browser.open(&format!("{}/admin/{page}", site.url())).await.unwrap();
        assert_eq!(browser.texts("h1").await.unwrap(), ["Forbidden"], "{page}");
    }
    browser.picture(&pictures, "forbidden").await.unwrap();

    // A site admin may, through the same Function URL.
    let joe = "arn:aws:sts::123456789012:assumed-role/platform/joe";
    let site = Endpoint::function_url(function, Some(joe)).await.unwrap();
    browser.open(&format!("{}/admin/kinds", site.url())).await.unwrap();
    browser.follow("api").await.unwrap();
    browser.fill("input[name=name]", "Answers").await.unwrap();
    browser.click("#rename ~ form button").await.unwrap();
    browser.wait_for("h1", |title| title == ["Answers"]).await.unwrap();
}

/// The status and the JSON of an address.
async fn get(url: &str) -> (u16, Value) {
    let answer = crate::support::admin_site::client().get(url).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
}
