//! Reads what a request says about its signature: from the `Authorization` header or a presigned query string.
use crate::aws::request::Request;
use crate::aws::sigv4::error::SignatureError;
use crate::base::Timestamp;

/// The only algorithm.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// What a scope ends with.
pub(super) const TERMINATOR: &str = "aws4_request";
/// More signed headers than any client has; a bound on the work that an unknown caller can cause.
const SIGNED_HEADERS_MAX: usize = 100;

/// What a request claims. Nothing of it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignatureClaim {
    pub access_key: String,
    /// The scope's day, `20260102`.
    pub date: String,
    pub region: String,
    pub service: String,
    pub terminator: String,
    /// In small letters, in the order of the claim.
    pub signed_headers: Vec<String>,
    /// 64 hex digits, if it is any good.
    pub signature: String,
    pub time: Timestamp,
    /// The time as `X-Amz-Date` has it.
    pub stamp: String,
    /// For how many seconds a presigned request is good; `None` for a signature in the header.
    pub presigned_for: Option<u64>,
    /// The request names a session token.
    pub session: bool,
}

impl SignatureClaim {
    /// What the request claims; `None` for a request that claims nothing.
    ///
    /// # Errors
    /// [`SignatureError::Incomplete`].
    pub(super) fn read(request: &Request) -> Result<Option<Self>, SignatureError> {
        if let Some(header) = request.headers.get("authorization") {
            let header = header.to_str().map_err(|_| incomplete("The Authorization header is not text."))?;
            return from_header(request, header).map(Some);
        }
        if request.parameter("X-Amz-Algorithm").is_some() || request.parameter("X-Amz-Signature").is_some() {
            return from_query(request).map(Some);
        }
        Ok(None)
    }
}

fn incomplete(text: &str) -> SignatureError {
    SignatureError::Incomplete(text.to_owned())
}

fn from_header(request: &Request, header: &str) -> Result<SignatureClaim, SignatureError> {
    let Some(parts) = header.trim().strip_prefix(ALGORITHM).filter(|rest| rest.starts_with([' ', ','])) else {
        let algorithm: String = header.split(' ').next().unwrap_or_default().chars().take(40).collect();
        return Err(SignatureError::Incomplete(format!("Unsupported AWS 'algorithm': '{algorithm}'.")));
    };
    let part = |name: &str| {
        let mut found = parts.split(',').filter_map(|part| part.trim().split_once('='));
        found.find(|(n, value)| *n == name && !value.is_empty()).map(|(_, value)| value.trim())
    };
    let mut missing = String::new();
    for name in ["Credential", "Signature", "SignedHeaders"] {
        if part(name).is_none() {
            missing.push_str(&format!("Authorization header requires '{name}' parameter. "));
        }
    }
    let time = header_time(request);
    if time.is_none() {
        missing.push_str("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ");
    }
    let (Some(credential), Some(signature), Some(headers), Some(time)) =
        (part("Credential"), part("Signature"), part("SignedHeaders"), time)
    else {
        return Err(incomplete(missing.trim_end()));
    };
    let session = request.headers.contains_key("x-amz-security-token");
    claim(credential, signature, headers, time, None, session)
}

fn header_time(request: &Request) -> Option<Timestamp> {
    if let Some(basic) = request.header("x-amz-date") {
        return Timestamp::parse_iso_basic(basic);
    }
    let date = request.header("date")?;
    let time = httpdate::parse_http_date(date).ok()?;
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok().map(Timestamp::from_secs)
}

fn from_query(request: &Request) -> Result<SignatureClaim, SignatureError> {
    let needed = |name: &str| {
        request
            .parameter(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| SignatureError::Incomplete(format!("AWS query-string parameters must include '{name}'.")))
    };
    if needed("X-Amz-Algorithm")? != ALGORITHM {
        return Err(incomplete("Unsupported AWS 'algorithm'."));
    }
    let date = needed("X-Amz-Date")?;
    let time = Timestamp::parse_iso_basic(&date)
        .ok_or_else(|| incomplete("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""))?;
    // AWS: at most seven days.
    let expires = needed("X-Amz-Expires")?.parse().ok().filter(|seconds| (1..=604_800_u64).contains(seconds));
    let expires = expires.ok_or_else(|| incomplete("X-Amz-Expires must be a number of seconds from 1 to 604800"))?;
    let session = request.parameter("X-Amz-Security-Token").is_some();
    let (credential, signature) = (needed("X-Amz-Credential")?, needed("X-Amz-Signature")?);
    claim(&credential, &signature, &needed("X-Amz-SignedHeaders")?, time, Some(expires), session)
}

fn claim(
    credential: &str,
    signature: &str,
    headers: &str,
    time: Timestamp,
    presigned_for: Option<u64>,
    session: bool,
) -> Result<SignatureClaim, SignatureError> {
    let mut parts = credential.split('/').map(str::to_owned);
    let mut next = || parts.next().filter(|part| !part.is_empty());
    let (Some(access_key), Some(date), Some(region), Some(service), Some(terminator), None) =
        (next(), next(), next(), next(), next(), next())
    else {
        return Err(incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.",
        ));
    };
    let signed_headers: Vec<String> = headers.split(';').map(str::to_ascii_lowercase).collect();
    if signed_headers.len() > SIGNED_HEADERS_MAX {
        return Err(incomplete("SignedHeaders names too many headers."));
    }
    let (signature, stamp) = (signature.to_owned(), time.iso_basic());
    Ok(SignatureClaim {
        access_key,
        date,
        region,
        service,
        terminator,
        signed_headers,
        signature,
        time,
        stamp,
        presigned_for,
        session,
    })
}
