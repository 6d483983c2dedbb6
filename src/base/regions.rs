//! The regions that there are: AWS's, and those that the operator adds. Who could name any region could fill the store with
//! settings, counters and quotas of regions that nobody has heard of.
use std::sync::Arc;

use crate::base::Region;

/// AWS's regions in all partitions (AWS General Reference, "Service endpoints and quotas"), in the order of their names.
const AWS: [&str; 48] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-isoe-west-1",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "me-west-1",
    "mx-central-1",
    "sa-east-1",
    "sa-west-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-iso-west-1",
    "us-isob-east-1",
    "us-isob-west-1",
    "us-isof-east-1",
    "us-isof-south-1",
    "us-west-1",
    "us-west-2",
];

/// The regions in which resources may be made. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Regions(Arc<[Region]>);

impl Regions {
    /// AWS's regions and these.
    pub fn with(own: &[Region]) -> Self {
        Self(own.into())
    }

    /// Whether there is a region of this name.
    pub fn know(&self, name: &str) -> bool {
        AWS.binary_search(&name).is_ok() || self.0.iter().any(|own| own.as_str() == name)
    }

    /// Those that the operator added.
    pub fn own(&self) -> &[Region] {
        &self.0
    }

    /// All of them, by name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        AWS.into_iter().chain(self.0.iter().map(Region::as_str))
    }

    /// The region of this name, if there is one.
    pub fn find(&self, name: &str) -> Option<Region> {
        if self.know(name) { name.parse().ok() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_regions_are_known_and_others_only_where_they_were_added() {
        assert!(AWS.is_sorted() && AWS.iter().all(|name| name.parse::<Region>().is_ok()));
        let own = Regions::with(&["home-1".parse().expect("a region")]);
        for name in AWS.iter().chain(&["home-1"]) {
            assert_eq!(own.find(name).map(String::from).as_deref(), Some(*name));
            assert!(own.names().any(|known| known == *name));
        }
        for name in ["", "us-east-9", "us-east-1 ", "US-EAST-1", "aws-global"] {
            assert_eq!(own.find(name), None, "{name}");
        }
        assert!(!Regions::default().know("home-1"));
    }
}
