//! The gate: lets a request in as somebody, or says what AWS would.
use std::sync::Arc;

use crate::access::{Access, AccessKey, KeyInUse, Trust};
use crate::aws::api::Api;
use crate::aws::error::{ErrorShape, Failure};
use crate::aws::request::Request;
use crate::aws::sigv4::authorization::SignatureClaim;
use crate::aws::sigv4::browser::is_from_elsewhere;
use crate::aws::sigv4::canonical::{body_hash, string_to_sign};
use crate::aws::sigv4::checks::{
    check_body_hash, check_region, check_scope, check_signed_headers, check_time, hash_said,
};
use crate::aws::sigv4::error::SignatureError;
use crate::aws::sigv4::key::{SigningKeys, is_signed};
use crate::base::memory::Whose;
use crate::base::{AccountId, Clock, Region, Regions};

/// Bytes of body that are read before anybody is known: enough for a confirmation, and to answer in the right words.
const STRANGERS_BODY_MAX: usize = 64 * 1024;
/// Bytes of body that are read on a developer's machine, where requests need not be signed.
const DEVELOPERS_BODY_MAX: usize = 10 * 1024 * 1024;

/// As whom a request was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account that the key belongs to.
    pub account: AccountId,
    /// The region of the scope.
    pub region: Region,
    /// The key; empty for nobody.
    pub access_key: String,
}

impl Identity {
    fn nobody() -> Self {
        Self { account: AccountId::development(), region: Region::default_region(), access_key: String::new() }
    }

    /// Whether it names no key, as of who confirms a subscription by its token.
    pub fn is_nobody(&self) -> bool {
        self.access_key.is_empty()
    }
}

/// How much body a request may have, and on whose share of the memory.
#[derive(Debug)]
pub struct Allowance {
    /// Bytes.
    pub max: usize,
    /// The answer to a request with more.
    pub otherwise: Failure,
    /// On whose share.
    pub whose: Whose,
    /// What the head has shown.
    pub standing: Standing,
}

/// What the head of a request has shown of who sent it.
#[derive(Debug)]
pub enum Standing {
    /// Nothing.
    Unknown,
    /// All is right but the signature, for which the body is needed.
    Claims(Box<CheckedClaim>),
    /// The signature is right, for a body with the hash that the head has.
    Proved(Identity),
}

/// Of a claim that holds but for the signature.
#[derive(Debug)]
pub struct CheckedClaim {
    claim: SignatureClaim,
    key: Arc<AccessKey>,
    region: Region,
}

/// The failure of a body larger than `max` bytes.
pub(crate) fn too_large(max: usize) -> Failure {
    let shape = ErrorShape::sender("com.amazon.coral.service#RequestEntityTooLargeException", 413);
    let message = format!("The request body is larger than {max} bytes.");
    Failure::new(shape.query("RequestEntityTooLarge", 413), message)
}

/// Verifies signatures. Cheap to clone.
#[derive(Clone)]
pub struct Gate {
    access: Access,
    clock: Clock,
    keys: Arc<SigningKeys>,
    regions: Regions,
}

impl Gate {
    /// Whether bodies are hashed, since signatures are verified.
    pub fn hashes(&self) -> bool {
        self.access.trust() == Trust::KnownKeys
    }

    /// A gate that knows the keys of `access`.
    pub fn new(access: Access, clock: Clock) -> Self {
        Self { access, clock, keys: Arc::default(), regions: Regions::default() }
    }

    /// The same gate, which lets requests in to these regions.
    #[must_use]
    pub fn with_regions(self, regions: Regions) -> Self {
        Self { regions, ..self }
    }

    /// How much body to read for a request of which only the head is known, which is for `api` as far as the head tells: what the
    /// service takes from those who name a key that there is, and little from anybody else.
    ///
    /// # Errors
    /// The unexpected.
    pub async fn allowance(&self, request: &Request, api: Option<&Api>) -> Result<Allowance, SignatureError> {
        let of_service = api.map_or(STRANGERS_BODY_MAX, |api| api.body_max);
        if self.access.trust() == Trust::Anybody {
            let max = of_service.max(DEVELOPERS_BODY_MAX);
            let named = self.named_by(request).unwrap_or_else(|_| Identity::nobody());
            let whose = Whose::Account(named.account);
            return Ok(Allowance { max, otherwise: too_large(max), whose, standing: Standing::Unknown });
        }
        Ok(match self.shown(request, api).await {
            Ok(standing) => {
                let whose = match &standing {
                    Standing::Proved(identity) => Whose::Account(identity.account.clone()),
                    Standing::Claims(claims) => Whose::Claimed(claims.key.id.clone()),
                    Standing::Unknown => Whose::Stranger,
                };
                Allowance { max: of_service, otherwise: too_large(of_service), whose, standing }
            }
            Err(SignatureError::Internal(error)) => return Err(SignatureError::Internal(error)),
            Err(error) => Allowance {
                max: of_service.min(STRANGERS_BODY_MAX),
                otherwise: error.into(),
                whose: Whose::Stranger,
                standing: Standing::Unknown,
            },
        })
    }

    /// What the head shows.
    async fn shown(&self, request: &Request, api: Option<&Api>) -> Result<Standing, SignatureError> {
        let claim = SignatureClaim::read(request)?.ok_or(SignatureError::Missing)?;
        let Some(api) = api else { return Ok(Standing::Unknown) };
        let claims = self.claims(claim, api, request).await?;
        match hash_said(request) {
            Some(hash) => self.verify(&claims, request, hash).map(Standing::Proved),
            None => Ok(Standing::Claims(Box::new(claims))),
        }
    }

    /// Who sent `request`, which is for `api`. `anonymous` lets in requests without a signature, as nobody.
    ///
    /// # Errors
    /// What AWS answers.
    pub async fn identify(&self, request: &Request, api: &Api, anonymous: bool) -> Result<Identity, SignatureError> {
        if self.access.trust() == Trust::Anybody {
            // A link with a token may be opened from anywhere, as from a mail that a browser shows.
            return if !anonymous && is_from_elsewhere(request) {
                Err(SignatureError::Elsewhere)
            } else {
                self.named_by(request)
            };
        }
        match SignatureClaim::read(request)? {
            Some(claim) => {
                let claims = self.claims(claim, api, request).await?;
                let hash = body_hash(request);
                check_body_hash(request, &hash)?;
                self.verify(&claims, request, &hash)
            }
            None if anonymous => Ok(Identity::nobody()),
            None => Err(SignatureError::Missing),
        }
    }

    /// Who sent `request`, of which the head has shown this, now that the body is there. `None` where it has shown nothing.
    ///
    /// # Errors
    /// What AWS answers.
    pub fn complete(&self, request: &Request, standing: Standing) -> Result<Option<Identity>, SignatureError> {
        if let Standing::Unknown = standing {
            return Ok(None);
        }
        let hash = body_hash(request);
        check_body_hash(request, &hash)?;
        match standing {
            Standing::Unknown => Ok(None),
            Standing::Proved(identity) => Ok(Some(identity)),
            Standing::Claims(claims) => self.verify(&claims, request, &hash).map(Some),
        }
    }

    /// The key of who was let in, for as long as the call lasts; `None` where keys do not count.
    pub fn key_in_use(&self, identity: &Identity) -> Option<KeyInUse> {
        self.access.in_use(&identity.access_key)
    }

    /// Checks what can be checked of a claim without the body.
    async fn claims(
        &self,
        claim: SignatureClaim,
        api: &Api,
        request: &Request,
    ) -> Result<CheckedClaim, SignatureError> {
        if claim.session {
            return Err(SignatureError::UnknownKey);
        }
        let key = self.access.key(&claim.access_key).await?.ok_or(SignatureError::UnknownKey)?;
        let region = check_scope(&claim, api, &self.regions)?;
        check_time(&claim, self.clock.now())?;
        check_signed_headers(&claim, request)?;
        Ok(CheckedClaim { claim, key, region })
    }

    fn verify(&self, claims: &CheckedClaim, request: &Request, body: &str) -> Result<Identity, SignatureError> {
        let CheckedClaim { claim, key, region } = claims;
        let signing_key = self.keys.get(&key.secret, &claim.date, &claim.region, &claim.service);
        let signed = signing_key.and_then(|k| is_signed(&k, &string_to_sign(request, claim, body), &claim.signature));
        // A key of any length makes an HMAC; were it not so, nothing would be signed right.
        if !signed.unwrap_or(false) {
            return Err(SignatureError::wrong());
        }
        Ok(Identity { account: key.account.clone(), region: region.clone(), access_key: key.id.clone() })
    }

    /// On a developer's machine: what the scope names, and defaults for what it does not.
    fn named_by(&self, request: &Request) -> Result<Identity, SignatureError> {
        let Some([access_key, _, region, _]) = request.scope() else { return Ok(Identity::nobody()) };
        let region = check_region(&region, &self.regions)?;
        Ok(Identity { account: Access::account_named_by(&access_key), region, access_key })
    }
}
