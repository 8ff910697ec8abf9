//! Notices what other writers changed, by the generation of the instance's rows.

use shared::db::{Database, InstanceState};
use tracing::info;

use crate::cursor::{Cursor, Fit};

/// Compares the cursor's generation with the database's, unsettles what others changed, and logs a
/// difference.
///
/// # Errors
/// Fails if the database cannot be asked.
pub(crate) async fn follow_other_writers(
    database: &Database,
    instance: &str,
    cursor: &mut Cursor,
    state: InstanceState,
) -> anyhow::Result<()> {
    let known = cursor.state.generation;
    let changes = if state.generation > known {
        database.changes_after(instance, known).await?
    } else {
        Vec::new()
    };
    match cursor.fit(state.generation, &changes) {
        Fit::Well => {}
        Fit::Noted(repositories) => {
            info!(repositories, "other writers changed repositories: their lists are compared");
        }
        Fit::Behind => {
            info!("rows were written that the cursor does not know of: every list is compared");
        }
        Fit::Ahead => {
            info!("a backup was restored: every list is compared, and every tag verified");
        }
    }
    Ok(())
}
