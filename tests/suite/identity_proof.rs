//! Proof that is looked at again and again: the 72 hours, records that go and come back, MAIL FROM domains, limits of mails.
use std::time::Duration;

use postrider::base::AccountId;
use postrider::mail::identity::{Error, IdentityName, ReversePath, reverse_path};
use postrider::mail::published::dns_records;
use postrider::mail::sending::{Limits, SendError};
use postrider::store::verification_links::{self, Link};

use crate::both_engines;
use crate::ses_bench::{Bench, bench};

const HOUR: Duration = Duration::from_secs(3600);

impl Bench {
    /// Looks at everything that is due after so long.
    pub(crate) async fn later(&self, by: Duration) {
        self.clock.advance(by);
        while self.identities.check_pending().await.expect("a round") > 0 {}
    }

    /// Publishes what a domain's owner has to.
    pub(crate) async fn publish(&self, domain: &str) {
        let (account, region) = (&self.scope.account, &self.scope.region);
        let found = self.identities.get(account, region, domain).await.expect("there");
        for record in dns_records(&found, None, "out.example") {
            let name = if record.kind == "MX" { format!("MX {}", record.name) } else { record.name };
            self.records.set(&name, record.value.trim_start_matches("10 "));
        }
    }

    async fn standing(&self, domain: &str) -> [String; 3] {
        let found = self.identities.get(&self.scope.account, &self.scope.region, domain).await.expect("there");
        let mail_from = found.identity.mail_from.map(|m| m.status.to_string()).unwrap_or_default();
        [found.identity.status.to_string(), found.identity.dkim.status.to_string(), mail_from]
    }

    async fn reverse(&self, source: &str) -> ReversePath {
        let (account, region) = (&self.scope.account, &self.scope.region);
        let mut tx = self.store.reader().await.expect("a reader");
        reverse_path(&mut tx, account, region, &source.parse().expect("an address")).await.expect("read")
    }
}

both_engines! {
    async fn a_record_that_goes_is_a_temporary_failure_for_72_hours(engine: Engine) {
        let b = bench(engine, Limits::Sandbox).await;
        b.identity("short.example").await;
        b.publish("short.example").await;
        b.later(Duration::ZERO).await;
        assert_eq!(b.standing("short.example").await, ["SUCCESS", "SUCCESS", ""]);
        b.limits(-1, -1).await;
        let (name, value) = b.records.0.lock().expect("ok").iter().map(|(n, v)| (n.clone(), v.clone())).next().expect("one");
        b.records.remove(&name);
        b.later(6 * HOUR).await;
        assert_eq!(b.standing("short.example").await, ["TEMPORARY_FAILURE", "TEMPORARY_FAILURE", ""]);
        b.send("a@short.example", &["b@y.example"]).await.expect("it still counts");
        b.records.set(&name, &value);
        b.later(HOUR).await;
        assert_eq!(b.standing("short.example").await, ["SUCCESS", "SUCCESS", ""], "it is back");
        b.records.remove(&name);
        b.later(6 * HOUR).await;
        b.later(71 * HOUR).await;
        assert_eq!(b.standing("short.example").await[0], "TEMPORARY_FAILURE");
        // A DNS that does not answer makes nothing fail.
        b.records.set(&name, "broken");
        b.later(10 * HOUR).await;
        assert_eq!(b.standing("short.example").await[0], "TEMPORARY_FAILURE");
        b.records.remove(&name);
        b.later(HOUR).await;
        assert_eq!(b.standing("short.example").await, ["FAILED", "FAILED", ""]);
        let refused = b.send("a@short.example", &["b@y.example"]).await;
        assert!(matches!(refused, Err(SendError::NotVerified { .. })));
        b.records.set(&name, &value);
        b.later(100 * HOUR).await;
        assert_eq!(b.standing("short.example").await[0], "FAILED", "nobody looks any more");
        let (account, region) = (&b.scope.account, &b.scope.region);
        let ours = postrider::mail::identity::Origin::Ours(None);
        b.identities.set_keys(account, region, "short.example", ours).await.expect("asked again");
        b.later(Duration::ZERO).await;
        assert_eq!(b.standing("short.example").await, ["SUCCESS", "SUCCESS", ""]);
    }

    async fn a_txt_record_proves_a_domain_without_keys(engine: Engine) {
        let b = bench(engine, Limits::Sandbox).await;
        let (account, region) = (&b.scope.account, &b.scope.region);
        let name = || IdentityName::parse("txt.example").expect("a name");
        let token = b.identities.txt_token(account, region, name()).await.expect("a token");
        assert_eq!(b.identities.txt_token(account, region, name()).await.expect("again"), token);
        b.records.set("_amazonses.txt.example", "another");
        b.later(Duration::ZERO).await;
        assert_eq!(b.standing("txt.example").await, ["PENDING", "NOT_STARTED", ""]);
        let found = b.identities.get(account, region, "txt.example").await.expect("there");
        assert_eq!(found.identity.error.map(|error| error.as_str()), Some("INVALID_VALUE"));
        b.records.set("_amazonses.txt.example", &format!("another|{token}"));
        b.later(Duration::from_secs(61)).await;
        assert_eq!(b.standing("txt.example").await, ["SUCCESS", "NOT_STARTED", ""]);
        // Keys later, which are not published yet, take nothing away.
        let ours = postrider::mail::identity::Origin::Ours(Some(1024));
        b.identities.set_keys(account, region, "txt.example", ours).await.expect("keys");
        b.later(100 * HOUR).await;
        assert_eq!(b.standing("txt.example").await, ["SUCCESS", "FAILED", ""]);
    }

    async fn a_mail_from_domain_needs_its_records(engine: Engine) {
        let b = bench(engine, Limits::Sandbox).await;
        b.limits(-1, -1).await;
        b.identity("short.example").await;
        b.publish("short.example").await;
        b.later(Duration::ZERO).await;
        let (account, region) = (&b.scope.account, &b.scope.region);
        let set = async |domain: Option<&'static str>, reject| {
            b.identities.set_mail_from(account, region, "short.example", domain, reject).await
        };
        assert!(matches!(set(Some("other.example"), false).await, Err(Error::MailFromDomain { .. })));
        set(Some("bounce.short.example"), true).await.expect("set");
        let refused = b.send("a@short.example", &["b@y.example"]).await;
        assert!(matches!(refused, Err(SendError::MailFromNotVerified(domain)) if domain == "bounce.short.example"));
        set(Some("bounce.short.example"), false).await.expect("set");
        b.send("a@short.example", &["b@y.example"]).await.expect("the usual path");
        assert_eq!(b.reverse("a@short.example").await, ReversePath::Usual);
        b.publish("short.example").await;
        for (mx, spf) in [("mx.elsewhere.example", "v=spf1 -all"), ("out.example|b.example", "v=spf1 -all"), ("out.example", "x")] {
            b.records.set("MX bounce.short.example", mx);
            b.records.set("bounce.short.example", spf);
            b.later(Duration::from_secs(61)).await;
            assert_eq!(b.standing("short.example").await[2], "PENDING", "{mx} {spf}");
        }
        b.publish("short.example").await;
        b.later(Duration::from_secs(61)).await;
        assert_eq!(b.standing("short.example").await, ["SUCCESS", "SUCCESS", "SUCCESS"]);
        assert_eq!(b.reverse("a@sub.short.example").await, ReversePath::Domain("bounce.short.example".to_owned()));
        b.records.set("MX bounce.short.example", "broken");
        b.later(6 * HOUR).await;
        assert_eq!(b.standing("short.example").await[2], "SUCCESS", "silence changes nothing");
        b.records.remove("MX bounce.short.example");
        b.later(6 * HOUR).await;
        assert_eq!(b.standing("short.example").await, ["SUCCESS", "SUCCESS", "TEMPORARY_FAILURE"]);
        assert_eq!(b.reverse("a@short.example").await, ReversePath::Usual);
        b.later(73 * HOUR).await;
        assert_eq!(b.standing("short.example").await, ["SUCCESS", "SUCCESS", "FAILED"]);
        set(None, false).await.expect("taken away");
        assert_eq!(b.standing("short.example").await[2], "");
    }

    async fn an_address_gets_so_many_mails_and_no_more(engine: Engine) {
        let b = bench(engine, Limits::Sandbox).await;
        let region = &b.scope.region;
        let ask = async |account: &AccountId| {
            b.identities.verify_address(account, region, "victim@x.example".parse().expect("an address")).await
        };
        let other: AccountId = "222222222222".parse().expect("an account");
        for account in [&b.scope.account, &other, &b.scope.account, &other, &b.scope.account] {
            ask(account).await.expect("mailed");
        }
        for account in [&b.scope.account, &other, &"333333333333".parse().expect("an account")] {
            assert!(matches!(ask(account).await, Err(Error::TooManyMails)), "{account}");
        }
        // To delete the identity helps nobody.
        b.identities.delete(&b.scope.account, region, "victim@x.example").await.expect("deleted");
        assert!(matches!(ask(&b.scope.account).await, Err(Error::TooManyMails)));
        assert_eq!(b.jobs().await, 5);
        b.clock.advance(HOUR + Duration::from_secs(1));
        ask(&b.scope.account).await.expect("mailed again");
        b.clock.advance(31 * 24 * HOUR);
        assert_eq!(b.identities.sweep().await.expect("swept"), 6);
    }

    async fn an_account_causes_so_many_mails_and_no_more(engine: Engine) {
        let b = bench(engine, Limits::Sandbox).await;
        let (account, region, at) = (b.scope.account.clone(), b.scope.region.clone(), b.clock.now());
        let mailed: Result<(), Error> = b.store.write(move |tx| Box::pin(async move {
            for n in 0..499 {
                let link = Link { token: n.to_string(), account: account.clone(), region: region.clone(),
                    name: format!("a{n}@x.example"), created_at: at, expires_at: at, used_at: None, redirects: None };
                verification_links::insert(tx, &link).await?;
            }
            Ok(())
        })).await;
        mailed.expect("stored");
        let ask = async |account: &AccountId, address: &str| {
            b.identities.verify_address(account, &b.scope.region, address.parse().expect("an address")).await
        };
        ask(&b.scope.account, "last@x.example").await.expect("mailed");
        assert!(matches!(ask(&b.scope.account, "more@x.example").await, Err(Error::TooManyMails)));
        let gone = b.identities.get(&b.scope.account, &b.scope.region, "more@x.example").await;
        assert!(matches!(gone, Err(Error::Missing(_))), "a refusal changes nothing");
        ask(&"222222222222".parse().expect("an account"), "more@x.example").await.expect("another's");
    }

    async fn an_address_whose_link_is_never_opened_has_failed(engine: Engine) {
        let b = bench(engine, Limits::Sandbox).await;
        b.identity("ann@x.example").await;
        b.later(23 * HOUR).await;
        assert_eq!(b.standing("ann@x.example").await[0], "PENDING");
        b.later(2 * HOUR).await;
        assert_eq!(b.standing("ann@x.example").await[0], "FAILED");
        let (account, region) = (&b.scope.account, &b.scope.region);
        b.identities.verify_address(account, region, "ann@x.example".parse().expect("good")).await.expect("mailed");
        assert_eq!(b.standing("ann@x.example").await[0], "PENDING");
        let token = b.mailed_token("ann@x.example").await;
        // Who deletes the identity and makes another one has not proved that.
        b.clock.advance(Duration::from_secs(1));
        b.identities.delete(account, region, "ann@x.example").await.expect("deleted");
        b.identity("ann@x.example").await;
        assert_eq!(b.identities.confirm(&token).await.expect("asked").verified, None);
    }
}
