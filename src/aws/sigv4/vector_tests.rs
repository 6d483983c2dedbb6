//! Signatures made by others: AWS's own test suite, and botocore 1.43 with the clock at 2015-08-30 12:36:00.
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::access::{Access, Trust, ensure_root};
use crate::aws::api::Api;
use crate::aws::error::ServiceError;
use crate::aws::request::Request;
use crate::aws::sigv4::error::SignatureError;
use crate::aws::sigv4::verify::{Gate, Identity};
use crate::base::{Clock, Secret, Timestamp};
use crate::store::{Database, Store};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// A service that takes the scopes of all vectors.
static API: Api = Api { name: "service", signing_names: &["service", "sqs", "ses", "sns"], ..Api::PLAIN };

struct House {
    gate: Gate,
    clock: Clock,
    _dir: tempfile::TempDir,
}

async fn house() -> House {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Clock::manual(Timestamp::parse_iso_basic("20150830T123600Z").expect("a time"));
    let database = Database::Sqlite(dir.path().join("store.db"));
    let store = Store::open(&database, clock.clone()).await.expect("a store");
    let key = ("AKIDEXAMPLE".to_owned(), Secret::new(SECRET));
    ensure_root(&store, dir.path(), Some(key)).await.expect("a root key");
    let access = Access::new(store, Trust::KnownKeys);
    House { gate: Gate::new(access, clock.clone()), clock, _dir: dir }
}

impl House {
    async fn identify(&self, request: &Request) -> Result<Identity, SignatureError> {
        self.gate.identify(request, &API, false).await
    }

    async fn refusal(&self, request: &Request) -> (&'static str, u16, String) {
        let error = self.identify(request).await.expect_err("a refusal");
        (error.shape().query_code, error.shape().query_status, error.to_string())
    }
}

/// A request with the signature of a vector.
fn signed(method: &str, target: &str, service: &str, more: &[(&'static str, &str)], body: &str, sig: &str) -> Request {
    let host = if service == "service" { "example.amazonaws.com" } else { "localhost:4566" };
    let mut names: Vec<&str> = more.iter().map(|(name, _)| *name).chain(["host", "x-amz-date"]).collect();
    names.sort_unstable();
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request, SignedHeaders={}, \
         Signature={sig}",
        names.join(";")
    );
    let mut request = unsigned(method, target, body);
    let all = [("host", host), ("x-amz-date", "20150830T123600Z"), ("authorization", authorization.as_str())];
    for (name, value) in all.iter().chain(more) {
        request.headers.append(*name, value.parse().expect("a header"));
    }
    request
}

fn unsigned(method: &str, target: &str, body: &str) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Request {
        method: method.into(),
        path: path.into(),
        query: query.into(),
        headers: http::HeaderMap::new(),
        body: Bytes::from(body.to_owned()),
        body_hash: None,
        peer: IpAddr::from([127, 0, 0, 1]),
        long_wait: crate::base::LongWait::default(),
        id: "id".into(),
    }
}

fn vanilla() -> Request {
    let sig = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
    signed("GET", "/", "service", &[], "", sig)
}

fn sqs(body: &str) -> Request {
    let headers = [
        ("content-type", "application/x-amz-json-1.0"),
        ("my-header", "  a   b  c "),
        ("x-amz-target", "AmazonSQS.ListQueues"),
        ("x-amzn-query-mode", "true"),
    ];
    let sig = "2f39af76e58699cf8a12a1122025528e0f38c2a9deeaedaa77c369355e332b30";
    signed("POST", "/", "sqs", &headers, body, sig)
}

const PRESIGNED: &str = "/?Action=ListTopics&Version=2010-03-31&X-Amz-Algorithm=AWS4-HMAC-SHA256&\
    X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fsns%2Faws4_request&X-Amz-Date=20150830T123600Z&\
    X-Amz-Expires=3600&X-Amz-SignedHeaders=host&\
    X-Amz-Signature=b30bfcf79b85cecb32dfa6074d40eff387a308107e9ab88a6f9742b2f1a0289c";

fn presigned(target: &str) -> Request {
    let mut request = unsigned("GET", target, "");
    request.headers.insert("host", "localhost:4566".parse().expect("a header"));
    request
}

#[tokio::test]
async fn right_signatures_are_let_in() {
    let house = house().await;
    for request in [
        vanilla(),
        signed(
            "GET",
            "/?Param2=value2&Param1=value1",
            "service",
            &[],
            "",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        sqs("{}"),
        signed(
            "GET",
            "/v2/email/identities/a%40b.c%2Fd?PageSize=3&NextToken=x%2By%3D",
            "ses",
            &[],
            "",
            "2e3a84c315642e7aa1a7fc297d3fe00f294b4320a1b4cda69d8ddac33719b104",
        ),
        signed(
            "DELETE",
            "/v2//email/./x/../tags/?TagKeys=b&TagKeys=a&ResourceArn=arn%3Aaws%3Ases",
            "ses",
            &[],
            "",
            "26b3de35f5a8ee447b12fda2dfa72f6f41c6cde2223cbe918ddabf1624e2ebfd",
        ),
        presigned(PRESIGNED),
    ] {
        let identity = house.identify(&request).await.unwrap_or_else(|e| panic!("{request:?}: {e}"));
        assert_eq!(
            (identity.account.as_str(), identity.region.as_str(), identity.access_key.as_str()),
            ("000000000000", "us-east-1", "AKIDEXAMPLE")
        );
    }
}

#[tokio::test]
async fn any_change_to_a_signed_request_is_found() {
    let house = house().await;
    let wrong = |(code, status, text): (&str, u16, String)| {
        assert_eq!((code, status), ("SignatureDoesNotMatch", 403), "{text}");
    };
    wrong(house.refusal(&sqs("{\"a\":1}")).await);
    let change = |f: &dyn Fn(&mut Request)| {
        let mut request = sqs("{}");
        f(&mut request);
        request
    };
    wrong(house.refusal(&change(&|r| r.method = "PUT".into())).await);
    wrong(house.refusal(&change(&|r| r.path = "/q".into())).await);
    wrong(house.refusal(&change(&|r| r.query = "a=b".into())).await);
    let header = |name: &'static str, value: &'static str| {
        change(&move |r| drop(r.headers.insert(name, value.parse().expect("a header"))))
    };
    wrong(house.refusal(&header("x-amz-target", "AmazonSQS.DeleteQueue")).await);
    wrong(house.refusal(&header("host", "elsewhere")).await);
    wrong(house.refusal(&header("x-amz-unsigned", "1")).await);
    wrong(house.refusal(&header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")).await);
    wrong(house.refusal(&change(&|r| assert!(r.headers.append("my-header", "x".parse().expect("a header"))))).await);
    wrong(house.refusal(&change(&|r| drop(r.headers.remove("my-header")))).await);
    wrong(house.refusal(&presigned(&PRESIGNED.replace("ListTopics", "CreateTopic"))).await);
    wrong(house.refusal(&presigned(&PRESIGNED.replace("Expires=3600", "Expires=7200"))).await);
    wrong(house.refusal(&presigned(&PRESIGNED.replace("=host", "=x-other"))).await);
}

#[tokio::test]
async fn each_kind_of_bad_claim_has_its_error() {
    let house = house().await;
    let authorization = |from: &str, to: &str| {
        let mut request = vanilla();
        let header = request.header("authorization").expect("a header").replace(from, to);
        request.headers.insert("authorization", header.parse().expect("a header"));
        request
    };
    let code = async |request: &Request| {
        let (code, status, _) = house.refusal(request).await;
        (code, status)
    };
    assert_eq!(code(&unsigned("GET", "/", "")).await, ("MissingAuthenticationToken", 403));
    assert_eq!(code(&authorization("AKIDEXAMPLE", "AKIDNOBODY")).await, ("InvalidClientTokenId", 403));
    for (from, to) in [
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
        ("Signature=", "Sign="),
        ("SignedHeaders=", "Headers="),
        ("/aws4_request", ""),
        ("/service/aws4_request", "//aws4_request"),
    ] {
        assert_eq!(code(&authorization(from, to)).await, ("IncompleteSignature", 400), "{to}");
    }
    for (from, to) in [
        ("aws4_request", "aws5_request"),
        ("/service/", "/s3/"),
        ("20150830/", "20150829/"),
        ("us-east-1", "US*"),
        ("us-east-1", "eu-west-1"),
        ("host;x-amz-date", "x-amz-date"),
        ("host;x-amz-date", "host"),
    ] {
        assert_eq!(code(&authorization(from, to)).await, ("SignatureDoesNotMatch", 403), "{to}");
    }
    let mut dateless = vanilla();
    dateless.headers.remove("x-amz-date");
    assert_eq!(code(&dateless).await, ("IncompleteSignature", 400));
    let mut session = vanilla();
    session.headers.insert("x-amz-security-token", "t".parse().expect("a header"));
    assert_eq!(code(&session).await, ("InvalidClientTokenId", 403));
    let week = PRESIGNED.replace("Expires=3600", "Expires=604801");
    assert_eq!(code(&presigned(&week)).await, ("IncompleteSignature", 400));
}

#[tokio::test]
async fn signatures_are_good_for_fifteen_minutes_and_presigned_ones_for_as_long_as_they_say() {
    let house = house().await;
    house.clock.advance(Duration::from_secs(15 * 60));
    assert!(house.identify(&vanilla()).await.is_ok());
    house.clock.advance(Duration::from_secs(1));
    let expired = (
        "SignatureDoesNotMatch",
        403,
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T125101Z - 15 min.)"
            .to_owned(),
    );
    assert_eq!(house.refusal(&vanilla()).await, expired);
    assert!(house.identify(&presigned(PRESIGNED)).await.is_ok());
    house.clock.advance(Duration::from_secs(45 * 60));
    assert_eq!(house.refusal(&presigned(PRESIGNED)).await, ("RequestExpired", 400, "Request has expired.".to_owned()));
}
