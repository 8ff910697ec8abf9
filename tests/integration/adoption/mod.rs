//! A database of the Platz backend: taken over, used, and given back.

mod admin;
mod adopt;
mod backfill;
mod check;
mod discoveries;
mod dump;
mod formats;
mod poll;
mod unadopt;
