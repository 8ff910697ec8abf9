//! Notices lists without an end.

use super::error::VendorError;
use super::vendor::Vendor;
use super::vendor_page::Fingerprint;
use crate::oci::limits::{PAGES_MAX, QUERY_MAX};

/// Notices a list whose pages lead back to an earlier page, or do not end.
#[derive(Debug, Default)]
pub(super) struct PageCheck {
    /// The page before. `None` at the beginning of a list, and after an empty page.
    before: Option<Fingerprint>,
    pages: usize,
}

impl PageCheck {
    /// Counts a page behind which there is another one, at the path `next`. A page is `None` if it
    /// is empty, because a vendor may leave out all rows of several pages.
    ///
    /// # Errors
    /// Fails if the page is the same as the one before, or one too many.
    pub(super) fn count(
        &mut self,
        vendor: Vendor,
        page: Option<Fingerprint>,
        next: &str,
    ) -> Result<(), VendorError> {
        self.pages += 1;
        let is_same = page.is_some() && self.before == page;
        if is_same || next.len() > QUERY_MAX / 2 || self.pages >= PAGES_MAX {
            return Err(VendorError::Endless { vendor });
        }
        self.before = page;
        Ok(())
    }

    /// Begins with the first page of another list. The pages of all lists count together.
    pub(super) fn begin_another(&mut self) {
        self.before = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_that_comes_twice_and_a_list_that_never_ends_are_refused() {
        let page = |body: &str| Some(Fingerprint::of(body.as_bytes()));
        let mut check = PageCheck::default();
        let mut count = |page, next: &str| check.count(Vendor::Gitea, page, next).is_ok();
        assert!(count(page("a"), "/x") && count(page("b"), "/x"));
        assert!(!count(page("b"), "/x"), "the vendor ignores the page");
        assert!(count(None, "/x") && count(None, "/x"), "empty pages may be alike");
        assert!(!count(page("c"), &"x".repeat(QUERY_MAX)));
        let mut check = PageCheck::default();
        let pages = (0..).take_while(|number: &usize| {
            check.count(Vendor::Gitea, page(&number.to_string()), "/x").is_ok()
        });
        assert_eq!(pages.count(), PAGES_MAX - 1);
        let mut check = PageCheck::default();
        check.count(Vendor::Gitea, page("a"), "/x").unwrap();
        check.begin_another();
        assert!(check.count(Vendor::Gitea, page("a"), "/x").is_ok());
    }
}
