//! A site admin changes the icons of registries and the names of kinds.

use crate::support::walk::Walk;

#[tokio::test]
async fn empty_site_says_what_to_do() {
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
async fn pushed_charts_appear_with_their_registry() {
    let walk = Walk::new().await;
    let browser = &walk.browser;
    push_charts(&walk).await;
    browser.open(&walk.url("/admin")).await.unwrap();
    assert_eq!(browser.texts("td[data-label=Charts]").await.unwrap(), ["5"]);
    browser.follow("team-a/api").await.unwrap();
    assert!(
        walk.wait_for(".badge.broken ~ .reason").await[0]
            .contains("the chart layer is not an intact tar archive")
    );
}

#[tokio::test]
async fn icon_is_previewed_and_shows_on_the_kind() {
    let walk = Walk::new().await;
    push_charts(&walk).await;
    walk.open("helm-registries").await;
    walk.browser.follow("team-a/api").await.unwrap();
    walk.fill_and_click("input[name=icon]", "no-such-icon", PREVIEW).await;
    assert!(
        walk.wait_for(".notice.bad").await[0].contains("There is no icon named \"no-such-icon\"")
    );
    set_icon(&walk).await;
    walk.browser.follow("api").await.unwrap();
    walk.wait_for("h1 .icon[data-name=rocket] svg").await;
}

#[tokio::test]
async fn discovery_keeps_the_name_of_a_kind() {
    let walk = Walk::new().await;
    let browser = &walk.browser;
    push_charts(&walk).await;
    let kind = rename_kind(&walk).await;
    walk.poll().await;
    browser.open(&kind).await.unwrap();
    assert_eq!(browser.texts("h1").await.unwrap(), ["Payments"]);
    assert_eq!(walk.tags().await, ["1.10.0", "1.10.0-rc.1", "1.9.0", "0.0.1", "main-7-abc1234"]);
    assert!(browser.texts(".label").await.unwrap().is_empty(), "one registry needs no label");
}

#[tokio::test]
async fn kind_shows_the_charts_of_two_registries() {
    let walk = Walk::new().await;
    let browser = &walk.browser;
    push_charts(&walk).await;
    let kind = rename_kind(&walk).await;
    move_second_registry(&walk).await;
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
}

#[tokio::test]
async fn changes_are_logged_and_shown_with_the_user() {
    let walk = Walk::new().await;
    let browser = &walk.browser;
    push_charts(&walk).await;
    walk.open("helm-registries").await;
    browser.follow("team-a/api").await.unwrap();
    set_icon(&walk).await;
    let kind = rename_kind(&walk).await;
    move_second_registry(&walk).await;
    let changes = walk.changes();
    assert_eq!(changes.len(), 3, "icon, name, kind: {changes:#?}");
    assert!(changes.iter().all(|line| line.contains("\"user\":\"local\"")), "{changes:#?}");
    assert!(changes[1].contains("api") && changes[1].contains("Payments"), "{}", changes[1]);
    browser.open(&kind).await.unwrap();
    let changes = browser.texts(".changes td:nth-child(n+2)").await.unwrap();
    assert_eq!(changes, ["local", "name: api → Payments", "local", "fa icon: none → rocket"]);

    walk.picture("kind").await;
    for page in ["helm-registries", "kinds", "instances"] {
        walk.open(page).await;
        walk.picture(page).await;
    }
    assert_eq!(browser.texts(".instance .badge").await.unwrap(), ["OK"]);
}

/// The button that previews an icon.
const PREVIEW: &str = "#set-icon ~ form button";

/// Pushes five charts, one of them broken, and polls.
async fn push_charts(walk: &Walk) {
    for version in ["1.9.0", "1.10.0", "1.10.0-rc.1"] {
        walk.push("team-a/api", version, version).await;
    }
    walk.push("team-a/api", "main-7-abc1234", "0.1.0").await;
    walk.stack.pusher.push_archive("team-a/api", "0.0.1", b"no archive").await.unwrap();
    walk.poll().await;
}

/// Gives the registry on the page an icon.
async fn set_icon(walk: &Walk) {
    walk.fill_and_click("input[name=icon]", "rocket", PREVIEW).await;
    walk.wait_for(".preview .icon[data-name=rocket] svg").await;
    walk.picture("helm-registry-icon").await;
    walk.browser.click(".preview button").await.unwrap();
    walk.wait_for(".notice.good").await;
}

/// Renames the kind `api` to `Payments`, and returns the address of its page.
async fn rename_kind(walk: &Walk) -> String {
    walk.open("kinds").await;
    walk.browser.follow("api").await.unwrap();
    let kind = walk.browser.address().await.unwrap();
    walk.fill_and_click("input[name=name]", "Payments", "#rename ~ form button").await;
    walk.browser.wait_for("h1", |title| title == ["Payments"]).await.unwrap();
    kind
}

/// Pushes a chart to a second repository, and moves its registry to the kind `Payments`.
async fn move_second_registry(walk: &Walk) {
    walk.push("team-b/api", "1.9.5", "1.9.5").await;
    walk.poll().await;
    walk.open("helm-registries?text=team-b").await;
    walk.browser.follow("team-b/api").await.unwrap();
    walk.fill_and_click("input[name=kind]", "Payment", "#set-kind ~ form button").await;
    assert!(walk.wait_for("#problem").await[0].contains("There is no kind named \"Payment\""));
    walk.fill_and_click("input[name=kind]", "Payments", "#set-kind ~ form button").await;
    walk.wait_for(".notice.good").await;
}
