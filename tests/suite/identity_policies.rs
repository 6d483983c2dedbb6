//! Sending authorization: identities of other accounts, by the policies of their owners.
use postrider::base::AccountId;
use postrider::mail::identity::Error;
use postrider::mail::identity::policies::Put;
use postrider::mail::sending::{Grants, Limits, SendError, Submission};
use postrider::store::identity_policies::IdentityPolicy;
use serde_json::{Value, json};

use crate::both_engines;
use crate::ses_bench::{Bench, bench};

const OWNERS: &str = "arn:aws:ses:us-east-1:000000000000:identity/x.example";

fn other() -> AccountId {
    "222222222222".parse().expect("an account")
}

impl Bench {
    async fn put(&self, name: &str, statement: Value, put: Put) -> Result<(), Error> {
        let policy = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
        let policy = IdentityPolicy { name: name.to_owned(), policy };
        self.identities.put_policy(&self.scope.account, &self.scope.region, "x.example", policy, put).await
    }

    /// What becomes of a mail of another account, changed a little.
    async fn foreign(&self, change: impl FnOnce(&mut Submission)) -> Result<String, SendError> {
        let mut submission = Submission { account: other(), ..self.submission("news@x.example", &["b@y.example"]) };
        submission.grants.source = Some(OWNERS.to_owned());
        change(&mut submission);
        self.sending.accept(submission).await
    }
}

fn allow(condition: Value) -> Value {
    json!({"Effect": "Allow", "Principal": {"AWS": "222222222222"}, "Resource": OWNERS,
        "Action": ["ses:SendEmail", "ses:SendRawEmail"], "Condition": condition})
}

both_engines! {
    async fn another_account_sends_where_a_policy_lets_it(engine: Engine) {
        let b = bench(engine, Limits::Unlimited).await;
        b.identity("x.example").await;
        let denied = |sent: Result<String, SendError>| {
            assert!(matches!(&sent, Err(SendError::Denied { resource, .. }) if resource.starts_with("arn:aws:") || resource == "nonsense"), "{sent:?}");
        };
        denied(b.foreign(|_| {}).await);
        let plain = b.foreign(|s| s.grants = Grants::default()).await;
        assert!(matches!(plain, Err(SendError::NotVerified { .. })), "without the ARN it is a stranger's address");
        b.put("p", allow(json!({"StringEquals": {"ses:FromAddress": "news@x.example"},
            "ForAllValues:StringLike": {"ses:Recipients": ["*@y.example"]}})), Put::New).await.expect("a policy");
        let id = b.foreign(|_| {}).await.expect("sent");
        assert_eq!(b.mail(&id).await.0.identity.as_deref(), Some(OWNERS));
        // The message's own field names the identity, too: all that SMTP has.
        let by_header = b.foreign(|s| {
            s.grants = Grants::default();
            s.raw = format!("X-SES-SOURCE-ARN: {OWNERS}\r\nFrom: news@x.example\r\nTo: b@y.example\r\n\r\nhi\r\n").into();
        });
        let id = by_header.await.expect("sent");
        assert!(!b.mail(&id).await.1.contains("X-SES"));
        denied(b.foreign(|s| s.recipients.push("c@z.example".parse().expect("good"))).await);
        denied(b.foreign(|s| {
            s.source = "other@x.example".parse().expect("good");
            s.raw = "From: other@x.example\r\n\r\n".into();
        }).await);
        denied(b.foreign(|s| s.grants.action = "ses:SendTemplatedEmail").await);
        denied(b.foreign(|s| s.account = "333333333333".parse().expect("an account")).await);
        for arn in ["nonsense", "arn:aws:ses:us-west-2:000000000000:identity/x.example", "arn:aws:sqs:us-east-1:000000000000:identity/x.example",
            "arn:aws:ses:us-east-1:000000000000:identity/nobody.example"] {
            denied(b.foreign(|s| s.grants.source = Some(arn.to_owned())).await);
        }
        b.identities.delete_policy(&b.scope.account, &b.scope.region, "x.example", "p").await.expect("gone");
        denied(b.foreign(|_| {}).await);
    }

    async fn a_prohibition_binds_the_owner_too_and_every_address_needs_leave(engine: Engine) {
        let b = bench(engine, Limits::Unlimited).await;
        b.identity("x.example").await;
        b.put("p", allow(json!({})), Put::Any).await.expect("a policy");
        // The header's author and the address for bounces are asked for like the sender.
        let mixed = b.foreign(|s| s.raw = "From: a@other.example\r\n\r\n".into()).await;
        assert!(matches!(mixed, Err(SendError::NotVerified { identities, .. }) if identities == ["a@other.example"]));
        let bounces = b.foreign(|s| s.return_path = Some("b@other.example".parse().expect("good"))).await;
        assert!(matches!(bounces, Err(SendError::NotVerified { identities, .. }) if identities == ["b@other.example"]));
        b.foreign(|s| s.return_path = Some("b@x.example".parse().expect("good"))).await.expect("under the same leave");
        b.send("a@x.example", &["b@y.example"]).await.expect("the owner needs no leave");
        let no = json!({"Effect": "Deny", "Principal": "*", "Resource": "*", "Action": "ses:*",
            "Condition": {"StringLike": {"ses:FromDisplayName": "Ann"}}});
        b.put("no", no, Put::New).await.expect("a policy");
        assert!(matches!(b.send("a@x.example", &["b@y.example"]).await, Err(SendError::Denied { .. })));
    }

    async fn policies_are_checked_and_counted(engine: Engine) {
        let b = bench(engine, Limits::Unlimited).await;
        b.identity("x.example").await;
        for name in ["", "a b", &"x".repeat(65)] {
            assert!(matches!(b.put(name, allow(json!({})), Put::Any).await, Err(Error::PolicyName(_))), "{name}");
        }
        assert!(matches!(b.put("p", json!("no statement"), Put::Any).await, Err(Error::Policy(_))));
        assert!(matches!(b.put("p", allow(json!({"StringLike": {"ses:FromAddress": "x".repeat(4_096)}})), Put::Any).await,
            Err(Error::Policy(_))));
        assert!(matches!(b.put("p", allow(json!({})), Put::Old).await, Err(Error::PolicyMissing(_))));
        for n in 0..20 {
            b.put(&format!("p{n}"), allow(json!({})), Put::New).await.expect("a policy");
        }
        assert!(matches!(b.put("p0", allow(json!({})), Put::New).await, Err(Error::PolicyExists(_))));
        assert!(matches!(b.put("more", allow(json!({})), Put::New).await, Err(Error::TooManyPolicies(20))));
        b.put("p0", allow(json!({})), Put::Any).await.expect("replaced");
    }
}
