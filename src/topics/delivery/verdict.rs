//! What an endpoint's answer means: the one place that judges it. Pure. Source: SNS developer guide, "Message delivery
//! retries" and "Amazon SNS message delivery over HTTP": 2xx is delivered; 4xx is the endpoint's own fault and final;
//! everything else is tried again.
use crate::topics::delivery::post::Posted;
use crate::workers::Reason;

/// What becomes of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeliveryVerdict {
    /// The endpoint has it.
    Delivered,
    /// It is tried again, as long as the retry policy has retries.
    Again(Reason),
    /// It is not tried again.
    Final(Reason),
}

/// Judges one POST. 429 says "not now" and is tried again; a redirect is final, because following it would lead to where
/// nobody subscribed.
pub(super) fn judge(posted: &Posted) -> DeliveryVerdict {
    match posted {
        Posted::Answer(status, _) => judge_status(*status),
        Posted::Silent | Posted::Unreachable(_) => DeliveryVerdict::Again(Reason::Unreachable),
        Posted::Forbidden => DeliveryVerdict::Final(Reason::Forbidden),
    }
}

/// Judges the status of an answer.
pub(super) fn judge_status(status: u16) -> DeliveryVerdict {
    match status {
        200..=299 => DeliveryVerdict::Delivered,
        429 => DeliveryVerdict::Again(Reason::Deferred),
        300..=499 => DeliveryVerdict::Final(Reason::Refused),
        _ => DeliveryVerdict::Again(Reason::Deferred),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_judged_as_sns_judges_them() {
        let answer = |status| judge(&Posted::Answer(status, String::new()));
        for status in [200, 202, 204] {
            assert_eq!(answer(status), DeliveryVerdict::Delivered);
        }
        for status in [301, 307, 400, 401, 403, 404, 410, 499] {
            assert_eq!(answer(status), DeliveryVerdict::Final(Reason::Refused), "{status}");
        }
        for status in [100, 429, 500, 502, 503, 599] {
            assert_eq!(answer(status), DeliveryVerdict::Again(Reason::Deferred), "{status}");
        }
        assert_eq!(judge(&Posted::Silent), DeliveryVerdict::Again(Reason::Unreachable));
        assert_eq!(judge(&Posted::Forbidden), DeliveryVerdict::Final(Reason::Forbidden));
    }
}
