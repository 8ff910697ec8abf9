//! Shortens addresses for messages.

use reqwest::Url;

/// Longest address in a message, in bytes. The registry's own addresses are shorter.
const SHOWN_MAX: usize = 600;

/// Returns an address without its query, because a query may hold a signature or a position in a
/// listing.
pub(super) fn redacted(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    let mut shown = url.to_string();
    // Safe at any byte, because a URL is ASCII.
    shown.truncate(SHOWN_MAX);
    shown
}
