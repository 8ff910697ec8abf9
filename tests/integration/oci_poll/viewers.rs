//! Two instances that see different repositories of one registry. Neither ends what the other sees.

use serde_json::{Value, json};

use crate::support::assert_summary::assert_summary;
use crate::support::oci_poll::{available, be_gone, let_faults_be_due, let_time_pass, wait};
use crate::support::stack::{Stack, count};
use crate::support::two_logins::{Denial, LOGINS, TwoLogins};

/// The answers about repositories that a login may not see, and whether the catalog lists them.
const WAYS: [(Denial, bool); 5] = [
    (Denial::Unknown, false),
    (Denial::Unknown, true),
    (Denial::Absent, true),
    (Denial::Forbidden, true),
    (Denial::Unauthorized, false),
];

/// Starts a registry with a repository for each login, and one for both. Both instances have polled
/// it, and each knows of the other.
async fn start(denial: Denial, lists_all: bool) -> TwoLogins {
    let site = unpolled(denial, lists_all).await;
    for login in LOGINS.into_iter().cycle().take(3) {
        site.poll(login).await;
        let_faults_be_due(&site.stack).await;
    }
    site
}

async fn unpolled(denial: Denial, lists_all: bool) -> TwoLogins {
    let site = TwoLogins::start(denial).await;
    site.shown().lists_all = lists_all;
    for login in LOGINS {
        site.push(&format!("only/{login}"), 3, &[login]);
    }
    site.push("both", 3, &LOGINS);
    site
}

async fn held(stack: &Stack) -> i64 {
    let sql = "SELECT count(*) FROM observations WHERE missing_since IS NOT NULL";
    count(&stack.rows, sql).await
}

async fn unavailable(stack: &Stack) -> Vec<String> {
    let charts = stack.charts().await;
    charts.into_iter().filter(|chart| !chart.ends_with(" available")).collect()
}

/// Fault 43.
#[tokio::test]
async fn two_viewers_stay_complete_and_end_nothing_of_each_other() {
    for (denial, lists_all) in WAYS {
        let site = start(denial, lists_all).await;
        for round in 0..4 {
            let mut logins = LOGINS;
            if round % 2 == 1 {
                logins.reverse();
            }
            for login in logins {
                let summary = site.poll(login).await;
                let shown = format!("{denial:?}, {lists_all}, round {round}, {login}");
                assert_summary!(summary, unavailable = 0, held = 0, complete = true, "{shown}");
                assert_eq!(held(&site.stack).await, 0, "{shown}");
                let_time_pass(&site.stack, "2 hours").await;
            }
            if round == 1 {
                site.stack.dynamodb.clear().await.unwrap();
            }
        }
        assert_eq!(available(&site.stack).await, 9, "{denial:?}, {lists_all}");
        if !lists_all {
            let asked = |login, of: &str| site.shown().count(login, &format!("only/{of}/"));
            assert_eq!((asked("left", "right"), asked("right", "left")), (0, 0), "{denial:?}");
        }
    }
}

/// Fault 43.
#[tokio::test]
async fn repository_that_one_viewer_may_no_longer_see_is_left_to_the_other() {
    for (denial, lists_all) in WAYS {
        let shown = format!("{denial:?}, {lists_all}");
        let site = start(denial, lists_all).await;
        let everybody = async |rounds: usize| {
            for login in LOGINS.into_iter().cycle().take(2 * rounds) {
                assert_summary!(site.poll(login).await, complete = true, "{shown}, {login}");
                let_time_pass(&site.stack, "2 hours").await;
            }
        };
        everybody(1).await;
        site.shown().show("both", "left", false);
        everybody(2).await;
        site.stack.dynamodb.clear().await.unwrap();
        everybody(2).await;
        assert_eq!((available(&site.stack).await, held(&site.stack).await), (9, 0), "{shown}");
        // It is deleted, which the other one notices.
        site.shown().charts.remove("both");
        everybody(4).await;
        let gone = unavailable(&site.stack).await;
        assert!(gone.len() == 3 && gone[0].contains(" both "), "{shown}: {gone:?}");
    }
}

/// Fault 43.
#[tokio::test]
async fn repository_that_is_deleted_ends_although_each_viewer_could_wait_for_the_other() {
    let site = start(Denial::Unknown, false).await;
    site.shown().charts.remove("both");
    let (other, instance) = (site.another_function().await, site.instance("right"));
    let polled = tokio::join!(site.poll("left"), other.invoke(&instance));
    assert_summary!(polled.0, unavailable = 0, complete = true);
    assert_summary!(polled.1.unwrap(), unavailable = 0, complete = true);
    for _ in 0..3 {
        for login in LOGINS {
            site.poll(login).await;
        }
    }
    assert_eq!((available(&site.stack).await, held(&site.stack).await), (9, 3));
    wait(&site.stack, "1 hour").await;
    for login in LOGINS {
        site.poll(login).await;
    }
    assert_eq!(available(&site.stack).await, 6);
}

/// Fault 43.
#[tokio::test]
async fn repositories_of_a_viewer_that_is_gone_become_the_others() {
    let site = start(Denial::Unknown, false).await;
    be_gone(&site.stack, "right").await;
    let summary = site.poll("left").await;
    assert_summary!(summary, held = 3, unavailable = 0, complete = true);
    wait(&site.stack, "1 hour").await;
    assert_summary!(site.poll("left").await, unavailable = 3, complete = true);
    // It comes back, and so do its rows.
    assert_summary!(site.poll("right").await, added = 3, complete = true);
    for login in LOGINS {
        assert_summary!(site.poll(login).await, held = 0, unavailable = 0);
    }
    assert_eq!(unavailable(&site.stack).await, Vec::<String>::new());
}

/// Fault 43.
#[tokio::test]
async fn rows_that_no_viewer_has_ever_seen_end_when_each_has_listed_everything() {
    let site = unpolled(Denial::Unknown, false).await;
    site.function.invoke(&site.named("removed", "right")).await.unwrap();
    be_gone(&site.stack, "removed").await;
    site.push("both", 3, &["left"]);
    let narrow = |name: &str| {
        let mut instance = site.named(name, "left");
        instance["oci"]["exclude"] = json!(["none/*"]);
        instance
    };
    // Neither sees the repository of the removed instance. The first one is alone at first.
    for (name, held) in [("left", 3), ("other", 0), ("left", 0), ("other", 3)] {
        let summary = site.function.invoke(&narrow(name)).await.unwrap();
        assert_summary!(summary, held = held, unavailable = 0, complete = true, "{name}");
    }
    wait(&site.stack, "1 hour").await;
    let summary = site.function.invoke(&narrow("left")).await.unwrap();
    assert_summary!(summary, unavailable = 3, complete = true);
    let gone = unavailable(&site.stack).await;
    assert!(gone.iter().all(|chart| chart.contains(" only/right ")), "{gone:?}");
}

/// Fault 44.
#[tokio::test]
async fn viewer_whose_catalog_is_empty_has_an_error_and_ends_nothing() {
    let site = start(Denial::Unknown, false).await;
    for repository in ["both", "only/right"] {
        site.shown().show(repository, "right", false);
    }
    site.push("only/left", 3, &["left"]);
    for _ in 0..2 {
        let summary = site.poll("right").await;
        assert!(summary["errors"][0].as_str().unwrap().contains("the catalog is empty"));
        assert_summary!(summary, unavailable = 0, complete = false);
        assert_summary!(site.poll("left").await, unavailable = 0, complete = true);
        assert_eq!(held(&site.stack).await, 3, "only what no other instance sees");
        wait(&site.stack, "30 minutes").await;
    }
    let mut stranger = site.named("stranger", "right");
    stranger["oci"]["pollInterval"] = json!("1h");
    let summary = site.function.invoke(&stranger).await.unwrap();
    assert!(summary["errors"][0].as_str().unwrap().contains("the catalog is empty"), "{summary}");
}

/// Fault 43.
#[tokio::test]
async fn repository_that_only_the_other_viewer_sees_is_hidden_if_it_is_named() {
    for (denial, _) in WAYS {
        let site = start(denial, false).await;
        let mut left = site.instance("left");
        left["oci"]["repositories"] = json!(["only/left", "only/right"]);
        site.poll("right").await;
        for _ in 0..3 {
            let summary = site.function.invoke(&left).await.unwrap();
            assert_summary!(summary, hidden = 1, held = 0, complete = true, "{denial:?}");
            let_time_pass(&site.stack, "2 hours").await;
        }
        assert_eq!((available(&site.stack).await, held(&site.stack).await), (9, 0));
    }
}

/// Fault 43.
#[tokio::test]
async fn rescan_and_release_leave_out_what_only_the_other_viewer_sees() {
    let site = start(Denial::Unknown, false).await;
    let ask = async |field: &str, value: Value| {
        let asked = json!({"instance": site.instance("left"), field: value});
        site.function.invoke(&asked).await
    };
    for _ in 0..2 {
        let summary = ask("rescan", json!({})).await.unwrap();
        assert_summary!(summary, tags = 6, held = 0, left = 0, complete = true);
        let one = json!({"repository": "only/right", "tag": "1.0.0"});
        let error = ask("rescan", one).await.unwrap_err().to_string();
        assert!(error.contains("the instance right sees only/right"), "{error}");
        let hold = "UPDATE observations SET missing_since = now() - interval '2 hours'
            WHERE repo_name = 'only/right'";
        site.stack.rows.execute(hold, &[]).await.unwrap();
        assert_summary!(ask("release", json!(true)).await.unwrap(), tags = 0, complete = true);
    }
    assert_eq!(available(&site.stack).await, 9);
}

/// Fault 43.
#[tokio::test]
async fn charts_of_the_other_viewer_do_not_count_in_a_mass() {
    let site = TwoLogins::start(Denial::Unknown).await;
    site.push("only/left", 40, &["left"]);
    site.push("only/right", 60, &["right"]);
    for login in LOGINS {
        site.poll(login).await;
    }
    for tag in 0..11 {
        site.shown().charts.get_mut("only/left").unwrap().remove(&format!("1.{tag}.0"));
    }
    let summary = site.poll("left").await;
    assert_summary!(summary, held = 11, unavailable = 0, complete = true);
}

/// Fault 43.
#[tokio::test]
async fn charts_that_one_viewer_releases_come_back_if_another_still_sees_them() {
    let site = start(Denial::Forbidden, true).await;
    let mut stranger = site.named("stranger", "right");
    stranger["oci"]["repositories"] = json!(["only/*"]);
    site.function.invoke(&stranger).await.unwrap();
    let generation = async |name: &str| {
        let sql = format!("SELECT generation FROM discovery_instances WHERE name = '{name}'");
        count(&site.stack.rows, &sql).await
    };
    site.shown().show("both", "left", false);
    assert_summary!(site.poll("left").await, hidden = 1, complete = true);
    let release = json!({"instance": site.instance("left"), "release": {"repository": "both"}});
    let mut raised = Vec::new();
    for name in ["left", "right", "stranger"] {
        raised.push((name, generation(name).await + i64::from(name != "stranger")));
    }
    let summary = site.function.invoke(&release).await.unwrap();
    assert_summary!(summary, unavailable = 3, complete = true);
    for (name, expected) in raised {
        assert_eq!(generation(name).await, expected, "{name}");
    }
    let noted = "SELECT count(*) FROM instance_changes WHERE repo_name = 'both'";
    assert_eq!(count(&site.stack.rows, noted).await, 2);
    assert_summary!(site.poll("right").await, added = 3, complete = true);
    assert_eq!(unavailable(&site.stack).await, Vec::<String>::new());
}
