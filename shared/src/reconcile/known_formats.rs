//! Keeps the tag formats in memory, so that a chart's tag is parsed when the chart arrives.

use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::Mutex;

use crate::db::{Database, Error};
use crate::domain::TagFormats;

/// The tag formats as this process last read them.
#[derive(Debug, Default)]
pub struct KnownFormats(Mutex<Option<Arc<TagFormats>>>);

impl KnownFormats {
    /// Returns the database's clock, and the tag formats at that time. The database sends their
    /// version with the clock. The formats are read again only if that version has changed.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(super) async fn at_now(
        &self,
        database: &Database,
    ) -> Result<(OffsetDateTime, Arc<TagFormats>), Error> {
        let (now, version) = database.now_and_formats_version().await?;
        let mut known = self.0.lock().await;
        if let Some(formats) = known.as_ref().filter(|formats| formats.version == version) {
            return Ok((now, Arc::clone(formats)));
        }
        let formats = Arc::new(database.tag_formats().await?);
        *known = Some(Arc::clone(&formats));
        Ok((now, formats))
    }
}
