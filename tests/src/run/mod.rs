//! `stack run`: discovers charts on this machine, from `helm push` to the row, until Ctrl-C.

mod database;
mod discover;
mod hints;
mod options;
mod output;
mod poller;
mod samples;
mod site;
mod stop;
mod verdict;

pub(crate) use discover::run;
pub(crate) use options::Options;
pub(crate) use stop::stop_signal;
