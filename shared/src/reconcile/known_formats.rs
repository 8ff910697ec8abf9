//! The tag formats that a process knows, so that a chart's tag is taken apart when it arrives.

use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::Mutex;

use crate::db::{Database, Error};
use crate::domain::TagFormats;

/// The formats as they were when this process read them last.
#[derive(Debug, Default)]
pub struct KnownFormats(Mutex<Option<Arc<TagFormats>>>);

impl KnownFormats {
    /// The database's clock, and the formats at that time. They are read again only when the
    /// version that comes with the clock is another one.
    ///
    /// # Errors
    /// When the database cannot be asked.
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
