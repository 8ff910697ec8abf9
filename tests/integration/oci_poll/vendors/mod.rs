//! Lists of repositories by the call of a vendor, each against a fake of its server.

mod artifact_registry;
mod docker_hub;
mod gitea;
mod github;
mod gitlab;
mod harbor;
mod lists;
mod marks;
mod quay;
