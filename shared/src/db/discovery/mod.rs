//! Statements of discovery: they load what is stored, and write what was observed.

mod apply;
mod chart_repositories;
mod chart_rows;
mod faults;
mod imports;
mod instance_changes;
mod instance_rescans;
mod instances;
mod known_instances;
mod known_tags;
mod marks;
mod orphans;
mod outdated_faults;
mod parsed_tags;
mod population;
mod reference_walk;
mod repository_faults;
mod seen_repositories;
mod stored;
mod subjects;
mod tag_formats;

pub use apply::{Applied, Writer};
pub use chart_rows::{KnownContents, KnownDigest};
pub use faults::{FaultKind, FaultOverview, HiddenOverview, NewFault, StoredFault};
pub use instance_changes::NotedChange;
pub use instances::{Arrival, Health, InstanceState, Introduction};
pub use known_instances::{KnownInstance, KnownInstances};
pub use known_tags::{KnownTag, StoredTag};
pub use marks::Mark;
pub use orphans::{EndedOrphans, OrphanedRegistry};
pub use population::Population;
pub use reference_walk::{WalkOver, WalkPage, WalkPlace};
pub use repository_faults::{FailedVisit, VisitFault};
pub use seen_repositories::RepositoryViewers;
pub use stored::{StoredObservation, StoredState};
pub use tag_formats::{Behind, ChartTag, Reparsed, TagFormatsState};
