//! The parts of the local stack: real Postgres, real Docker Distribution, a DynamoDB emulator, and
//! the functions' real binaries behind the Lambda Runtime API. `make run` and the tests use the
//! same parts.

pub mod admin;
pub mod browser;
pub mod chart;
pub mod dynamodb;
pub mod dynamodb_local;
pub mod function;
pub mod function_url;
pub mod helm;
pub mod http_function;
pub mod moto;
pub mod oidc;
pub mod pooler;
pub mod postgres;
pub mod push;
pub mod registry;
pub mod rights;
pub mod supervise;
pub mod terraform;
pub mod tools;
pub mod webhooks;

mod aws;
mod runtime_api;
