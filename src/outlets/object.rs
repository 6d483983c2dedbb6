//! What is told of an object beside its octets, and what may be wrong.

/// What an object carries along: names in lower case, and values. At S3 these are `x-amz-meta-` header fields; Azure's names
/// have underscores for hyphens. In a folder they are a file beside the object, its name and [`INSTRUCTION`](crate::outlets::objects::INSTRUCTION).
pub type Metadata = Vec<(&'static str, String)>;

/// Why an object was not stored or read.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The bucket's name breaks S3's rules.
    #[error(
        "a bucket name has 3 to 63 lower-case letters, digits, dots and hyphens, and starts and ends with a letter or digit"
    )]
    Bucket,
    /// The key is empty, too long, or could leave its bucket.
    #[error(
        "an object key has 1 to 1024 octets in segments of 1 to 255, none of them '.' or '..', and no backslash or control character"
    )]
    Key,
    /// Azure's containers have stricter names.
    #[error("at Azure a bucket name has no dot and no two hyphens in a row")]
    Container,
    /// There is none.
    #[error("there is no such object")]
    Missing,
    /// It is larger than the reader takes.
    #[error("the object is too large")]
    TooLarge,
    /// The folder could not be written or read.
    #[error("cannot write or read the object: {0}")]
    Folder(#[from] std::io::Error),
    /// The provider refused or was not reached.
    #[error("the object store did not take or give the object: {0}")]
    Remote(#[from] object_store::Error),
}
