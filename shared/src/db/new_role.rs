//! Waits until AWS knows a new role everywhere.
//!
//! A deployment makes the role of `migrate` and invokes it seconds later. For some time after that,
//! Secrets Manager and RDS may still refuse the role.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_postgres::error::SqlState;
use tracing::info;

use super::{Database, Error};
use crate::config::DatabaseLogin;

/// The wait after the first refusal. It doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest wait between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

impl Database {
    /// Opens the connection. If the secret or the IAM login is refused, tries again until `until`,
    /// because the role of the function may be new. A refused password ends the wait at once.
    ///
    /// # Errors
    /// When the database cannot be reached, or still refuses the login at `until`.
    pub async fn wait_for_new_role(&self, until: Instant) -> Result<(), Error> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.now().await {
                Err(error) if self.refuses_role(&error) && Instant::now() + pause < until => {
                    let error = crate::telemetry::Causes(&error);
                    info!(%error, "refused, which may pass if the role is new: trying again");
                    sleep(pause).await;
                    pause = (2 * pause).min(LONGEST_PAUSE);
                }
                other => return other.map(drop),
            }
        }
    }

    /// Tells whether AWS refused the role, and not the database a user or a password.
    fn refuses_role(&self, error: &Error) -> bool {
        match error {
            Error::Login { source, .. } => source.is_denied(),
            // RDS answers a refused token with either code.
            Error::Connect { source, .. } => {
                let refusals =
                    [SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION];
                matches!(self.login(), DatabaseLogin::Iam(_))
                    && source.code().is_some_and(|code| refusals.contains(code))
            }
            _ => false,
        }
    }
}
