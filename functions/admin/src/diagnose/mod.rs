//! Why is this chart not there? What a site admin pastes is held against the instances; the
//! function of the one that watches it asks the registry; the rest is in the rows. Nothing is
//! written, and no registry is contacted from here.

mod evidence;
mod freshness;
mod instance;
mod reference;
mod row;
mod run;

pub(crate) use run::{ChartDiagnosis, diagnose};
