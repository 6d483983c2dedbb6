//! What AWS answers to requests that are not signed right.
use crate::access;
use crate::aws::error::{ErrorShape, ServiceError};

/// A request that does not get past the gate.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// No signature at all.
    #[error("Request is missing Authentication Token")]
    Missing,
    /// A signature whose parts are not all there or make no sense.
    #[error("{0}")]
    Incomplete(String),
    /// Credentials that we do not know, or that are switched off; also any session token, since we give none out.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// The signature is wrong, too old, from the future or for something else.
    #[error("{0}")]
    Mismatch(String),
    /// A presigned request was used after its time.
    #[error("Request has expired.")]
    Expired,
    /// Another site's page sent the request with a developer's browser.
    #[error("This server does not take requests from pages of other sites.")]
    Elsewhere,
    /// The unexpected.
    #[error(transparent)]
    Internal(#[from] access::Error),
}

impl SignatureError {
    /// The signature is not the one that the key makes for this request.
    pub(super) fn wrong() -> Self {
        let text = "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                    Access Key and signing method. Consult the service documentation for details.";
        Self::Mismatch(text.to_owned())
    }
}

impl ServiceError for SignatureError {
    /// The JSON protocols have other names than Query for the same errors.
    fn shape(&self) -> ErrorShape {
        let both =
            |json: &'static str, query: &'static str, status| ErrorShape::sender(json, status).query(query, status);
        match self {
            Self::Missing => {
                both("com.amazon.coral.service#MissingAuthenticationTokenException", "MissingAuthenticationToken", 403)
            }
            Self::Incomplete(_) => {
                both("com.amazon.coral.service#IncompleteSignatureException", "IncompleteSignature", 400)
            }
            Self::UnknownKey => {
                both("com.amazon.coral.service#UnrecognizedClientException", "InvalidClientTokenId", 403)
            }
            Self::Mismatch(_) => {
                both("com.amazon.coral.service#InvalidSignatureException", "SignatureDoesNotMatch", 403)
            }
            Self::Expired => both("com.amazon.coral.service#RequestExpired", "RequestExpired", 400),
            Self::Elsewhere => both("com.amazon.coral.service#AccessDeniedException", "AccessDenied", 403),
            Self::Internal(access::Error::Internal(error)) => {
                ErrorShape::of_store(error, ErrorShape::internal("InternalFailure"))
            }
            Self::Internal(_) => ErrorShape::internal("InternalFailure"),
        }
    }
}
