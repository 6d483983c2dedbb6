//! The steps from a request to its reply: find the service, verify the signature, find and run the operation.
use sha2::{Digest, Sha256};

use crate::aws::api::{Api, Protocol};
use crate::aws::call::writer;
use crate::aws::caller::Caller;
use crate::aws::error::{ErrorShape, Failure, no_room};
use crate::aws::operation::READ_HERE_MAX;
use crate::aws::protocol::reply::{Reply, Writer};
use crate::aws::registry::{FoundOperation, RequestTarget, find_by_head};
use crate::aws::request::Request;
use crate::aws::services::Services;
use crate::aws::sigv4::{Gate, SignatureError, Standing, too_large};
use crate::base::memory::{Charge, Held, Whose};
use crate::base::{AccountId, Region};
use crate::mail::sending::Idempotency;
use crate::mail::sending::idempotency::KEY_MAX;
use crate::queues::TRACE_HEADER_MAX;
use crate::store;

/// A request that has come whole.
#[derive(Debug)]
pub struct Arrived {
    /// The request.
    pub request: Box<Request>,
    /// What its head has shown of who sent it.
    pub standing: Standing,
    /// The memory that it takes.
    pub charge: Charge,
}

/// A reply, and what the log says about its request.
#[derive(Debug)]
pub struct Answered {
    /// The reply.
    pub reply: Reply,
    /// The service, as far as it was found.
    pub service: Option<&'static str>,
    /// The operation, as far as it was found.
    pub operation: Option<&'static str>,
    /// Who called, as far as it was verified.
    pub caller: Option<(AccountId, Region)>,
    /// The memory that a large reply takes until it is sent.
    pub held: Option<Held>,
}

/// Answers a request.
pub async fn answer(services: &Services, gate: &Gate, arrived: Arrived) -> Answered {
    let mut answer = Answered { reply: Reply::empty(), service: None, operation: None, caller: None, held: None };
    let Arrived { request, standing, mut charge } = arrived;
    let target = match RequestTarget::find(&request) {
        Ok(target) => target,
        Err((protocol, failure)) => {
            answer.reply = writer(None, protocol, &request).failure(failure);
            return answer;
        }
    };
    let (api, protocol) = (target.api(), target.protocol);
    answer.service = Some(api.name);
    match admit(services, gate, &request, (target, standing), &mut charge, &mut answer).await {
        Ok((caller, found)) => {
            let Writer { query_mode, wants_json, .. } = writer(Some(api), protocol, &request);
            let memory = charge.memory().clone();
            // Small requests hold nothing, and may be waited with for long.
            let held = charge.keep();
            let reply = found.run(services, &caller, request).await;
            drop(held);
            let writer = Writer { api: Some(api), protocol, query_mode, wants_json, request_id: &caller.request_id };
            let charge = memory.charge(caller.source_ip, Whose::Account(caller.account));
            (answer.reply, answer.held) = take_room(reply, charge, writer);
        }
        Err(failure) => answer.reply = writer(Some(api), protocol, &request).failure(failure),
    }
    answer
}

/// The memory of a reply until it is sent: who reads slowly holds it for long. Where there is none, the reply is that.
fn take_room(reply: Reply, mut charge: Charge, writer: Writer) -> (Reply, Option<Held>) {
    match (charge.hold(reply.body.len()), writer.api) {
        (Err(full), Some(api)) => (writer.failure(no_room(full, api.throttled)), None),
        _ => (reply, charge.keep()),
    }
}

/// Who calls, and which operation.
async fn admit(
    services: &Services,
    gate: &Gate,
    request: &Request,
    (mut target, standing): (RequestTarget, Standing),
    charge: &mut Charge,
    answer: &mut Answered,
) -> Result<(Caller, FoundOperation), Failure> {
    let api = target.api();
    if request.body.len() > api.body_max {
        return Err(too_large(api.body_max));
    }
    let identity = match gate.complete(request, standing)? {
        Some(identity) => identity,
        None => gate.identify(request, api, target.is_anonymous(request)).await?,
    };
    let key = gate.key_in_use(&identity);
    // The head may have come long before the body.
    if let Some(key) = &key
        && !key.holds().await.map_err(|error| SignatureError::Internal(error.into()))?
    {
        return Err(SignatureError::UnknownKey.into());
    }
    // Who has shown nothing stays a stranger.
    if !identity.is_nobody() {
        let whose = Whose::Account(identity.account.clone());
        charge.belong_to(whose).map_err(|full| no_room(full, api.throttled))?;
        answer.caller = Some((identity.account.clone(), identity.region.clone()));
    }
    let find = move |request: &Request| {
        let found = target.operation(request)?;
        let once = once(request, api, found.operation.name);
        Ok::<_, Failure>((found, once))
    };
    let (found, once) = if request.body.len() <= READ_HERE_MAX {
        find(request)?
    } else {
        let (whose, asked) = (identity.account.as_str(), request.clone());
        // The steps are in proportion to the length, which has a limit.
        services.compute.run(whose, 0, move |_| find(&asked)).await.map_err(Failure::not_done)??
    };
    answer.operation = Some(found.operation.name);
    if found.operation.adds() && !services.queues.has_room() {
        return Err(Failure::new(ErrorShape::unavailable(), store::Error::Full.to_string()));
    }
    let trace = request.header("x-amzn-trace-id");
    let endpoint = request.endpoint();
    let caller = Caller {
        account: identity.account,
        region: identity.region,
        access_key: identity.access_key,
        key,
        queues_at: services.public_url.clone().unwrap_or_else(|| endpoint.clone()),
        endpoint,
        request_id: request.id.clone(),
        source_ip: request.peer,
        once: once?,
        // What no trace header can be is not one.
        long_wait: request.long_wait.clone(),
        trace_header: trace.filter(|header| (1..=TRACE_HEADER_MAX).contains(&header.len())).map(str::to_owned),
    };
    Ok((caller, found))
}

/// The `Idempotency-Key` of a call of SES's. It stands for this operation with this body.
fn once(request: &Request, api: &Api, operation: &str) -> Result<Option<Idempotency>, Failure> {
    let sends = ["ses", "sesv2"].contains(&api.name);
    let Some(value) = request.headers.get("idempotency-key").filter(|_| sends) else { return Ok(None) };
    let good = |key: &&str| (1..=KEY_MAX).contains(&key.len());
    let Some(key) = value.to_str().ok().filter(good) else {
        let text = format!("Idempotency-Key has 1 to {KEY_MAX} characters of ASCII.");
        return Err(Failure::new(
            ErrorShape::sender("BadRequestException", 400).query("InvalidParameterValue", 400),
            text,
        ));
    };
    // A large body was hashed while it came.
    let body = request.body_hash.unwrap_or_else(|| Sha256::digest(&request.body).into());
    let digest = Sha256::new_with_prefix(operation).chain_update([0]).chain_update(body).finalize();
    Ok(Some(Idempotency { key: key.to_owned(), fingerprint: format!("{digest:x}") }))
}

/// The answer to a request that `failure` ended before its body was read.
pub fn refuse(request: &Request, failure: Failure) -> Answered {
    let head = find_by_head(request);
    // Without a service, the kind of body tells the protocol.
    let is_json = request.header("content-type").is_some_and(|kind| kind.contains("json"));
    let protocol = head.map_or(if is_json { Protocol::Json } else { Protocol::Query }, |(_, protocol)| protocol);
    let api = head.map(|(service, _)| service.api);
    let reply = writer(api, protocol, request).failure(failure);
    Answered { reply, service: api.map(|api| api.name), operation: None, caller: None, held: None }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::access::{self, Access, Trust};
    use crate::aws::request::sample::{STS, request};
    use crate::aws::sigv4::Identity;
    use crate::base::{Clock, Memory, Timestamp};
    use crate::store::{Database, Store};

    async fn reply(request: &Request, trust: Trust) -> Reply {
        answered(request, trust, Memory::default().charge(request.peer, Whose::Stranger)).await.reply
    }

    async fn answered(request: &Request, trust: Trust, charge: Charge) -> Answered {
        let clock = Clock::system();
        let (services, dir) = Services::for_test(clock.clone()).await;
        let store = Store::open(&Database::Sqlite(dir.path().join("keys.db")), clock.clone()).await.expect("a store");
        let gate = Gate::new(Access::new(store, trust), clock);
        let arrived = Arrived { request: Box::new(request.clone()), standing: Standing::Unknown, charge };
        answer(&services, &gate, arrived).await
    }

    #[tokio::test]
    async fn a_query_operation_answers_in_xml() {
        let asked = request("POST", "/", &[("authorization", STS)], "Action=GetCallerIdentity&Version=2011-06-15");
        let answered = reply(&asked, Trust::Anybody).await;
        assert_eq!(
            (answered.status, answered.body.as_str()),
            (
                200,
                "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                 <GetCallerIdentityResult><UserId>000000000000</UserId><Account>000000000000</Account>\
                 <Arn>arn:aws:iam::000000000000:root</Arn></GetCallerIdentityResult><ResponseMetadata>\
                 <RequestId>id-1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
            )
        );
        let unsigned = request("GET", "/?Action=GetCallerIdentity", &[], "");
        assert_eq!(reply(&unsigned, Trust::Anybody).await.status, 200);
    }

    #[tokio::test]
    async fn what_is_no_operation_of_ours_is_refused_in_its_own_protocol() {
        let no_action =
            reply(&request("POST", "/", &[("authorization", STS)], "Version=2011-06-15"), Trust::Anybody).await;
        assert!(no_action.status == 400 && no_action.body.contains("<Code>MissingAction</Code>"), "{no_action:?}");
        let unknown =
            reply(&request("POST", "/", &[("authorization", STS)], "Action=AssumeRole"), Trust::Anybody).await;
        assert!(unknown.status == 400 && unknown.body.contains("<Code>InvalidAction</Code>"), "{unknown:?}");
        let broken = reply(&request("POST", "/", &[("authorization", STS)], "Action=\u{e4}"), Trust::Anybody).await;
        assert!(broken.body.contains("<Code>MalformedQueryString</Code>"), "{broken:?}");
        let json = reply(&request("POST", "/", &[("x-amz-target", "Nothing.Here")], "{}"), Trust::Anybody).await;
        assert!(json.body.contains("com.amazon.coral.service#UnknownOperationException"), "{json:?}");
        let form = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        let target = ("x-amz-target", "AmazonSQS.GetCallerIdentity");
        let both = request("POST", "/", &[form, target, ("authorization", STS)], "Action=GetCallerIdentity");
        assert_eq!(reply(&both, Trust::Anybody).await.status, 200);
        let curl = request("POST", "/", &[form, ("x-amz-target", "AmazonSQS.ListQueues")], " {}");
        let curl = reply(&curl, Trust::Anybody).await;
        assert!(curl.status == 200 && curl.body.starts_with('{'), "{curl:?}");
        let rest = reply(&request("GET", "/v2/email/nothing", &[], ""), Trust::Anybody).await;
        assert_eq!(rest.status, 404);
        assert!(rest.headers.contains(&("x-amzn-errortype", "UnknownOperationException".to_owned())), "{rest:?}");
    }

    #[tokio::test]
    async fn a_page_of_another_site_cannot_call_a_developers_server() {
        let asked = request("POST", "/", &[("origin", "https://evil.example")], "Action=GetCallerIdentity");
        let refused = reply(&asked, Trust::Anybody).await;
        assert!(refused.status == 403 && refused.body.contains("<Code>AccessDenied</Code>"), "{refused:?}");
    }

    #[tokio::test]
    async fn who_needs_no_signature_and_has_none_stays_a_stranger() {
        let memory = Memory::new(8 * 1024 * 1024, Clock::system());
        let mut of_account =
            memory.charge(std::net::IpAddr::from([192, 0, 2, 1]), Whose::Account(AccountId::development()));
        let most = (1..).take_while(|n| of_account.hold(n * 65_536).is_ok()).count();
        assert_eq!(most, 96, "three quarters: all that an account may have");
        let mut charge = memory.charge(std::net::IpAddr::from([192, 0, 2, 2]), Whose::Stranger);
        charge.hold(60_000).expect("room for a stranger");
        let body =
            "Action=ConfirmSubscription&TopicArn=arn:aws:sns:us-east-1:000000000000:t&Token=x&Version=2010-03-31";
        let asked = request("POST", "/", &[("content-type", "application/x-www-form-urlencoded")], body);
        let refused = answered(&asked, Trust::KnownKeys, charge).await;
        assert_eq!(refused.operation, Some("ConfirmSubscription"));
        assert!((400..=404).contains(&refused.reply.status), "it is asked what it wants: {:?}", refused.reply);
        assert_eq!(refused.caller, None, "neither the connection nor the log knows who it was");
    }

    #[tokio::test]
    async fn a_key_that_was_switched_off_while_the_body_came_is_refused() {
        let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
        let (services, dir) = Services::for_test(clock.clone()).await;
        let store = Store::open(&Database::Sqlite(dir.path().join("keys.db")), clock.clone()).await.expect("a store");
        let account = access::create_account(&store, None, "test").await.expect("an account");
        let (access_key, _) = access::create_key(&store, &account).await.expect("a key");
        let gate = Gate::new(Access::new(store.clone(), Trust::KnownKeys), clock.clone());
        let asked = request("POST", "/", &[("authorization", STS)], "Action=GetCallerIdentity&Version=2011-06-15");
        for status in [200, 403] {
            // The head has shown that the signature is right.
            let identity =
                Identity { account: account.clone(), region: Region::default_region(), access_key: access_key.clone() };
            let charge = Memory::default().charge(asked.peer, Whose::Stranger);
            let standing = Standing::Proved(identity);
            let answered =
                answer(&services, &gate, Arrived { request: Box::new(asked.clone()), standing, charge }).await;
            assert_eq!(answered.reply.status, status, "{:?}", answered.reply);
            access::deactivate_key(&store, &access_key).await.expect("switched off");
            clock.advance(Duration::from_secs(1));
        }
    }

    #[tokio::test]
    async fn a_production_server_lets_nobody_in_without_a_signature() {
        let asked = request("POST", "/", &[], "Action=GetCallerIdentity");
        let refused = reply(&asked, Trust::KnownKeys).await;
        assert_eq!(refused.status, 403);
        assert!(refused.body.contains("<Code>MissingAuthenticationToken</Code>"), "{refused:?}");
    }
}
