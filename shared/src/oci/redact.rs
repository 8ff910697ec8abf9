//! Shortens an address for a message.

use reqwest::Url;

/// Longest address in a message, in bytes. A registry's own are shorter.
const SHOWN_MAX: usize = 600;

/// An address without its query: signed URLs and page positions do not belong in messages.
pub(super) fn redacted(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    let mut shown = url.to_string();
    // A URL is ASCII.
    shown.truncate(SHOWN_MAX);
    shown
}
