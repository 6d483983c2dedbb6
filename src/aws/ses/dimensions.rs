//! SES's counters of events (CloudWatch) as event destinations: both APIs have these structures, each with words of its own.
use serde::{Deserialize, Serialize};

use crate::mail::content::{Dimension, DimensionSource, Target};

/// An API's words for where a dimension's value comes from.
pub type SourceWords = [(&'static str, DimensionSource); 3];

/// Counters of the events, with these labels.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CloudWatchDestination {
    dimension_configurations: Vec<CloudWatchDimensionConfiguration>,
}

/// A label.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CloudWatchDimensionConfiguration {
    dimension_name: String,
    dimension_value_source: String,
    default_dimension_value: String,
}

impl CloudWatchDestination {
    /// Reads the destination.
    ///
    /// # Errors
    /// The name of the first dimension whose source is no word of the API's.
    pub fn read(self, words: &SourceWords) -> Result<Target, String> {
        let dimension = |given: CloudWatchDimensionConfiguration| {
            let source = words.iter().find(|(word, _)| *word == given.dimension_value_source);
            let Some((_, source)) = source else { return Err(given.dimension_name) };
            Ok(Dimension { name: given.dimension_name, source: *source, default: given.default_dimension_value })
        };
        let dimensions = self.dimension_configurations.into_iter().map(dimension);
        Ok(Target::Metrics(dimensions.collect::<Result<_, _>>()?))
    }

    /// The destination in the API's words.
    pub fn write(dimensions: Vec<Dimension>, words: &SourceWords) -> Self {
        let word = |source| words.iter().find(|(_, known)| *known == source).map_or("", |(word, _)| word).to_owned();
        let write = |d: Dimension| CloudWatchDimensionConfiguration {
            dimension_name: d.name,
            dimension_value_source: word(d.source),
            default_dimension_value: d.default,
        };
        Self { dimension_configurations: dimensions.into_iter().map(write).collect() }
    }
}
