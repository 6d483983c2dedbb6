//! Letting go what is held.
use crate::app::admin::{Admin, AdminError};
use crate::app::{lineage as whereabouts, steady};
use crate::config::Settings;
use crate::store::lineage;

impl Admin {
    /// Lets what is held leave, and makes the place where the database stands the known one. A server that runs follows within
    /// a few seconds.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn release(&self, settings: &Settings) -> Result<Vec<String>, AdminError> {
        let file = steady::sqlite_file(settings).map_err(AdminError::Settings)?;
        let place = whereabouts::place(&self.store, file.as_deref()).await?;
        let said = lineage::read(&mut self.store.reader().await?).await?;
        let known = place.clone();
        self.store.write(move |tx| Box::pin(async move { lineage::release(tx, known.as_deref()).await })).await?;
        let (was, held) = said.map_or((None, None), |said| (said.place, said.held));
        Ok(vec![match (held, was, place) {
            (Some(why), ..) => format!("released; it was held because {why}"),
            (None, Some(was), Some(is)) if was != is => {
                format!(
                    "nothing was held yet; the next start will not hold: the place is known now, it is {is}, and was {was}"
                )
            }
            _ => "nothing was held".to_owned(),
        }])
    }
}
