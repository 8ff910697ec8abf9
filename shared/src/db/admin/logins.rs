//! Logins at the admin pages: each is ended once.

use tokio_postgres::types::Type;

use crate::db::{Database, Error};

/// A login lives for ten minutes: what is older need not be remembered.
const END: &str = "\
WITH old AS (DELETE FROM admin_logins WHERE expires_at < clock_timestamp() - interval '1 minute')
INSERT INTO admin_logins (state_hash, expires_at)
VALUES (encode(sha256(convert_to($1, 'UTF8')), 'hex'), clock_timestamp() + interval '15 minutes')
ON CONFLICT (state_hash) DO NOTHING
RETURNING true";

impl Database {
    /// Ends the login of a state. False when it was ended before.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn end_login(&self, state: &str) -> Result<bool, Error> {
        // Once: of an answer that is lost nobody knows, and the login is begun anew.
        let rows = self.query_once("end the login", END, &[(&state, Type::TEXT)]).await?;
        Ok(!rows.is_empty())
    }
}
