//! Reads the contents of a batch's charts, several at a time. The digest decides the contents, so
//! tags that resolve to the same digest share one read.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::{LargeChartPermit, LargeChartPermits, read_contents};
use crate::domain::{ChartContents, Contents, Digest, Registry, Subject};
use crate::oci::Error;
use crate::reconcile::ClientFor;
use crate::reconcile::observe::UnreadChart;

/// A tag and the chart that it resolves to.
#[derive(Debug, Clone)]
pub(in crate::reconcile) struct TaggedChart {
    pub(in crate::reconcile) subject: Subject,
    pub(in crate::reconcile) chart: UnreadChart,
}

/// Why a chart's contents are read, which decides the rows that get them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::reconcile) enum ReadReason {
    /// No row has the chart's digest.
    New,
    /// A row of the digest has no contents, or incomplete ones.
    Refreshed,
    /// An earlier version of the program read the stored contents.
    Renewed,
    /// A rescan asks for it.
    Requested,
}

/// Identifies a read. A requested read does not share the result of another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ReadKey {
    registry: Arc<Registry>,
    digest: Digest,
    is_requested: bool,
}

/// The contents of a chart, with the permit if the chart is large.
type ReadResult = Result<(Contents, Option<LargeChartPermit>), Error>;

/// The reads under way, and what was read since the last [`Reads::forget`].
pub(in crate::reconcile) struct Reads<'a, C> {
    client_for: &'a C,
    permits: LargeChartPermits,
    under_way: FuturesUnordered<LocalBoxFuture<'static, (ReadKey, ReadReason, ReadResult)>>,
    waiting: HashMap<ReadKey, Vec<TaggedChart>>,
    finished: HashMap<ReadKey, ChartContents>,
}

/// A read that has ended, with the tags that waited for it.
pub(in crate::reconcile) struct FinishedRead {
    /// The chart was read in the repository of the first one.
    pub(in crate::reconcile) tags: Vec<TaggedChart>,
    pub(in crate::reconcile) reason: ReadReason,
    pub(in crate::reconcile) contents: Result<ChartContents, Error>,
    /// Held until a large chart is written.
    pub(in crate::reconcile) permit: Option<LargeChartPermit>,
}

impl ReadReason {
    fn into_chart_contents(self, contents: Contents) -> ChartContents {
        let contents = Arc::new(contents);
        match self {
            Self::New => ChartContents::New(contents),
            Self::Refreshed | Self::Renewed => ChartContents::Refreshed(contents),
            Self::Requested => ChartContents::Requested(contents),
        }
    }
}

impl<'a, C: ClientFor> Reads<'a, C> {
    pub(in crate::reconcile) fn new(client_for: &'a C) -> Self {
        Self {
            client_for,
            permits: LargeChartPermits::default(),
            under_way: FuturesUnordered::new(),
            waiting: HashMap::new(),
            finished: HashMap::new(),
        }
    }

    /// Starts to read a chart, unless a read of it is under way. Returns the contents if they were
    /// read for another tag already.
    pub(in crate::reconcile) fn start(
        &mut self,
        tagged: &TaggedChart,
        reason: ReadReason,
    ) -> Option<ChartContents> {
        let TaggedChart { subject, chart } = tagged;
        let key = ReadKey {
            registry: Arc::clone(&subject.registry),
            digest: chart.digest.clone(),
            is_requested: reason == ReadReason::Requested,
        };
        if let Some(contents) = self.finished.get(&key) {
            return Some(contents.clone());
        }
        let tags = self.waiting.entry(key.clone()).or_default();
        tags.push(tagged.clone());
        if tags.len() == 1 {
            let client = (self.client_for)(&subject.registry);
            let (repository, manifest) = (subject.repository.clone(), chart.manifest.clone());
            let is_incomplete = chart.is_incomplete;
            let permits = self.permits.clone();
            let read = async move {
                let mut result = match client {
                    Ok(client) => {
                        let read = read_contents(&client, &repository, &manifest, &permits);
                        AssertUnwindSafe(read).catch_unwind().await.unwrap_or(Err(Error::Panicked))
                    }
                    Err(error) => Err(error),
                };
                if let Ok((contents, _)) = &mut result {
                    contents.is_incomplete |= is_incomplete;
                }
                (key, reason, result)
            };
            self.under_way.push(read.boxed_local());
        }
        None
    }

    /// Waits for the next read to end. Returns `None` if none is under way.
    pub(in crate::reconcile) async fn next(&mut self) -> Option<FinishedRead> {
        let (key, reason, result) = self.under_way.next().await?;
        let tags = self.waiting.remove(&key).unwrap_or_default();
        match result {
            Ok((contents, permit)) => {
                let contents = reason.into_chart_contents(contents);
                self.finished.insert(key, contents.clone());
                Some(FinishedRead { tags, reason, contents: Ok(contents), permit })
            }
            Err(error) => Some(FinishedRead { tags, reason, contents: Err(error), permit: None }),
        }
    }

    /// Drops the contents that were read, because the database has them now.
    pub(in crate::reconcile) fn forget(&mut self) {
        self.finished.clear();
    }

    /// Lists the tags whose charts have not been read.
    pub(in crate::reconcile) fn unfinished(&self) -> impl Iterator<Item = &Subject> {
        self.waiting.values().flatten().map(|tagged| &tagged.subject)
    }
}
