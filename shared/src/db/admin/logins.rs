//! Logins at the admin pages. A login can end only once.

use tokio_postgres::types::Type;

use crate::db::{Database, Error};

/// Forgets old logins, because a login that takes longer than ten minutes is refused anyway.
const END: &str = "\
WITH old AS (DELETE FROM admin_logins WHERE expires_at < clock_timestamp() - interval '1 minute')
INSERT INTO admin_logins (state_hash, expires_at)
VALUES (encode(sha256(convert_to($1, 'UTF8')), 'hex'), clock_timestamp() + interval '15 minutes')
ON CONFLICT (state_hash) DO NOTHING
RETURNING true";

impl Database {
    /// Ends the login with a state. Returns false if it had ended before.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn end_login(&self, state: &str) -> Result<bool, Error> {
        // Sent once only: if the answer is lost, a second try would say that the login had ended
        // before. The user must start a new login then.
        let rows = self.query_once("end the login", END, &[(&state, Type::TEXT)]).await?;
        Ok(!rows.is_empty())
    }
}
