//! The number of names that the client asks for per page. Some registries refuse a large number.

use std::sync::{Mutex, PoisonError};

/// The number of names that the first page of a listing is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageSize {
    /// Docker Distribution and ECR refuse more.
    Thousand,
    /// Quay and others never send more.
    Hundred,
    /// The registry decides.
    OfTheRegistry,
}

/// The number that the registry has accepted last.
#[derive(Debug)]
pub(super) struct AcceptedPageSize(Mutex<PageSize>);

impl PageSize {
    /// Returns the query of the first page.
    pub(super) fn query(self) -> Option<&'static str> {
        match self {
            Self::Thousand => Some("n=1000"),
            Self::Hundred => Some("n=100"),
            Self::OfTheRegistry => None,
        }
    }

    /// Returns what to ask for if the registry refuses this number.
    pub(super) fn smaller(self) -> Self {
        match self {
            Self::Thousand => Self::Hundred,
            Self::Hundred | Self::OfTheRegistry => Self::OfTheRegistry,
        }
    }
}

impl Default for AcceptedPageSize {
    fn default() -> Self {
        Self(Mutex::new(PageSize::Thousand))
    }
}

impl AcceptedPageSize {
    pub(super) fn get(&self) -> PageSize {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, size: PageSize) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = size;
    }
}
