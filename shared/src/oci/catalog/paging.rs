//! Finds the next page of a list whose pages have numbers, and encodes names in paths.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::vendor_client::VendorReply;
use crate::oci::error::Error;
use crate::oci::list::{Unreadable, next_query};
use crate::oci::redact::redacted;

/// The characters that are encoded: all but those that RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Returns the path of the page behind `path`, which ends in `page=` and a number. `None` if an
/// answer with this many items is the last page. A full page without any `Link` may not be the
/// last, because a proxy may drop the header.
///
/// # Errors
/// [`Error::UnreadableLink`] if there may be a next page.
pub(super) fn numbered_page_behind(
    path: &str,
    reply: &VendorReply,
    items: usize,
    page_size: usize,
) -> Result<Option<String>, Error> {
    let has_links = reply.headers.contains_key(reqwest::header::LINK);
    let link = next_query(&reply.url, &reply.headers)
        .map_err(|Unreadable| Error::UnreadableLink { url: redacted(&reply.url) })?;
    let is_followed = link.is_some() || !has_links && items >= page_size;
    Ok(next_number(path).filter(|_| is_followed))
}

/// Returns a path with the next number of a page.
pub(super) fn next_number(path: &str) -> Option<String> {
    let (before, number) = path.rsplit_once("page=")?;
    let next = number.parse::<u32>().ok()?.checked_add(1)?;
    Some(format!("{before}page={next}"))
}

/// Encodes a text as one segment of a path, or as a value in a query.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Decodes a segment of a path.
pub(super) fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slash_in_a_name_is_encoded_as_often_as_it_is_asked_for() {
        assert_eq!(encoded("a/b_c-d.e"), "a%2Fb_c-d.e");
        assert_eq!(encoded(&encoded("a/b")), "a%252Fb");
        assert_eq!(decoded("charts%2Ftea"), "charts/tea");
    }

    #[test]
    fn number_of_the_page_is_the_last_of_a_path() {
        let next = next_number("/x?per_page=100&page=9");
        assert_eq!(next.as_deref(), Some("/x?per_page=100&page=10"));
        assert_eq!(next_number("/x"), None);
    }
}
