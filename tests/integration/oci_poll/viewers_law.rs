//! The law of two viewers: whatever happens to charts and to the rights of two logins, and however
//! their passes and rescans interleave, no chart that a login sees is ended, and after an
//! undisturbed sweep of both the rows are what they see together.
//!
//! `VIEWERS_SEED` repeats a run, and `VIEWERS_ROUNDS` takes more rounds.

use std::collections::BTreeSet;

use fastrand::Rng;
use serde_json::json;
use tests::function::Function;

use crate::support::oci_poll::{let_faults_be_due, let_time_pass};
use crate::support::two_logins::{Denial, LOGINS, TwoLogins, digest_of};

const ROUNDS: usize = 40;
const REPOSITORIES: usize = 8;
const TAGS: usize = 3;
const CONTENTS: usize = 3;

/// The processes of the two instances, and of their rescans.
struct Pollers {
    left: Function,
    right: Function,
    rescans: Function,
}

/// Repository, tag and digest of an available chart.
type Chart = (String, String, String);

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    let environment = shared::config::Environment::of_process();
    environment.get(name).and_then(|text| text.parse().ok())
}

/// Makes a few changes to the charts and to the rights.
fn change(site: &TwoLogins, rng: &mut Rng) {
    for _ in 0..rng.usize(1..5) {
        let repository = format!("team/chart-{}", rng.usize(..REPOSITORIES));
        let (tag, content) = (format!("1.{}.0", rng.usize(..TAGS)), rng.usize(..CONTENTS));
        let mut shown = site.shown();
        match rng.usize(..12) {
            0 => {
                shown.charts.remove(&repository);
            }
            1 | 2 => {
                if let Some(tags) = shown.charts.get_mut(&repository) {
                    tags.remove(&tag);
                }
            }
            3..=5 => {
                let login = LOGINS[rng.usize(..LOGINS.len())];
                let is_shown = rng.bool();
                shown.show(&repository, login, is_shown);
            }
            6 => shown.denial = if rng.bool() { Denial::Forbidden } else { Denial::Unknown },
            7 => shown.lists_all = rng.bool(),
            _ => shown.push(&repository, &tag, &content.to_string()),
        }
    }
}

/// Returns the charts that at least one login sees.
fn visible(site: &TwoLogins) -> BTreeSet<Chart> {
    let shown = site.shown();
    let seen = |repository: &String| LOGINS.into_iter().any(|login| shown.shows(repository, login));
    let seen = shown.charts.iter().filter(|(repository, _)| seen(repository));
    let charts = seen.flat_map(|(repository, tags)| {
        tags.iter().map(|(tag, content)| (repository.clone(), tag.clone(), digest_of(content)))
    });
    charts.collect()
}

async fn available(site: &TwoLogins) -> BTreeSet<Chart> {
    let sql = "SELECT repo_name, image_tag, image_digest
        FROM helm_charts AS chart JOIN helm_registries AS registry ON registry.id = helm_registry_id
        WHERE chart.available";
    let rows = site.stack.rows.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

/// Polls with both, with one or with none, and rescans a tag meanwhile. Returns who polled.
async fn invoke(site: &TwoLogins, pollers: &Pollers, rng: &mut Rng) -> [bool; 2] {
    let polls = [rng.usize(..4) > 0, rng.usize(..4) > 0];
    let poll = async |function: &Function, login: &str, is_asked: bool| {
        if is_asked {
            function.invoke(&site.instance(login)).await.unwrap();
        }
    };
    let login = LOGINS[rng.usize(..LOGINS.len())];
    let repository = format!("team/chart-{}", rng.usize(..REPOSITORIES));
    let tag = format!("1.{}.0", rng.usize(..TAGS));
    let rescan = json!({
        "instance": site.instance(login),
        "rescan": {"repository": repository, "tag": tag},
    });
    let rescan = async {
        // It fails where the login may not see the repository.
        pollers.rescans.invoke(&rescan).await.ok();
    };
    tokio::join!(
        poll(&pollers.left, "left", polls[0]),
        poll(&pollers.right, "right", polls[1]),
        rescan
    );
    polls
}

/// Returns the repositories that a login sees.
fn seen_by(site: &TwoLogins, login: &'static str) -> BTreeSet<String> {
    let shown = site.shown();
    shown.charts.keys().filter(|repository| shown.shows(repository, login)).cloned().collect()
}

/// Lets both poll undisturbed, and ends every hold.
async fn sweep(site: &TwoLogins) {
    // A refusal never means that a repository is gone.
    site.shown().denial = Denial::Unknown;
    for round in 0..6 {
        let_faults_be_due(&site.stack).await;
        for login in LOGINS {
            assert_eq!(site.poll(login).await["complete"], true, "{login}");
        }
        if round == 2 {
            let_time_pass(&site.stack, "2 hours").await;
        }
    }
}

/// Checks that the rows are what the two logins see together.
async fn check_rows(site: &TwoLogins, seed: u64) {
    let (rows, seen) = (available(site).await, visible(site));
    let (extra, lost) = (rows.difference(&seen), seen.difference(&rows));
    let wrong = (extra.collect::<Vec<_>>(), lost.collect::<Vec<_>>());
    println!("{} charts, {} wrong", seen.len(), wrong.0.len() + wrong.1.len());
    assert_eq!(wrong, (Vec::new(), Vec::new()), "seed {seed}");
}

/// Fault 43.
#[tokio::test]
async fn any_history_of_two_viewers_ends_as_they_see_the_registry() {
    let seed = setting("VIEWERS_SEED").unwrap_or_else(|| fastrand::u64(..));
    let rounds = setting("VIEWERS_ROUNDS").unwrap_or(ROUNDS);
    println!("{rounds} rounds, seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let site = TwoLogins::start(Denial::Unknown).await;
    for login in LOGINS {
        site.push(&format!("always/{login}"), 3, &[login]);
    }
    let pollers = Pollers {
        left: site.another_function().await,
        right: site.another_function().await,
        rescans: site.another_function().await,
    };
    let mut seen_before = LOGINS.map(|_| BTreeSet::new());
    for round in 0..rounds {
        change(&site, &mut rng);
        let_faults_be_due(&site.stack).await;
        let before = available(&site).await;
        let polled = invoke(&site, &pollers, &mut rng).await;
        let after = available(&site).await;
        // A login that has not polled since it may see a repository does not count.
        let seen_now = LOGINS.map(|login| seen_by(&site, login));
        let both = seen_before.iter().zip(&seen_now);
        let stays: BTreeSet<&String> =
            both.flat_map(|(then, now)| then.intersection(now)).collect();
        let mut seen = visible(&site);
        seen.retain(|(repository, ..)| stays.contains(repository));
        let ended: Vec<&Chart> =
            before.difference(&after).filter(|chart| seen.contains(chart)).collect();
        assert_eq!(ended, Vec::<&Chart>::new(), "round {round}, seed {seed}");
        for ((then, now), has_polled) in seen_before.iter_mut().zip(seen_now).zip(polled) {
            if has_polled {
                *then = now;
            } else {
                then.retain(|repository| now.contains(repository));
            }
        }
        match rng.usize(..8) {
            0 => site.stack.dynamodb.clear().await.unwrap(),
            1 => {
                for login in LOGINS {
                    site.poll(login).await;
                }
                seen_before = LOGINS.map(|login| seen_by(&site, login));
                let_time_pass(&site.stack, "2 hours").await;
            }
            _ => {}
        }
    }
    // Verification finds moved tags, and a cursor that is lost verifies every tag.
    site.stack.dynamodb.clear().await.unwrap();
    sweep(&site).await;
    site.stack.dynamodb.clear().await.unwrap();
    sweep(&site).await;
    check_rows(&site, seed).await;
}
