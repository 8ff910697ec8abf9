//! The faults of a list of repositories.

use reqwest::StatusCode;

use super::vendor::Vendor;
use crate::oci::error::Error;

/// The reason why a list of repositories cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The registry gives no catalog.
    #[error(transparent)]
    Registry(#[from] Error),
    /// The vendor gives no list.
    #[error(transparent)]
    Vendor(#[from] VendorError),
}

/// The reason why a vendor's list of repositories cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum VendorError {
    /// The settings are not enough to ask the vendor.
    #[error("{vendor} cannot be asked for its repositories: {remedy}")]
    CannotAsk {
        /// The vendor.
        vendor: Vendor,
        /// What is missing, and the remedy.
        remedy: String,
    },
    /// The vendor refuses the call.
    #[error("{vendor} refuses {call}: it answered {status}. {remedy}")]
    Refused {
        /// The vendor.
        vendor: Vendor,
        /// The call's method and address.
        call: String,
        /// The answer's status.
        status: StatusCode,
        /// What is probably missing, and the remedy.
        remedy: String,
    },
    /// The answer is a success, but it is no list of the vendor's.
    #[error("{call} did not answer with {vendor}'s list")]
    Malformed {
        /// The vendor.
        vendor: Vendor,
        /// The call's method and address.
        call: String,
        /// The reason, with the place in the body.
        source: serde_json::Error,
    },
    /// The pages lead back to an earlier page, or do not end.
    #[error("{vendor} lists its pages in a circle or without end")]
    Endless {
        /// The vendor.
        vendor: Vendor,
    },
    /// A page has more items than were asked for.
    #[error("{call} answered with more than {limit} items, so it is not {vendor}'s list")]
    PageTooLarge {
        /// The vendor.
        vendor: Vendor,
        /// The call's method and address.
        call: String,
        /// The most items that were asked for.
        limit: usize,
    },
    /// The whole list is empty. The credentials probably see nothing.
    #[error("{vendor} lists no repository. {remedy}")]
    Empty {
        /// The vendor.
        vendor: Vendor,
        /// What is probably missing, and the remedy.
        remedy: String,
    },
    /// No answer arrived.
    #[error(transparent)]
    Request(#[from] Error),
}

impl VendorError {
    /// Returns whether the vendor answered with this status.
    pub(super) fn has_status(&self, wanted: StatusCode) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == wanted)
    }

    /// Returns whether the vendor accepts no request for now.
    #[must_use]
    pub fn is_asked_to_wait(&self) -> bool {
        matches!(self, Self::Request(error) if error.is_asked_to_wait())
    }
}

impl CatalogError {
    /// Returns whether the list has no page at a saved position.
    #[must_use]
    pub fn is_position_refused(&self) -> bool {
        match self {
            Self::Registry(error) => error.is_position_refused(),
            Self::Vendor(error) => {
                error.has_status(StatusCode::BAD_REQUEST) || error.has_status(StatusCode::NOT_FOUND)
            }
        }
    }
}
