//! The registry client without a function around it.

use shared::oci::{AllowedAddresses, Client, Connections, Login};

/// Makes a client without credentials.
pub(crate) fn anonymous(url: &str) -> Client {
    client(url, Login::Anonymous)
}

pub(crate) fn client(url: &str, login: Login) -> Client {
    let tls = shared::tls::client_config(None).unwrap();
    let connections = Connections::new(tls, AllowedAddresses::default());
    connections.client(url.parse().unwrap(), login, 16).unwrap()
}
