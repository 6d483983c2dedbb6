//! Accounts, access keys, and the root key of a new installation.
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use postrider::access::{
    Access, Error, RootKey, Trust, create_account, create_key, deactivate_key, ensure_root, list_accounts, list_keys,
};
use postrider::base::{AccountId, Clock, Secret, Timestamp};
use postrider::store::Store;

use crate::both_engines;
use crate::engine::TestDatabase;

struct Bench {
    store: Store,
    clock: Clock,
    access: Access,
    database: TestDatabase,
}

async fn bench(engine: crate::engine::Engine) -> Bench {
    let database = TestDatabase::new(engine).await;
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    let store = Store::open(&database.database(), clock.clone()).await.expect("the store opens");
    let access = Access::new(store.clone(), Trust::KnownKeys);
    Bench { store, clock, access, database }
}

fn account(digits: &str) -> AccountId {
    digits.parse().expect("an account")
}

both_engines! {
    async fn the_root_key_is_made_once_and_written_for_its_owner_only(engine: Engine) {
        let bench = bench(engine).await;
        let dir = bench.database.dir.path();
        let made = ensure_root(&bench.store, dir, None).await.expect("a root key");
        let path = dir.join("credentials");
        assert_eq!(made, RootKey::Written(path.clone()));
        assert_eq!(std::fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).expect("the file");
        let value = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(" = "));
            lines.find(|(n, _)| *n == name).map(|(_, v)| v.to_owned()).expect("a value")
        };
        assert!(text.starts_with("[default]\n"));
        let key = bench.access.key(&value("aws_access_key_id")).await.expect("an answer").expect("the key");
        assert_eq!((key.account.clone(), key.secret.reveal()), (account("000000000000"), &*value("aws_secret_access_key")));
        assert_eq!(ensure_root(&bench.store, dir, None).await.expect("a root key"), RootKey::Kept);
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), text);
    }

    async fn a_given_root_key_replaces_its_old_secret_and_may_not_be_anothers(engine: Engine) {
        let bench = bench(engine).await;
        let dir = bench.database.dir.path();
        for secret in ["first-secret", "second-secret"] {
            let given = Some(("ROOTKEY".to_owned(), Secret::new(secret)));
            assert_eq!(ensure_root(&bench.store, dir, given).await.expect("a root key"), RootKey::Given);
        }
        let key = bench.access.key("ROOTKEY").await.expect("an answer").expect("the key");
        assert_eq!(key.secret, Secret::new("second-secret"));
        assert!(!dir.join("credentials").exists());

        create_account(&bench.store, Some(account("111111111111")), "other").await.expect("an account");
        let (theirs, _) = create_key(&bench.store, &account("111111111111")).await.expect("a key");
        let refused = ensure_root(&bench.store, dir, Some((theirs, Secret::new("third-secret")))).await;
        assert!(matches!(refused, Err(Error::KeyOfAnother(..))), "{refused:?}");
        for (id, secret) in [("a/b", "long-enough"), ("", "long-enough"), ("GOODKEY", "short")] {
            let refused = ensure_root(&bench.store, dir, Some((id.to_owned(), Secret::new(secret)))).await;
            assert!(matches!(refused, Err(Error::NotUsable(_))), "{id} {refused:?}");
        }
    }

    async fn keys_belong_to_accounts_and_can_be_switched_off(engine: Engine) {
        let bench = bench(engine).await;
        let shop = create_account(&bench.store, Some(account("111111111111")), "shop").await.expect("an account");
        let again = create_account(&bench.store, Some(shop.clone()), "shop").await;
        assert!(matches!(again, Err(Error::AccountExists(_))), "{again:?}");
        let drawn = create_account(&bench.store, None, "drawn").await.expect("an account");
        let names: Vec<_> = list_accounts(&bench.store).await.expect("accounts").into_iter().map(|a| a.name).collect();
        assert_eq!((names.len(), drawn.as_str().len()), (2, 12));

        let nowhere = create_key(&bench.store, &account("999999999999")).await;
        assert!(matches!(nowhere, Err(Error::AccountMissing(_))), "{nowhere:?}");
        let (id, secret) = create_key(&bench.store, &shop).await.expect("a key");
        let known = bench.access.key(&id).await.expect("an answer").expect("the key");
        assert_eq!((known.account.clone(), known.secret.clone()), (shop.clone(), secret));
        for nobody in ["AKIANOBODY", "", "AK\0", "AK\u{e4}", &"A".repeat(10_000)] {
            assert_eq!(bench.access.key(nobody).await.expect("an answer"), None, "{nobody:?}");
        }

        deactivate_key(&bench.store, &id).await.expect("switched off");
        bench.clock.advance(Duration::from_secs(5));
        assert_eq!(bench.access.key(&id).await.expect("an answer"), None);
        let listed = list_keys(&bench.store, &shop).await.expect("keys");
        assert_eq!(listed.iter().map(|key| key.active).collect::<Vec<_>>(), [false]);
        let missing = deactivate_key(&bench.store, "AKIANOBODY").await;
        assert!(matches!(missing, Err(Error::KeyMissing(_))), "{missing:?}");
    }
}
