//! Looks at references, at most so many at a time.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use futures_util::stream::{self, Stream, StreamExt as _};

use super::ClientFor;
use super::observe::{Seen, observe};
use super::pending::Pending;
use crate::domain::Subject;
use crate::oci::Error;

/// A reference and what it resolves to.
pub(super) type Look = (Subject, Result<Seen, Error>);

/// Looks at all that is pending. Those that come together are given together.
pub(super) fn look(
    client_for: impl ClientFor,
    pending: &Pending,
    concurrency: usize,
) -> impl Stream<Item = Vec<Look>> {
    let concurrency = concurrency.max(1);
    let looks = pending.subjects().map(move |subject| {
        let client = client_for(&subject.registry);
        async move {
            let seen = match client {
                // One look that panics is one look that failed.
                Ok(client) => AssertUnwindSafe(observe(&client, subject)).catch_unwind().await,
                Err(error) => Ok(Err(error)),
            };
            (subject.clone(), seen.unwrap_or(Err(Error::Panicked)))
        }
    });
    stream::iter(looks).buffer_unordered(concurrency).ready_chunks(concurrency)
}
