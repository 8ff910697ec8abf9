//! One pass over a registry, as a staircase: `run` → `stages`, `repositories` → `differences` →
//! `verify` → `look_up`.

mod catalog;
mod compare;
mod context;
mod differences;
mod look_up;
mod repositories;
mod run;
mod stages;
mod tag_lists;
mod verify;
mod verify_plan;
mod verify_share;

pub(crate) use context::{Halt, Poll};
pub(crate) use run::run;
