//! One pass over a registry. The files form a staircase, and each one calls only files below it:
//!
//! - `run` holds the loop. It takes a batch of repositories, visits it, and moves the position.
//! - `stages` yields the batches. `catalog` reads the registry's catalog for it.
//! - `repositories` visits a batch. It requests the lists (`tag_lists`) and finds the changed ones.
//! - `differences` compares a changed list with the rows (`compare`), and settles the repository.
//! - `verify` checks tags whose lists are unchanged (`verify_share`, `verify_plan`).
//! - `look_up` looks at subjects, writes the changes, and counts them. `faults` stores the
//!   looks that failed.
//! - `sights` decides which repositories the pass concludes nothing about, because other instances
//!   see them. `hidden` notes those that the credentials may not read.
//! - `hinted` visits one repository beside the passes, because a webhook named it.
//! - `progress` decides which repositories of a batch are left to visit, how much time their tags
//!   get, and which ones wait because they fail or hang.
//! - `change_marks` decides which repositories need no request, because the vendor's list says
//!   that they are unchanged.
//!
//! `context` has the state of a pass, and `Halt`, the reason to end it early. A step that ends
//! early first writes what it has seen, because the cursor keeps the position.

mod catalog;
mod change_marks;
mod compare;
mod context;
mod differences;
mod faults;
mod hidden;
mod hinted;
mod look_up;
mod progress;
mod repositories;
mod run;
mod sights;
mod stages;
mod tag_lists;
mod verify;
mod verify_plan;
mod verify_share;

pub(crate) use context::{Halt, Poll, Trigger};
pub(crate) use hinted::{HintedTags, visit_hinted};
pub(crate) use run::run;
