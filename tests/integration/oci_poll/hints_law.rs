//! The law of webhooks: whatever becomes of them, the rows are right after one pass. If none is
//! lost, they are right without it.
//!
//! A history pushes, moves, overwrites and deletes a few tags. Each change has a webhook, which is
//! repeated, reordered, delivered in batches to two processes, and lost in every other round.
//! Forged ones come too. `LAW_ROUNDS` sets the number of rounds; the default is 12.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared::config::Environment;
use shared::domain::Digest;
use tests::function::Function;

use crate::support::hints::{at, batch_of, hint, hinted};
use crate::support::lease::edit_cursor;
use crate::support::stack::{Stack, failed};

/// Rounds of a run. A pass ends each of them.
const ROUNDS: usize = 12;

/// Changes in a round.
const STEPS: usize = 25;

const REPOSITORIES: [&str; 3] = ["team/a", "team/b", "team/c"];
const TAGS: [&str; 3] = ["1.0.0", "1.1.0", "latest"];

/// One in this many changes loses its webhook, in a round that loses some.
const LOST: usize = 3;

/// The most deletions in a round. More would be a mass, which is held back.
const DELETIONS: usize = 5;

/// What the registry has, and the webhooks that wait for their delivery.
#[derive(Default)]
struct History {
    charts: BTreeMap<(String, String), Digest>,
    waiting: Vec<Value>,
    pushes: usize,
    deletions: usize,
    loses: bool,
}

#[tokio::test]
async fn rows_follow_webhooks_and_one_pass_repairs_losses() {
    let rounds = Environment::of_process().get("LAW_ROUNDS").and_then(|text| text.parse().ok());
    let (rounds, seed) = (rounds.unwrap_or(ROUNDS), fastrand::u64(..));
    println!("{rounds} rounds, seed {seed}");
    fastrand::seed(seed);
    let stack = Stack::new().await;
    let functions = [stack.oci_poll().await, stack.oci_poll().await];
    functions[0].invoke(&stack.instance()).await.unwrap();
    let mut history = History::default();
    let mut repaired = 0;
    for round in 0..rounds {
        history.loses = round % 2 == 1;
        history.deletions = 0;
        for _ in 0..STEPS {
            history.change(&stack).await;
            if fastrand::bool() {
                deliver(&functions, &mut history.waiting).await;
            }
        }
        while !history.waiting.is_empty() {
            deliver(&functions, &mut history.waiting).await;
        }
        let wrong = history.wrong(&stack).await;
        assert!(history.loses || wrong.is_empty(), "round {round}: {wrong:?}");
        repaired += wrong.len();
        let_every_tag_be_due(&stack).await;
        // Another process, because the others have a cursor in memory.
        let summary = stack.oci_poll().await.invoke(&stack.instance()).await.unwrap();
        assert_eq!(summary["complete"], true, "{summary}");
        let wrong = history.wrong(&stack).await;
        assert!(wrong.is_empty(), "round {round}, after the pass: {wrong:?}");
        let_an_hour_pass(&stack).await;
    }
    println!("{repaired} rows were wrong without their webhooks, and 0 after one pass");
    assert!(rounds < ROUNDS || repaired > 0, "no webhook was missed");
}

impl History {
    /// Changes a tag in the registry, and adds its webhook.
    async fn change(&mut self, stack: &Stack) {
        let repository = REPOSITORIES[fastrand::usize(..REPOSITORIES.len())];
        let tag = TAGS[fastrand::usize(..TAGS.len())];
        let key = (repository.to_owned(), tag.to_owned());
        self.pushes += 1;
        let content = self.pushes.to_string();
        match fastrand::usize(..4) {
            0 if self.charts.contains_key(&key) && self.deletions < DELETIONS => {
                self.deletions += 1;
                let digest = self.charts.remove(&key).unwrap();
                stack.pusher.delete(repository, &digest).await.unwrap();
            }
            1 if self.charts.contains_key(&key) && self.deletions < DELETIONS => {
                self.deletions += 1;
                self.charts.remove(&key);
                stack.pusher.push_image(repository, tag, &content).await.unwrap();
            }
            _ => {
                let digest = stack.pusher.push_chart(repository, tag, &content).await.unwrap();
                self.charts.insert(key, digest);
            }
        }
        if self.loses && fastrand::usize(..LOST) == 0 {
            return;
        }
        // Some senders name no tag, and some name the repository no more than the instance.
        let webhook =
            if fastrand::bool() { hint(repository, Some(tag)) } else { hint(repository, None) };
        self.waiting.extend(std::iter::repeat_n(webhook, fastrand::usize(1..=3)));
        if fastrand::usize(..4) == 0 {
            self.waiting.push(forged());
        }
    }

    /// Lists the differences between the registry and the rows.
    async fn wrong(&self, stack: &Stack) -> Vec<String> {
        let sql = "SELECT registry.repo_name, chart.image_tag, chart.image_digest
            FROM helm_charts AS chart
            JOIN helm_registries AS registry ON registry.id = chart.helm_registry_id
            WHERE chart.available";
        let rows = stack.rows.query(sql, &[]).await.unwrap();
        let rows: BTreeMap<(String, String), String> =
            rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect();
        let mut keys: Vec<&(String, String)> = rows.keys().chain(self.charts.keys()).collect();
        keys.sort();
        keys.dedup();
        let differs = |key: &&(String, String)| {
            rows.get(*key).map(String::as_str) != self.charts.get(*key).map(Digest::as_str)
        };
        let shown = |key: &(String, String)| {
            format!("{key:?}: row {:?}, registry {:?}", rows.get(key), self.charts.get(key))
        };
        keys.into_iter().filter(differs).map(shown).collect()
    }
}

/// Returns a webhook about something that is not there.
fn forged() -> Value {
    match fastrand::usize(..5) {
        0 => hint("team/a", Some("9.9.9")),
        1 => hint("forged/b", None),
        2 => at("unknown", "team/a", Some("1.0.0")),
        3 => hinted(&json!({"instance": "test", "repository": "team/a", "key": "docker-local"})),
        _ => hinted(&json!({"instance": "test"})),
    }
}

/// Takes some of the webhooks in any order, and delivers them to both processes at once.
async fn deliver(functions: &[Function; 2], waiting: &mut Vec<Value>) {
    fastrand::shuffle(waiting);
    let mut take = || batch_of(&waiting.split_off(waiting.len().saturating_sub(5)));
    let (first, second) = (take(), take());
    let answers = tokio::join!(functions[0].invoke(&first), functions[1].invoke(&second));
    assert_eq!((answers.0.unwrap(), answers.1.unwrap()), (failed(&[]), failed(&[])));
}

/// Makes every tag due for verification, as if `verifyInterval` had passed.
async fn let_every_tag_be_due(stack: &Stack) {
    edit_cursor(stack, |state| state["verified_until"] = Value::Null).await;
}

/// Moves what happened back, so that the deletions of several rounds are no mass.
async fn let_an_hour_pass(stack: &Stack) {
    let sql = "UPDATE observations SET changed_at = changed_at - interval '2 hours'";
    stack.rows.execute(sql, &[]).await.unwrap();
}
