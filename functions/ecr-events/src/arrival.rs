//! How the events of a region arrived.

use shared::db::Arrival;
use shared::domain::Region;

/// Events of a region that arrived together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RegionArrival {
    pub(crate) region: Region,
    pub(crate) arrival: Arrival,
}
