//! A deleted chart is marked, and can still be pulled by its digest.

use tests::helm;

use crate::support::assert_summary::assert_summary;
use crate::support::walk::{Walk, get};

#[tokio::test]
async fn deleted_chart_is_marked_and_not_offered() {
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
    // A program that deployed the chart can still read it.
    let (status, chart) = get(&walk.url(&format!("/api/v2/helm-charts/{id}"))).await;
    assert_eq!(status, 200, "{chart}");
    assert_summary!(chart, available = false, image_tag = "1.0.0");

    // The page shows the command that pulls exactly this chart. The test runs that of another one.
    browser.click(&format!("#chart-{id} summary")).await.unwrap();
    let line = format!("helm pull oci://{}@{digest} --plain-http", walk.place("team-a/api"));
    assert_eq!(walk.wait_for(&format!("#chart-{id} .line")).await, [line]);
    browser.click("tr:not(.gone) summary").await.unwrap();
    let line = walk.wait_for("tr:not(.gone) .line").await.remove(0);
    let folder = tempfile::tempdir().unwrap();
    helm::pull(line.split(' ').nth(2).unwrap(), folder.path()).await.unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    walk.picture("helm-registry").await;

    // The row of a moved tag names the new digest.
    walk.push("team-a/api", "1.0.0", "1.0.1").await;
    walk.poll().await;
    browser.open(&browser.address().await.unwrap()).await.unwrap();
    assert!(
        walk.wait_for(&format!("#chart-{id} .reason")).await[0]
            .starts_with("The tag now points to sha256:")
    );
}
