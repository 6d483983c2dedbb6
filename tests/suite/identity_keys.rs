//! DKIM keys: they change, they may be the owner's, another kind signs beside them, and none of them is stored in clear.
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postrider::mail::identity::dkim::signing_keys;
use postrider::mail::identity::{Error, Found, Origin, Pair};
use postrider::mail::message::dkim::{Algorithm, SigningKey};
use postrider::mail::published::dns_records;
use postrider::mail::sending::Limits;
use postrider::store::vault::Vault;
use postrider::store::{Error as StoreError, Store, dkim_keys};
use rsa::RsaPrivateKey;
use rsa::pkcs8::EncodePrivateKey;

use crate::both_engines;
use crate::engine::TestDatabase;
use crate::ses_bench::{Bench, bench};

const DAY: Duration = Duration::from_secs(24 * 3600 + 1);

impl Bench {
    async fn found(&self, name: &str) -> Found {
        self.identities.get(&self.scope.account, &self.scope.region, name).await.expect("there")
    }

    async fn signers(&self, author: &str) -> Vec<SigningKey> {
        let mut tx = self.store.reader().await.expect("a reader");
        let author = author.parse().expect("an address");
        signing_keys(&mut tx, &self.scope.account, &self.scope.region, &author).await.expect("read")
    }

    async fn selectors(&self, author: &str) -> Vec<String> {
        self.signers(author).await.into_iter().map(|key| key.selector).collect()
    }

    async fn proved(&self, domain: &str) {
        self.identity(domain).await;
        self.publish(domain).await;
        self.later(Duration::ZERO).await;
    }
}

both_engines! {
    async fn a_new_key_signs_once_it_is_published_and_the_old_one_stays_published(engine: Engine) {
        let b = bench(engine, Limits::Sandbox).await;
        let (account, region) = (&b.scope.account, &b.scope.region);
        b.proved("short.example").await;
        let tokens: Vec<String> = b.found("short.example").await.keys.iter().map(|key| key.selector.clone()).collect();
        assert_eq!(b.selectors("a@sub.short.example").await, tokens[..1], "a subdomain is signed by its parent");
        let longer = || Origin::Ours(Some(2048));
        let soon = b.identities.set_keys(account, region, "short.example", longer()).await;
        assert!(matches!(soon, Err(Error::TooSoon)));
        b.clock.advance(DAY);
        let found = b.identities.set_keys(account, region, "short.example", longer()).await.expect("begun");
        assert_eq!(found.keys.iter().map(|k| (k.state.as_str(), k.bits)).collect::<Vec<_>>(),
            [("CURRENT", 1024), ("NEXT", 2048), ("SPARE", 1024)]);
        b.later(Duration::from_secs(61)).await;
        assert_eq!(b.selectors("a@short.example").await, tokens[..1], "the new one is not in the DNS yet");
        assert_eq!(dns_records(&found, None, "out.example").len(), 2, "both are to be published");
        b.publish("short.example").await;
        b.later(Duration::from_secs(61)).await;
        assert_eq!(b.selectors("a@short.example").await, tokens[1..2]);
        let found = b.found("short.example").await;
        assert_eq!((found.keys[0].state.as_str(), found.identity.dkim.status.as_str()), ("RETIRED", "SUCCESS"));
        assert_eq!(dns_records(&found, None, "out.example").len(), 2, "mail on its way needs the old one");
        for place in [2, 0] {
            b.identities.rotate(account, region, "short.example").await.expect("begun");
            b.publish("short.example").await;
            b.later(Duration::from_secs(61)).await;
            assert_eq!(b.selectors("a@short.example").await, tokens[place..=place], "the selectors take turns");
        }
        b.identities.set_signing(account, region, "short.example", false).await.expect("off");
        assert!(b.signers("a@short.example").await.is_empty());
    }

    async fn the_owners_key_is_taken_and_ours_can_come_back(engine: Engine) {
        let b = bench(engine, Limits::Sandbox).await;
        let (account, region) = (&b.scope.account, &b.scope.region);
        b.proved("short.example").await;
        let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 1024).expect("a key");
        let der = key.to_pkcs8_der().expect("DER");
        let pair = Pair::given(&STANDARD.encode(der.as_bytes())).expect("a pair");
        let owners = Origin::Owners("mine".to_owned(), pair);
        let found = b.identities.set_keys(account, region, "short.example", owners).await.expect("taken");
        assert_eq!((found.keys.len(), found.identity.dkim.status.as_str()), (1, "PENDING"));
        assert!(b.signers("a@short.example").await.is_empty(), "nobody could check it yet");
        b.publish("short.example").await;
        b.later(Duration::ZERO).await;
        let signer = b.signers("a@short.example").await.remove(0);
        assert_eq!((signer.selector.as_str(), signer.private_key.as_slice()), ("mine", der.as_bytes()));
        assert!(matches!(b.identities.rotate(account, region, "short.example").await, Err(Error::NotADomain(_))));
        let ours = Origin::Ours(Some(1024));
        let found = b.identities.set_keys(account, region, "short.example", ours).await.expect("ours again");
        assert_eq!((found.keys.len(), found.identity.dkim.origin.as_str()), (3, "AWS_SES"));
    }

    async fn an_ed25519_key_signs_beside_the_other_once_it_is_published(engine: Engine) {
        let b = bench(engine, Limits::Sandbox).await;
        let (account, region) = (&b.scope.account, &b.scope.region);
        b.proved("short.example").await;
        let on = b.identities.set_ed25519(account, region, "short.example", true).await.expect("on");
        assert!(dns_records(&on, None, "out.example")[1].value.starts_with("v=DKIM1; k=ed25519; p="));
        let zone = dns_records(&on, Some("keys.op.example"), "out.example");
        let kinds: Vec<_> = zone.iter().map(|r| (r.kind, r.in_zone)).collect();
        let (cname, txt) = (("CNAME", false), ("TXT", true));
        assert_eq!(kinds, [cname, txt, cname, cname, cname, txt], "an owner sets CNAMEs once, for keys to come too");
        assert_eq!((zone[0].value.as_str(), zone[0].name.ends_with("._domainkey.short.example")), (zone[1].name.as_str(), true));
        b.later(Duration::from_secs(61)).await;
        assert_eq!(b.signers("a@short.example").await.len(), 1);
        b.publish("short.example").await;
        b.later(Duration::from_secs(61)).await;
        let kinds: Vec<Algorithm> = b.signers("a@short.example").await.iter().map(|key| key.algorithm).collect();
        assert_eq!(kinds, [Algorithm::Rsa, Algorithm::Ed25519]);
        b.identities.set_ed25519(account, region, "short.example", false).await.expect("off");
        assert_eq!(b.signers("a@short.example").await.len(), 1);
    }

    async fn keys_are_sealed_and_those_from_before_are_read_and_sealed_later(engine: Engine) {
        let database = TestDatabase::new(engine).await;
        let clock = postrider::base::Clock::manual(postrider::base::Timestamp::from_secs(1_800_000_000));
        let at = clock.now();
        let (account, region) = (postrider::base::AccountId::development(), postrider::base::Region::default_region());
        let identity = crate::ses_bench::verified_domain(&account, &region, "x.example", at);
        let pair = Pair::ed25519().expect("a pair");
        let key = pair.easy(at).remove(0);
        let put = async |store: &Store| {
            let (identity, key) = (identity.clone(), key.clone());
            let done: Result<(), StoreError> =
                store.write(move |tx| Box::pin(async move { dkim_keys::put(tx, &identity, &key).await })).await;
            done.expect("stored");
        };
        let stored = async |store: &Store| {
            let mut tx = store.reader().await.expect("a reader");
            let sql = "SELECT private_key FROM dkim_keys";
            let row = tx.one(sql, vec![]).await.expect("read").expect("a row").blob("private_key").expect("bytes");
            let read = dkim_keys::list(&mut tx, &account, &region, "x.example").await.expect("keys").remove(0);
            (row, read.private_key)
        };
        let plain = Store::open(&database.database(), clock.clone()).await.expect("a store");
        put(&plain).await;
        assert_eq!(stored(&plain).await, (key.private_key.clone(), key.private_key.clone()));
        drop(plain);
        let masters = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".parse().expect("a key");
        let vault = Vault::new(masters, &[]);
        let store = Store::open_with(&database.database(), clock.clone(), vault).await.expect("a store");
        assert_eq!(stored(&store).await, (key.private_key.clone(), key.private_key.clone()), "readable in clear");
        let sealed: Result<_, StoreError> =
            store.write(|tx| Box::pin(async move { dkim_keys::seal(tx, "", 10).await })).await;
        assert_eq!(sealed.expect("sealed").as_deref(), Some(key.selector.as_str()));
        let (row, read) = stored(&store).await;
        assert_eq!(read, key.private_key);
        assert!(row != key.private_key && String::from_utf8(row).is_ok(), "sealed now");
        put(&store).await;
        assert_ne!(stored(&store).await.0, key.private_key, "new ones are sealed at once");
    }
}
