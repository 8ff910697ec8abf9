//! The law of `oci-poll`: whatever the registry answered, and whatever was lost, repeated or
//! interrupted, the rows equal the registry after one undisturbed sweep.
//!
//! A history is a random sequence of changes and accidents. While the registry lies, pollers run
//! with short deadlines, two at a time, and are killed. Its contents change between their requests.
//! The cursor is lost, or an older copy of it comes back. Stored times jump into the future. People
//! delete rows, and ask for rescans and releases.
//!
//! `POLLER_LAW_HISTORIES` sets the number of histories. `POLLER_LAW_SEED` runs the history with
//! this seed alone.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use fastrand::Rng;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tests::dynamodb::CURSOR_TABLE;
use tests::function::Function;
use tokio::task::JoinHandle;

use crate::support::known_registry::{REPOSITORIES, TAGS};
use crate::support::lease::{edit_lease, milliseconds_from_now};
use crate::support::lying_registry::{Denial, LIES, Lie, LyingRegistry};
use crate::support::passing_time::move_times;
use crate::support::stack::{Stack, count, instance};

const HISTORIES: u64 = 24;
const STEPS: usize = 14;

/// The histories under way at the same time.
const AT_ONCE: usize = 10;

/// The seconds by which the database's clock was ahead.
const JUMP: i32 = 30 * 24 * 3600;

type Item = HashMap<String, AttributeValue>;

/// A history under way.
struct History {
    stack: Stack,
    registry: LyingRegistry,
    server: JoinHandle<()>,
    instance: Value,
    functions: [Function; 2],
    rng: Rng,
    /// The rows that were deleted by hand, as `repository:tag@digest`, and that no rescan brought
    /// back.
    dismissed: BTreeSet<String>,
    /// Whether a rescan of all charts may be under way.
    is_rescanning: bool,
    /// An older copy of the cursor.
    saved: Option<Vec<Item>>,
    /// What happened, in words.
    trace: Vec<String>,
}

impl History {
    async fn begin(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let denials = [Denial::Distribution, Denial::Strict, Denial::Harbor];
        let denial = denials[rng.usize(..denials.len())];
        let stack = Stack::new().await;
        let (registry, url, server) = LyingRegistry::start(rng.u64(..), denial).await;
        let mut instance = instance(&url);
        let selection = match rng.u8(..4) {
            0 => json!(REPOSITORIES),
            1 => json!(["a", "team/**"]),
            _ => Value::Null,
        };
        if !selection.is_null() {
            instance["oci"]["repositories"] = selection;
        }
        let functions = [stack.oci_poll().await, stack.oci_poll().await];
        let trace = vec![format!("{denial:?} {}", instance["oci"]["repositories"])];
        let (dismissed, is_rescanning, saved) = (BTreeSet::new(), false, None);
        Self {
            stack,
            registry,
            server,
            instance,
            functions,
            rng,
            dismissed,
            is_rescanning,
            saved,
            trace,
        }
    }

    fn note(&mut self, what: impl Into<String>) {
        self.trace.push(what.into());
    }

    fn change(&mut self) {
        for _ in 0..self.rng.usize(1..8) {
            let rng = &mut self.rng;
            let change = self.registry.with(|state| state.known.change(rng));
            self.trace.push(change);
        }
    }

    /// Chooses the lies of the next step. Half of the steps are honest.
    fn choose_lies(&mut self) {
        let mut lies: Vec<Lie> = Vec::new();
        if self.rng.bool() {
            let count = self.rng.usize(1..=4);
            lies.extend((0..count).map(|_| LIES[self.rng.usize(..LIES.len())]));
        }
        let share = [5, 20, 60, 100][self.rng.usize(..4)];
        let is_restless = self.rng.usize(..3) == 0;
        self.note(format!("lies {lies:?} {share} %, restless {is_restless}"));
        self.registry.with(|state| {
            state.lie(lies, share);
            state.is_restless = is_restless;
        });
    }

    /// Returns the time of an invocation. It is short while requests may hang.
    fn limit(&mut self) -> Duration {
        let hangs = self.registry.with(|state| state.lies.contains(&Lie::Hang));
        match self.rng.u8(..3) {
            0 => Duration::from_millis(self.rng.u64(1100..2000)),
            1 if !hangs => Duration::from_mins(1),
            _ => Duration::from_millis(2500),
        }
    }

    /// Invokes one of the functions. A failure is no fault, because the next invocation repairs it.
    async fn invoke(&mut self, what: &str, payload: &Value) {
        let (limit, which) = (self.limit(), self.rng.usize(..2));
        let answer = self.functions[which].invoke_within(payload, limit).await;
        self.take_answer(which, &format!("{what} within {limit:?}"), answer).await;
    }

    /// Notes an answer. Ends a function that is late, as Lambda does.
    async fn take_answer(&mut self, which: usize, what: &str, answer: anyhow::Result<Value>) {
        let answer = answer.map_or_else(|error| format!("{error:#}"), |answer| answer.to_string());
        self.note(format!("{what}: {answer}"));
        if answer.contains("did not answer within") {
            self.kill(which).await;
        }
    }

    async fn poll_twice_at_once(&mut self) {
        let (first, second) = (self.limit(), self.limit());
        let [one, other] = &self.functions;
        let (one, other) = tokio::join!(
            one.invoke_within(&self.instance, first),
            other.invoke_within(&self.instance, second)
        );
        self.take_answer(0, &format!("one of two within {first:?}"), one).await;
        self.take_answer(1, &format!("the other within {second:?}"), other).await;
    }

    async fn poll_and_kill(&mut self) {
        let kill_in = self.rng.usize(..20);
        let kill = self.registry.with(|state| {
            state.kill = std::sync::Arc::default();
            state.kill_in = Some(kill_in);
            std::sync::Arc::clone(&state.kill)
        });
        let limit = self.limit();
        let answer = tokio::select! {
            answer = self.functions[0].invoke_within(&self.instance, limit) => Some(answer),
            () = kill.notified() => None,
        };
        self.registry.with(|state| state.kill_in = None);
        if let Some(answer) = answer {
            self.take_answer(0, "before the kill", answer).await;
        } else {
            self.note(format!("kill after {kill_in} requests"));
            self.kill(0).await;
        }
    }

    /// Kills a process, and starts another one. The lease is free after its time.
    async fn kill(&mut self, which: usize) {
        self.functions[which].signal("KILL").await.unwrap();
        self.functions[which] = self.stack.oci_poll().await;
        self.settle().await;
        move_times(&self.stack, 0, &[]).await;
    }

    /// Waits until no transaction of a process that was killed is under way.
    async fn settle(&self) {
        let busy = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'";
        while count(&self.stack.rows, busy).await > 0 {
            tokio::task::yield_now().await;
        }
    }

    async fn rescan(&mut self) {
        let repository = REPOSITORIES[self.rng.usize(..REPOSITORIES.len())];
        let rescan = match self.rng.u8(..3) {
            0 => json!({}),
            _ => json!({"repository": repository, "tag": TAGS[self.rng.usize(..TAGS.len())]}),
        };
        self.is_rescanning |= rescan == json!({});
        let payload = json!({"instance": self.instance, "rescan": rescan});
        self.invoke(&format!("rescan {rescan}"), &payload).await;
        self.take_rescanned().await;
    }

    /// Forgets the dismissals of rows that a rescan brought back.
    async fn take_rescanned(&mut self) {
        self.settle().await;
        let rows = self.rows("true").await;
        let back: Vec<String> = self.dismissed.intersection(&rows).cloned().collect();
        for row in back {
            self.dismissed.remove(&row);
            self.note(format!("the rescan brought back {row}"));
        }
    }

    async fn release(&mut self) {
        let release = self.rng.bool();
        let payload = json!({"instance": self.instance, "release": release});
        self.invoke(&format!("release {release}"), &payload).await;
    }

    /// Lists the rows as `repository:tag@digest`.
    async fn rows(&self, condition: &str) -> BTreeSet<String> {
        let sql = format!(
            "SELECT registry.repo_name || ':' || chart.image_tag || '@' || chart.image_digest
            FROM helm_charts AS chart
            JOIN helm_registries AS registry ON registry.id = chart.helm_registry_id
            WHERE {condition}"
        );
        let rows = self.stack.rows.query(&sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    async fn delete_rows(&mut self) {
        let available: Vec<String> = self.rows("chart.available").await.into_iter().collect();
        for row in self.rng.choose_multiple(available.iter(), 3) {
            let delete = "DELETE FROM helm_charts AS chart USING helm_registries AS registry
                WHERE registry.id = chart.helm_registry_id
                    AND registry.repo_name || ':' || chart.image_tag || '@' || chart.image_digest
                        = $1";
            self.stack.rows.execute(delete, &[row]).await.unwrap();
            self.trace.push(format!("delete the row {row}"));
            self.dismissed.insert(row.clone());
        }
    }

    /// Moves stored times: some hours pass, or the clock of the database was ahead.
    async fn move_times(&mut self) {
        let seconds = [-600, -3900, -26 * 3600, JUMP][self.rng.usize(..4)];
        let some = self.rng.choose_multiple(REPOSITORIES, 3);
        let repositories = if seconds > 0 { some } else { REPOSITORIES.to_vec() };
        self.note(format!("move the times of {repositories:?} by {seconds} s"));
        self.pass_time(seconds, &repositories).await;
    }

    /// Moves stored times, and starts new processes, whose own clocks cannot be moved.
    async fn pass_time(&mut self, seconds: i32, repositories: &[&str]) {
        move_times(&self.stack, seconds, repositories).await;
        self.functions = [self.stack.oci_poll().await, self.stack.oci_poll().await];
    }

    async fn items(&self) -> Vec<Item> {
        let scan = self.stack.dynamodb.client().await.scan();
        let scan = scan.table_name(CURSOR_TABLE).consistent_read(true);
        scan.send().await.unwrap().items.unwrap_or_default()
    }

    /// Loses the cursor, keeps a copy of it, or puts the copy back.
    async fn disturb_cursor(&mut self) {
        match (self.rng.u8(..3), self.saved.take()) {
            (0, saved) => {
                self.note("lose the cursor");
                self.saved = saved;
                self.stack.dynamodb.clear().await.unwrap();
            }
            (_, None) => {
                self.note("keep a copy of the cursor");
                self.saved = Some(self.items().await);
            }
            (_, Some(saved)) => {
                self.note("put the older cursor back");
                self.stack.dynamodb.clear().await.unwrap();
                let client = self.stack.dynamodb.client().await;
                for item in saved.clone() {
                    let put = client.put_item().table_name(CURSOR_TABLE).set_item(Some(item));
                    put.send().await.unwrap();
                }
                if !saved.is_empty() {
                    let long_ago = milliseconds_from_now(-3600);
                    edit_lease(&self.stack, &[("held_until", long_ago)]).await;
                }
            }
        }
    }

    async fn step(&mut self) {
        if self.rng.usize(..3) > 0 {
            self.change();
        }
        self.choose_lies();
        match self.rng.u8(..16) {
            0..6 => self.invoke("poll", &self.instance.clone()).await,
            6 | 7 => self.poll_twice_at_once().await,
            8 => self.poll_and_kill().await,
            9 => self.rescan().await,
            10 => self.release().await,
            11 | 12 => self.delete_rows().await,
            13 | 14 => self.move_times().await,
            _ => self.disturb_cursor().await,
        }
        let changes = self.registry.with(|state| std::mem::take(&mut state.changes));
        self.trace.extend(changes.into_iter().map(|change| format!("meanwhile {change}")));
        if self.is_rescanning {
            self.take_rescanned().await;
        }
    }

    /// Makes one undisturbed sweep: the holds run out, and so do those that it begins.
    async fn sweep(&mut self) {
        self.registry.with(|state| {
            state.lie(Vec::new(), 0);
            state.is_restless = false;
        });
        self.settle().await;
        for _ in 0..2 {
            self.pass_time(-2 * 3600, &REPOSITORIES).await;
            let payload = json!({"instance": self.instance, "now": true});
            // On a busy machine a pass may need several invocations.
            for _ in 0..10 {
                let answer = self.functions[0].invoke(&payload).await;
                let is_over = answer
                    .as_ref()
                    .is_ok_and(|answer| !answer["errors"].to_string().contains("time was over"));
                self.take_answer(0, "sweep", answer).await;
                if is_over {
                    break;
                }
            }
        }
    }

    /// Returns what is wrong after the sweep.
    async fn verdict(&mut self) -> Option<String> {
        if self.is_rescanning {
            self.take_rescanned().await;
        }
        let selected = |row: &String| match self.instance["oci"]["repositories"].as_array() {
            Some(names) if names.len() == 2 => row.starts_with("a:") || row.starts_with("team/"),
            _ => true,
        };
        let there = self.registry.with(|state| state.known.charts());
        let expected: BTreeSet<String> =
            there.difference(&self.dismissed).filter(|row| selected(row)).cloned().collect();
        let rows = self.rows("chart.available").await;
        let more: Vec<&String> = rows.difference(&expected).collect();
        let less: Vec<&String> = expected.difference(&rows).collect();
        if !more.is_empty() || !less.is_empty() {
            return Some(format!("wrong rows {more:?}, missing rows {less:?}"));
        }
        let answer = self.functions[0].invoke(&self.instance).await.unwrap();
        let is_same = answer["added"] == 0 && answer["unavailable"] == 0 && answer["held"] == 0;
        (!is_same).then(|| format!("the next pass changes rows: {answer}"))
    }
}

/// Lives through a history. Returns what is wrong at its end.
async fn live(seed: u64) -> Option<String> {
    let mut history = History::begin(seed).await;
    history.change();
    history.change();
    for _ in 0..STEPS {
        history.step().await;
    }
    history.sweep().await;
    let wrong = history.verdict().await;
    history.server.abort();
    let trace = history.trace.join("\n  ");
    wrong.map(|wrong| format!("history {seed}: {wrong}\n  {trace}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_equal_the_registry_after_one_undisturbed_sweep() {
    let environment = shared::config::Environment::of_process();
    let number = |name| environment.get(name).and_then(|text| text.parse::<u64>().ok());
    let any =
        || (0..number("POLLER_LAW_HISTORIES").unwrap_or(HISTORIES)).map(|_| fastrand::u64(..));
    let seeds: Vec<u64> =
        number("POLLER_LAW_SEED").map_or_else(|| any().collect(), |seed| vec![seed]);
    println!("{} histories: POLLER_LAW_SEED={}, …", seeds.len(), seeds[0]);
    let lives = stream::iter(seeds.clone()).map(live).buffer_unordered(AT_ONCE);
    let wrong: Vec<String> = lives.filter_map(std::future::ready).collect().await;
    println!("{} of {} histories end wrong", wrong.len(), seeds.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
