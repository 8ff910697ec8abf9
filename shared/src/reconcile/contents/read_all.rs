//! The charts of a batch that are being opened. What is inside follows from the digest, so that
//! tags that resolve to the same one share what is read.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::{Room, Taken, open};
use crate::domain::{ChartContents, Contents, Digest, Registry, Subject};
use crate::oci::Error;
use crate::reconcile::ClientFor;
use crate::reconcile::observe::SeenChart;

/// A tag and the chart that it resolves to.
pub(in crate::reconcile) type TaggedChart = (Subject, SeenChart);

/// How the contents of a chart go into the rows.
type Wrap = fn(Arc<Contents>) -> ChartContents;

/// What tells one chart from another, and whether somebody asks for it to be read.
type Key = (Arc<Registry>, Digest, bool);

/// What becomes of a chart that is being opened.
type UnderWay = (Key, Wrap, Result<(Contents, Taken), Error>);

/// Charts that are being opened, and those that were since [`Opening::forget`].
pub(in crate::reconcile) struct Opening<'a, C> {
    client_for: &'a C,
    room: Room,
    under_way: FuturesUnordered<LocalBoxFuture<'static, UnderWay>>,
    waiting: HashMap<Key, Vec<TaggedChart>>,
    opened: HashMap<Key, ChartContents>,
}

/// A chart that was opened, with its tags. It was opened in the repository of the first one.
pub(in crate::reconcile) struct Opened {
    pub(in crate::reconcile) tags: Vec<TaggedChart>,
    pub(in crate::reconcile) contents: Result<ChartContents, Error>,
    /// Held until a large chart is written.
    pub(in crate::reconcile) taken: Taken,
}

impl<'a, C: ClientFor> Opening<'a, C> {
    pub(in crate::reconcile) fn new(client_for: &'a C) -> Self {
        Self {
            client_for,
            room: Arc::default(),
            under_way: FuturesUnordered::new(),
            waiting: HashMap::new(),
            opened: HashMap::new(),
        }
    }

    /// Opens a chart; gives it back with its contents when it has been opened for another tag.
    pub(in crate::reconcile) fn begin(
        &mut self,
        (subject, chart): TaggedChart,
        is_requested: bool,
        wrap: Wrap,
    ) -> Option<(TaggedChart, ChartContents)> {
        let key = (Arc::clone(&subject.registry), chart.digest.clone(), is_requested);
        if let Some(contents) = self.opened.get(&key) {
            return Some(((subject, chart), contents.clone()));
        }
        let tags = self.waiting.entry(key.clone()).or_default();
        tags.push((subject.clone(), chart.clone()));
        if tags.len() == 1 {
            let client = (self.client_for)(&subject.registry);
            let room = Arc::clone(&self.room);
            let opening = async move {
                let opened = match client {
                    Ok(client) => {
                        let opened = open(&client, &subject.repository, &chart.manifest, &room);
                        AssertUnwindSafe(opened)
                            .catch_unwind()
                            .await
                            .unwrap_or(Err(Error::Panicked))
                    }
                    Err(error) => Err(error),
                };
                (key, wrap, opened)
            };
            self.under_way.push(opening.boxed_local());
        }
        None
    }

    /// The next chart that has been opened; `None` when none is under way.
    pub(in crate::reconcile) async fn next(&mut self) -> Option<Opened> {
        let (key, wrap, contents) = self.under_way.next().await?;
        let tags = self.waiting.remove(&key).unwrap_or_default();
        let (contents, taken) = match contents {
            Ok((contents, taken)) => (Ok(wrap(Arc::new(contents))), taken),
            Err(error) => (Err(error), None),
        };
        if let Ok(contents) = &contents {
            self.opened.insert(key, contents.clone());
        }
        Some(Opened { tags, contents, taken })
    }

    /// Lets go of what has been opened: it is written, and known there.
    pub(in crate::reconcile) fn forget(&mut self) {
        self.opened.clear();
    }

    /// The tags whose charts have not been opened.
    pub(in crate::reconcile) fn unopened(&self) -> impl Iterator<Item = &Subject> {
        self.waiting.values().flatten().map(|(subject, _)| subject)
    }
}
