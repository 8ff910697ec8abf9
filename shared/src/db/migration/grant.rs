//! Gives the role of the functions its rights.

use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

/// How the statements name the role. It is psql's variable, so that psql can run them too.
const ROLE: &str = r#":"role""#;

/// Runs statements that grant rights to `:"role"`. Safe to repeat.
///
/// # Errors
/// When there is no such role, or the login does not own the tables.
pub async fn grant(
    transaction: &Transaction<'_>,
    role: &str,
    statements: &str,
) -> Result<(), tokio_postgres::Error> {
    let quote = "SELECT quote_ident($1)";
    let row = transaction.query_typed_one(quote, &[(&role, Type::TEXT)]).await?;
    let role: &str = row.try_get(0)?;
    transaction.batch_execute(&statements.replace(ROLE, role)).await
}
