//! Identities: verified by a mailed link or by the DNS, and gone when they are deleted.
use std::time::Duration;

use postrider::mail::identity::{Error, IdentityName, NewIdentity, Opened};
use postrider::mail::published::dns_records;
use postrider::mail::sending::Limits;
use postrider::store::identities::IdentityKind;
use postrider::store::mails::Kind;

use crate::both_engines;
use crate::ses_bench::{Bench, bench};

impl Bench {
    pub(crate) async fn status(&self, name: &str) -> String {
        let found = self.identities.get(&self.scope.account, &self.scope.region, name).await;
        found.expect("the identity").identity.status.to_string()
    }

    /// The token in the newest verification mail, which must go to `address`.
    pub(crate) async fn mailed_token(&self, address: &str) -> String {
        let mut tx = self.store.reader().await.expect("a reader");
        let sql = "SELECT mail_id FROM recipients WHERE address = $1 ORDER BY mail_id DESC LIMIT 1";
        let row = tx.one(sql, vec![address.into()]).await.expect("read").expect("a mail");
        let id = row.text("mail_id").expect("an id");
        drop(tx);
        let (mail, raw, _) = self.mail(&id).await;
        assert_eq!((mail.kind, mail.return_path.as_str()), (Kind::System, ""));
        let (_, rest) = raw.split_once("http://out.example:4566/_postrider/verify?token=").expect("a link");
        rest.split_whitespace().next().expect("a token").to_owned()
    }
}

both_engines! {
    async fn an_address_is_verified_by_the_link_that_is_mailed_to_it(engine: Engine) {
        let bench = bench(engine, Limits::Sandbox).await;
        bench.identity("Ann@x.example").await;
        assert_eq!(bench.status("ann@x.example").await, "PENDING");
        let token = bench.mailed_token("ann@x.example").await;
        for wrong in ["", "nothing", &"x".repeat(48)] {
            assert_eq!(bench.identities.confirm(wrong).await.expect("asked"), Opened::default());
        }
        assert_eq!(bench.identities.confirm(&token).await.expect("asked").verified.as_deref(), Some("ann@x.example"));
        assert_eq!(bench.status("ann@x.example").await, "SUCCESS");
        assert_eq!(bench.identities.confirm(&token).await.expect("asked"), Opened::default(), "a link works once");
    }

    async fn an_old_link_does_not_work_and_a_new_one_is_mailed_on_demand(engine: Engine) {
        let bench = bench(engine, Limits::Sandbox).await;
        let address = || "ann@x.example".parse().expect("an address");
        let (account, region) = (&bench.scope.account, &bench.scope.region);
        bench.identities.verify_address(account, region, address()).await.expect("mailed");
        let first = bench.mailed_token("ann@x.example").await;
        bench.clock.advance(Duration::from_secs(24 * 3600 + 1));
        assert_eq!(bench.identities.confirm(&first).await.expect("asked"), Opened::default());
        bench.identities.verify_address(account, region, address()).await.expect("mailed again");
        let second = bench.mailed_token("ann@x.example").await;
        assert_eq!(bench.identities.confirm(&second).await.expect("asked").verified.as_deref(), Some("ann@x.example"));
        assert_eq!(bench.jobs().await, 2);
        bench.identities.verify_address(account, region, address()).await.expect("nothing to do");
        assert_eq!(bench.jobs().await, 2, "a verified address gets no more mail");
    }

    async fn a_domain_is_verified_once_the_dns_publishes_its_key(engine: Engine) {
        let bench = bench(engine, Limits::Sandbox).await;
        let found = bench.identity("short.example").await;
        assert_eq!(found.keys.len(), 3);
        assert_eq!(bench.identities.check_pending().await.expect("a round"), 1);
        assert_eq!(bench.identities.check_pending().await.expect("a round"), 0, "the next look is later");
        assert_eq!(bench.status("short.example").await, "PENDING");
        let record = dns_records(&found, None, "out.example").remove(0);
        bench.records.0.lock().expect("ok").insert(record.name.clone(), "v=DKIM1; k=rsa; p=AAAA".to_owned());
        bench.clock.advance(Duration::from_secs(61));
        assert_eq!(bench.identities.check_pending().await.expect("a round"), 1);
        assert_eq!(bench.status("short.example").await, "PENDING", "another key proves nothing");
        bench.records.0.lock().expect("ok").insert(record.name, record.value);
        bench.clock.advance(Duration::from_secs(61));
        assert_eq!(bench.identities.check_pending().await.expect("a round"), 1);
        assert_eq!(bench.status("short.example").await, "SUCCESS");
        bench.clock.advance(Duration::from_secs(3600));
        assert_eq!(bench.identities.check_pending().await.expect("a round"), 0, "the next look is hours later");
    }

    async fn a_domain_that_publishes_nothing_for_72_hours_has_failed(engine: Engine) {
        let bench = bench(engine, Limits::Sandbox).await;
        bench.identity("short.example").await;
        bench.clock.advance(Duration::from_secs(72 * 3600 + 1));
        assert_eq!(bench.identities.check_pending().await.expect("a round"), 1);
        assert_eq!(bench.status("short.example").await, "FAILED");
    }

    async fn identities_are_listed_in_pages_and_deleted_with_their_keys(engine: Engine) {
        let bench = bench(engine, Limits::Unlimited).await;
        for name in ["b.short.example", "a@x.example", "c@x.example"] {
            bench.identity(name).await;
        }
        let (account, region) = (&bench.scope.account, &bench.scope.region);
        let again = bench
            .identities
            .create(account, region, IdentityName::parse("A@X.example").expect("a name"), NewIdentity::default())
            .await;
        assert!(matches!(again, Err(Error::Exists(name)) if name == "a@x.example"));
        let names = async |kind, after: &str, limit| {
            let list = bench.identities.list(account, region, kind, after, limit).await.expect("a list");
            list.into_iter().map(|i| i.name).collect::<Vec<_>>()
        };
        assert_eq!(names(None, "", 2).await, ["a@x.example", "b.short.example"]);
        assert_eq!(names(None, "b.short.example", 2).await, ["c@x.example"]);
        assert_eq!(names(Some(IdentityKind::Domain), "", 10).await, ["b.short.example"]);
        let elsewhere = "999999999999".parse().expect("an account");
        assert!(bench.identities.list(&elsewhere, region, None, "", 10).await.expect("a list").is_empty());
        bench.identities.delete(account, region, "b.short.example").await.expect("deleted");
        let gone = bench.identities.delete(account, region, "b.short.example").await;
        assert!(matches!(gone, Err(Error::Missing(_))));
        let keys = bench.identity("b.short.example").await.keys;
        assert_eq!(keys.len(), 3, "new keys for a new identity");
    }
}
