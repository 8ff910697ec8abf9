//! The pages explain step by step why a chart is or is not there.

use crate::support::walk::Walk;

#[tokio::test]
async fn diagnosis_is_reached_from_every_page_and_leads_to_the_remedy() {
    let walk = Walk::new().await;
    let browser = &walk.browser;
    walk.open("diagnose").await;
    assert!(browser.texts(".steps li").await.unwrap().is_empty());
    walk.fill_and_click("input[name=reference]", "ghcr.io", "main form button").await;
    assert!(walk.wait_for("#problem").await[0].contains("no repository"));

    // A chart's link leads to a diagnosis without a failed step.
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

    // A registry has a link to the diagnosis. So does a search without results.
    browser.follow("Charts of this repository").await.unwrap();
    browser.follow("Diagnose: is a chart missing?").await.unwrap();
    assert!(walk.wait_for("#tag").await[0].contains("Tags in the repository: 1"));
    browser.follow("Charts of this repository").await.unwrap();
    walk.fill_and_click("input[name=text]", "2.0.0", "form.search button").await;
    walk.wait_for(".empty").await;
    browser.follow("Diagnose why 2.0.0 is not here").await.unwrap();
    let notice = walk.wait_for(".notice.bad").await;
    let remedy = "What to do: Check the tag for a mistype: the repository has 1.0.0.";
    assert!(notice[0].contains("no tag 2.0.0") && notice[0].contains(remedy), "{notice:?}");
    // After the push, the payload that the page shows makes the row.
    walk.push("team-a/api", "2.0.0", "2.0.0").await;
    browser.open(&browser.address().await.unwrap()).await.unwrap();
    let payload = walk.wait_for(".notice.bad .payload").await.remove(0);
    walk.picture("diagnose-cause").await;
    walk.poll.invoke(&serde_json::from_str(&payload).unwrap()).await.unwrap();
    browser.open(&browser.address().await.unwrap()).await.unwrap();
    walk.wait_for(".notice.good").await;

    // A search for an unknown registry also has a link.
    walk.open("helm-registries?text=ghcr.io%2Fteam%2Fweb").await;
    browser.follow("Diagnose why ghcr.io/team/web is not here").await.unwrap();
    assert!(walk.wait_for("#instance").await[0].contains("No instance watches ghcr.io"));
    walk.picture("diagnose-unwatched").await;
}
