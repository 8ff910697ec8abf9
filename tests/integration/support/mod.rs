//! Shared by the tests: the stack of one test, servers that misbehave on demand, and proxies that
//! inject faults.

pub(crate) mod admin_site;
pub(crate) mod assert_summary;
pub(crate) mod aws_proxy;
pub(crate) mod database_proxy;
pub(crate) mod diagnosis_site;
pub(crate) mod ecr_messages;
pub(crate) mod fake_registry;
pub(crate) mod functions_role;
pub(crate) mod hints;
pub(crate) mod hostile_oidc_provider;
pub(crate) mod known_registry;
pub(crate) mod lease;
pub(crate) mod lying_registry;
pub(crate) mod oci_client;
pub(crate) mod oci_poll;
pub(crate) mod passing_time;
pub(crate) mod platz;
pub(crate) mod platz_site;
pub(crate) mod stack;
pub(crate) mod stand_in_queue;
pub(crate) mod tag_formats;
pub(crate) mod two_logins;
pub(crate) mod vendor_site;
pub(crate) mod walk;
