//! Functions: the Invoke request, and what a runtime may answer.
use std::collections::BTreeMap;
use std::time::Duration;

use postrider::base::{Arn, Clock, Timestamp};
use postrider::outlets::client;
use postrider::outlets::functions::{ANSWER_BYTES, Functions, Invocation, InvokeError, Invoked};

use crate::webhook::{Answer, Webhook};

fn function() -> Arn {
    "arn:aws:lambda:us-east-1:000000000000:function:resize".parse().expect("an ARN")
}

fn functions(clock: &Clock, url: &str) -> Functions {
    let urls = BTreeMap::from([("resize".to_owned(), url.parse().expect("a URL"))]);
    Functions::new(client::plain(&[]).expect("a client"), clock.clone(), urls)
}

#[tokio::test]
async fn a_runtime_gets_lambdas_invoke_request() {
    let (runtime, clock) = (Webhook::start().await, Clock::manual(Timestamp::from_secs(1_800_000_000)));
    let functions = functions(&clock, &runtime.url("/"));
    runtime.answer([
        Answer::status(202),
        Answer::Header(200, ("x-amz-function-error", "Unhandled"), "{\"errorMessage\":\"no\"}".to_owned()),
        Answer::Status(200, "x".repeat(ANSWER_BYTES + 1)),
    ]);
    let arn = function();
    let invoke = |how| functions.invoke(&arn, how, b"{\"a\":1}".to_vec());
    let queued = invoke(Invocation::Event).await.expect("an answer");
    assert_eq!(queued, Invoked { status: 202, function_error: None, body: vec![], complete: true });
    let failed = invoke(Invocation::RequestResponse).await.expect("an answer");
    assert_eq!((failed.status, failed.function_error.as_deref()), (200, Some("Unhandled")));
    assert_eq!(failed.body, b"{\"errorMessage\":\"no\"}");
    let long = invoke(Invocation::Event).await.expect("an answer");
    assert_eq!((long.complete, long.body.len()), (false, ANSWER_BYTES));

    let arrived = runtime.arrived();
    assert_eq!((arrived[0].method.as_str(), arrived[0].body.as_str()), ("POST", "{\"a\":1}"));
    assert_eq!(arrived[0].target, "/2015-03-31/functions/resize/invocations");
    let kinds: Vec<&str> = arrived.iter().map(|request| request.header("x-amz-invocation-type")).collect();
    assert_eq!(kinds, ["Event", "RequestResponse", "Event"]);
}

#[tokio::test]
async fn a_runtime_that_is_silent_gone_or_unknown_is_told_apart() {
    let (runtime, clock) = (Webhook::start().await, Clock::manual(Timestamp::from_secs(1_800_000_000)));
    let silent = functions(&clock, &runtime.url("/2015-03-31/functions/function/invocations"));
    runtime.answer([Answer::Silence]);
    let (arn, how) = (function(), Invocation::RequestResponse);
    let (answer, ()) = tokio::join!(silent.invoke(&arn, how, vec![]), async {
        runtime.wait_for(1).await;
        clock.advance(Duration::from_secs(30));
    });
    assert_eq!(answer, Err(InvokeError::Silent));
    assert_eq!(runtime.arrived()[0].target, "/2015-03-31/functions/function/invocations", "a whole URL stays as it is");

    let nobody = functions(&clock, "http://127.0.0.1:9/");
    assert!(matches!(nobody.invoke(&arn, how, vec![]).await, Err(InvokeError::Unreachable(_))));
    let other: Arn = "arn:aws:lambda:us-east-1:000000000000:function:other".parse().expect("an ARN");
    assert!(nobody.knows(&arn) && !nobody.knows(&other));
    assert_eq!(nobody.invoke(&other, how, vec![]).await, Err(InvokeError::Unknown));
}
