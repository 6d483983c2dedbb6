//! Signs what goes out: away from the threads that load, send and settle, and once for all recipients of a mail who get the
//! same octets.
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::OnceCell;
use tracing::error;

use crate::base::Timestamp;
use crate::mail::message::dkim::{Canonicalization, Signable};
use crate::mail::message::recode::Unwanted;
use crate::mail::sending::dressing::Dressed;
use crate::mail::sending::parcel::Parcel;
use crate::mail::sending::terms::Terms;
use crate::workers::{Compute, NotDone, Threads};

/// Messages up to this size, in octets, are hashed by the threads that sign: that takes less than a millisecond. Larger ones
/// wait for their account's turn.
const HASHED_HERE_MAX: usize = 256 * 1024;
/// Mails whose signatures are kept for their other recipients, who mostly go out in the same moment.
const KEPT: usize = 256;

/// What signs. Cheap to clone; clones share the threads.
#[derive(Clone)]
pub(super) struct Signing {
    forms: Canonicalization,
    threads: Threads,
    compute: Compute,
    shared: Arc<Shared>,
}

/// Signatures that recipients of one mail share.
#[derive(Default)]
struct Shared(Mutex<VecDeque<Alike>>);

/// What one signature is good for: the same octets, signed by the same keys.
struct Alike {
    mail: String,
    recoded: Option<Unwanted>,
    signers: Weak<Terms>,
    signatures: Signatures,
}

/// The `DKIM-Signature` fields, as soon as the first who asked has made them.
type Signatures = Arc<OnceCell<String>>;

impl Signing {
    /// With signatures of these forms. `compute` hashes large messages.
    pub(super) fn new(forms: Canonicalization, compute: Compute) -> Self {
        Self { forms, threads: Threads::new("sign"), compute, shared: Arc::default() }
    }

    /// What stands before the dressed message: the signatures of all keys, and the recipient's fields.
    ///
    /// # Errors
    /// [`NotDone::Broken`]: nothing was signed.
    pub(super) async fn sign(&self, parcel: &Parcel, dressed: &Dressed, now: Timestamp) -> Result<Vec<u8>, NotDone> {
        if parcel.terms.signers.is_empty() {
            return Ok(dressed.prefix(""));
        }
        if !dressed.is_alike {
            return Ok(dressed.prefix(&self.signatures(parcel, dressed, now).await?));
        }
        let shared = self.shared.of(parcel, dressed.recoded);
        Ok(dressed.prefix(shared.get_or_try_init(|| self.signatures(parcel, dressed, now)).await?))
    }

    async fn signatures(&self, parcel: &Parcel, dressed: &Dressed, now: Timestamp) -> Result<String, NotDone> {
        let (dressed, forms) = (dressed.clone(), self.forms);
        let (terms, mail) = (parcel.terms.clone(), parcel.mail.id.clone());
        if dressed.message.len() > HASHED_HERE_MAX {
            let large = dressed.clone();
            match self.compute.run(parcel.mail.account.as_str(), 0, move |_| large.signable(forms)).await {
                Ok(signable) => return self.threads.run(move || signed(&signable, &terms, &mail, now)).await,
                // The account has more such mails at work than may wait: this one is signed all the same.
                Err(NotDone::Crowded) => {}
                Err(broken) => return Err(broken),
            }
        }
        self.threads.run(move || signed(&dressed.signable(forms), &terms, &mail, now)).await
    }
}

fn signed(signable: &Signable, terms: &Terms, mail: &str, now: Timestamp) -> String {
    let mut all = String::new();
    for signature in terms.signers.iter().map(|signer| signable.sign(signer, now)) {
        match signature {
            Ok(field) => all.push_str(&field),
            // As with a key that cannot be read.
            Err(error) => error!(message.id = %mail, %error, "sending without a dkim signature"),
        }
    }
    all
}

impl Shared {
    /// The place of the signatures of a mail; a new one where the mail or its keys are not known.
    fn of(&self, parcel: &Parcel, recoded: Option<Unwanted>) -> Signatures {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let signers = Arc::downgrade(&parcel.terms);
        let is_same =
            |one: &&Alike| one.mail == parcel.mail.id && one.recoded == recoded && one.signers.ptr_eq(&signers);
        if let Some(same) = kept.iter().rev().find(is_same) {
            return same.signatures.clone();
        }
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        let signatures = Signatures::default();
        let mail = parcel.mail.id.clone();
        kept.push_back(Alike { mail, recoded, signers, signatures: signatures.clone() });
        signatures
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;
    use crate::base::{AccountId, Region};
    use crate::mail::identity::Pair;
    use crate::mail::message::dkim::{Algorithm, Signer, SigningKey};
    use crate::mail::message::headers_record::HeadersRecord;
    use crate::mail::sending::dressing::dress;
    use crate::store::Json;
    use crate::store::mails::{Kind, Mail, Recipient, Status};
    use crate::store::outgoing::Outgoing;

    fn keys() -> Arc<Terms> {
        let row = Pair::ed25519().expect("a pair").easy(Timestamp::from_secs(0)).remove(0);
        let (domain, selector, algorithm) = ("example.com".to_owned(), "s".to_owned(), Algorithm::Ed25519);
        let key = SigningKey { domain, selector, algorithm, private_key: row.private_key };
        let signers = vec![Arc::new(Signer::new(&key).expect("a key"))];
        Arc::new(Terms { signers, ..Terms::default() })
    }

    /// A mail to `recipients`, as the one at the place `n` gets it.
    fn parcel(id: &str, n: i64, recipients: i64, keys: &Arc<Terms>) -> Parcel {
        let at = Timestamp::from_secs(0);
        let mail = Mail {
            id: id.to_owned(),
            account: AccountId::development(),
            region: Region::default_region(),
            caller: String::new(),
            source_ip: None,
            source: "a@example.com".to_owned(),
            return_path: String::new(),
            configuration_set: None,
            tags: Json::of(&vec![]).expect("JSON"),
            headers: Json::of(&HeadersRecord::default()).expect("JSON"),
            identity: None,
            kind: Kind::User,
            size: 0,
            recipient_count: recipients,
            accepted_at: at,
            expires_at: at,
            require_tls: false,
        };
        let recipient = Recipient {
            mail_id: id.to_owned(),
            n,
            address: format!("to{n}@there.example"),
            status: Status::Pending,
            attempts: 0,
            last_reply: None,
            delayed_at: None,
        };
        let found = Outgoing { mail, recipient, raw: None, is_listed: false };
        let mut parcel = Parcel::new(found, keys.clone(), None);
        parcel.trace = format!("X-Postrider-Id: mark{n}\r\n");
        parcel
    }

    struct Signed {
        signing: Signing,
        body: usize,
    }

    impl Signed {
        fn new(body: usize) -> Self {
            Self { signing: Signing::new(Canonicalization::default(), Compute::default()), body }
        }

        /// The second in which the signature was made, and what else stands before the message.
        async fn at(&self, second: i64, parcel: &Parcel) -> (String, String) {
            let raw = format!("From: a@example.com\r\n\r\n{}\r\n", "x".repeat(self.body));
            let dressed = dress(parcel, raw.into_bytes());
            let prefix = self.signing.sign(parcel, &dressed, Timestamp::from_secs(second)).await.expect("signed");
            let text = String::from_utf8(prefix).expect("text").replace("\r\n ", " ");
            let time = text.split(" t=").nth(1).and_then(|rest| rest.split(';').next()).expect("a time").to_owned();
            (time, text.lines().skip(1).collect())
        }
    }

    #[tokio::test]
    async fn recipients_of_one_mail_share_a_signature_and_have_their_marks() {
        for body in [10, HASHED_HERE_MAX + 1] {
            let (signed, keys) = (Signed::new(body), keys());
            let get = |n| {
                let (signed, parcel) = (&signed, parcel("mail", n, 50, &keys));
                async move { signed.at(100 + n, &parcel).await }
            };
            let all = join_all((0..50).map(get)).await;
            for (n, (time, rest)) in all.iter().enumerate() {
                assert_eq!((time, rest), (&all[0].0, &format!("X-Postrider-Id: mark{n}")));
            }
            for (second, (id, keys)) in [(200, ("another", keys.clone())), (201, ("mail", self::keys()))] {
                let (time, _) = signed.at(second, &parcel(id, 0, 50, &keys)).await;
                assert_eq!(time, second.to_string(), "another mail, or other keys");
            }
        }
    }

    #[tokio::test]
    async fn who_is_alone_has_a_signature_that_covers_the_mark() {
        let (signed, keys) = (Signed::new(10), keys());
        for second in [1, 2] {
            let parcel = parcel("mail", 0, 1, &keys);
            let (time, rest) = signed.at(second, &parcel).await;
            assert_eq!((time, rest.as_str()), (second.to_string(), "X-Postrider-Id: mark0"));
        }
    }

    #[tokio::test]
    async fn signatures_are_kept_for_so_many_mails() {
        let (signed, keys) = (Signed::new(10), keys());
        for n in 0..=KEPT {
            signed.at(1, &parcel(&format!("mail {n}"), 0, 2, &keys)).await;
        }
        assert_eq!(signed.at(2, &parcel("mail 0", 1, 2, &keys)).await.0, "2");
        assert_eq!(signed.at(2, &parcel(&format!("mail {KEPT}"), 1, 2, &keys)).await.0, "1");
    }
}
