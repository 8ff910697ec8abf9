//! A site admin tries, adds and deletes a tag format.

use crate::support::walk::Walk;

#[tokio::test]
async fn tag_format_is_previewed_added_and_deleted() {
    let walk = Walk::new().await;
    let browser = &walk.browser;
    walk.push("team-a/api", "1.0.0", "1.0.0").await;
    walk.push("team-a/api", "main-7-abc1234", "0.1.0").await;
    walk.poll().await;
    let preview = "#add ~ form button";
    let parsed = async |version: &str| {
        // Without scripts, the page does not refresh itself, so the test reloads it.
        while browser.texts("#parsing").await.unwrap()
            != ["2 charts, all up to date with these formats."]
        {
            walk.open("tag-formats").await;
        }
        walk.open("kinds").await;
        browser.follow("api").await.unwrap();
        browser
            .wait_for("td[data-label=Version]", |versions| {
                versions.len() == 2 && versions[1] == version
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
    // The page refuses the same pattern, and its field keeps the text.
    walk.fill_and_click("input[name=pattern]", pattern, preview).await;
    browser.click("form[method=post] button.primary").await.unwrap();
    assert!(walk.wait_for("#problem").await[0].contains("This pattern exists already"));

    browser.click(".confirm summary").await.unwrap();
    browser.click("button.danger").await.unwrap();
    walk.wait_for(".notice.good").await;
    parsed("v0.1.0\napp 7\nAnswers").await;
    assert_eq!(walk.changes().len(), 2);
}
