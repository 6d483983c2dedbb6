//! Queue URLs: how they are written, and which queue one means.
use crate::aws::caller::Caller;
use crate::aws::sqs::error::SqsError;
use crate::base::{AccountId, Region, Scope};
use crate::queues::Error;

/// The URL of a queue, at the public URL or else at the host that the caller used: `HOST/ACCOUNT/NAME` in the default region,
/// `HOST/queue/REGION/ACCOUNT/NAME` in any other.
pub(super) fn url(caller: &Caller, name: &str) -> String {
    url_in(caller, &caller.scope(), name)
}

/// The URL of a queue that may be another account's.
pub(super) fn url_in(caller: &Caller, scope: &Scope, name: &str) -> String {
    let (at, Scope { account, region }) = (&caller.queues_at, scope);
    if *region == Region::default_region() {
        format!("{at}/{account}/{name}")
    } else {
        format!("{at}/queue/{region}/{account}/{name}")
    }
}

/// Which queue a URL means, whoever owns it. Understands our own forms, AWS's hosts (`sqs.REGION.amazonaws.com`,
/// `REGION.queue.amazonaws.com`), LocalStack's, and a bare name.
///
/// # Errors
/// QueueDoesNotExist for a text that is none of these, as on AWS.
pub(super) fn parse(caller: &Caller, url: &str) -> Result<(Scope, String), SqsError> {
    let invalid = || SqsError::from(Error::QueueMissing(url.chars().take(200).collect()));
    // A public URL may have a path of its own, which is no part of the queue's.
    let ours = url.strip_prefix(&caller.queues_at).and_then(|rest| rest.strip_prefix('/'));
    let (host, path) = match (url.split_once("://"), ours) {
        (Some((_, rest)), Some(path)) => (rest.split('/').next().unwrap_or(rest), path),
        (Some((_, rest)), None) => rest.split_once('/').ok_or_else(invalid)?,
        (None, _) => ("", url.trim_start_matches('/')),
    };
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let parts: Vec<&str> = path.split('/').collect();
    let (region, account, name) = match parts[..] {
        ["queue", region, account, name] => (Some(region), account, name),
        [account, name] => (region_in_host(host), account, name),
        [name] if host.is_empty() && !name.is_empty() => (None, caller.account.as_str(), name),
        _ => return Err(invalid()),
    };
    let account: AccountId = account.parse().map_err(|_| invalid())?;
    let region = match region {
        Some(region) => region.parse().map_err(|_| invalid())?,
        None => caller.region.clone(),
    };
    Ok((Scope { account, region }, name.to_owned()))
}

fn region_in_host(host: &str) -> Option<&str> {
    let host = host.split(':').next().unwrap_or(host);
    let labels: Vec<&str> = host.split('.').collect();
    match labels[..] {
        ["sqs", region, "amazonaws", "com"] | [region, "queue", "amazonaws", "com"] => Some(region),
        ["sqs", region, "localhost", "localstack", "cloud"] => Some(region),
        [region, "queue", "localhost", "localstack", "cloud"] => Some(region),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::LongWait;

    fn caller(region: &str) -> Caller {
        Caller {
            account: AccountId::development(),
            region: region.parse().expect("a region"),
            access_key: "k".into(),
            key: None,
            endpoint: "http://localhost:4566".into(),
            queues_at: "http://localhost:4566".into(),
            request_id: "r".into(),
            source_ip: [127, 0, 0, 1].into(),
            once: None,
            trace_header: None,
            long_wait: LongWait::default(),
        }
    }

    #[test]
    fn a_url_that_was_given_out_is_understood() {
        for region in ["us-east-1", "eu-west-1"] {
            let caller = caller(region);
            let (scope, name) = parse(&caller, &url(&caller, "jobs")).expect("our own form");
            assert_eq!((scope.region.as_str(), name.as_str()), (region, "jobs"));
        }
    }

    #[test]
    fn a_url_at_the_public_url_and_one_at_the_callers_host_are_understood() {
        for region in ["us-east-1", "eu-west-1"] {
            let public = Caller { queues_at: "https://mail.example.com/postrider".into(), ..caller(region) };
            let given = url(&public, "jobs");
            assert!(given.starts_with("https://mail.example.com/postrider/"), "{given}");
            for url in [given, url(&caller(region), "jobs")] {
                let (scope, name) = parse(&public, &url).expect("a queue");
                assert_eq!((scope.region.as_str(), name.as_str()), (region, "jobs"), "{url}");
            }
        }
    }

    #[test]
    fn the_forms_of_aws_and_localstack_are_understood() {
        for (url, region) in [
            ("https://sqs.eu-west-1.amazonaws.com/000000000000/q", "eu-west-1"),
            ("https://eu-west-1.queue.amazonaws.com/000000000000/q", "eu-west-1"),
            ("https://queue.amazonaws.com/000000000000/q", "us-east-1"),
            ("http://sqs.eu-west-1.localhost.localstack.cloud:4566/000000000000/q", "eu-west-1"),
            ("http://localhost:4566/queue/eu-west-1/000000000000/q", "eu-west-1"),
            ("q", "us-east-1"),
        ] {
            let (scope, name) = parse(&caller("us-east-1"), url).expect(url);
            assert_eq!((scope.region.as_str(), name.as_str()), (region, "q"), "{url}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in ["", "http://localhost", "http://localhost/q", "http://localhost/12/q", "http://h/a/b/c/d/e"] {
            assert!(matches!(parse(&caller("us-east-1"), bad), Err(SqsError::Queue(Error::QueueMissing(_)))), "{bad}");
        }
    }
}
