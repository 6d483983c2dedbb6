//! The sandbox of text messages: an account in it sends to numbers that it has verified with a one-time password.
use std::time::Duration;

use rand::Rng;
use sha2::{Digest, Sha256};

use crate::base::{AccountId, Region, ids};
use crate::store::{sms, throttles};
use crate::topics::endpoint::{self, Protocol};
use crate::topics::job::{self, Direct, Job, Way};
use crate::topics::page::{self, NumberedPage};
use crate::topics::{Error, Topics};

/// How many numbers an account may have (SNS: 10).
const NUMBERS_MAX: usize = 10;
/// How long a password holds.
const CODE_VALID: Duration = Duration::from_secs(15 * 60);
/// How many wrong passwords end it.
const TRIES_MAX: u32 = 5;
/// How often a number is sent a password, whoever asks.
const ASKED_MAX: u32 = 5;
const ASKED_WINDOW: Duration = Duration::from_secs(3_600);

/// A number as the list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedNumber {
    /// The number.
    pub phone: String,
    /// Whether it may be sent to.
    pub verified: bool,
}

impl Topics {
    /// Whether accounts are in the sandbox.
    pub fn in_sms_sandbox(&self) -> bool {
        self.ways().sms_sandbox
    }

    /// Whether an account in the sandbox may send to a number.
    pub(in crate::topics) async fn sandbox_knows(
        &self,
        account: &AccountId,
        region: &Region,
        phone: &str,
    ) -> Result<bool, Error> {
        let (account, region, phone) = (account.clone(), region.clone(), phone.to_owned());
        self.store()
            .read(|tx| {
                Box::pin(async move {
                    let number = sms::sandbox_find(tx, &account, &region, &phone).await?;
                    Ok(number.is_some_and(|number| number.verified))
                })
            })
            .await
    }

    /// Adds a number and sends it a one-time password.
    pub async fn sandbox_add(&self, account: &AccountId, region: &Region, phone: &str) -> Result<(), Error> {
        endpoint::phone(phone)?;
        self.ways().check(Protocol::Sms, phone)?;
        let (account, region, phone) = (account.clone(), region.clone(), phone.to_owned());
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let there = sms::sandbox(tx, &account, &region, 0, page::ASK).await?;
                    let number = there.iter().find(|number| number.phone == phone);
                    if number.is_some_and(|number| number.verified) {
                        return Err(Error::SandboxNumber("The phone number is verified already."));
                    }
                    if number.is_none() && there.len() >= NUMBERS_MAX {
                        return Err(Error::SandboxNumber("The account has its maximum of sandbox phone numbers."));
                    }
                    if sms::opted_out(tx, &account, &region, &phone).await?.0 {
                        return Err(Error::OptedOut);
                    }
                    if throttles::count_question(tx, &phone, ASKED_WINDOW).await? > ASKED_MAX {
                        return Err(Error::AskedTooOften);
                    }
                    let code = format!("{:06}", rand::rng().random_range(0..1_000_000));
                    let until = tx.now() + CODE_VALID;
                    sms::sandbox_ask(tx, &account, &region, &phone, &hash(&phone, &code), until).await?;
                    let direct = Direct {
                        way: Way::Sms,
                        id: ids::uuid(),
                        account,
                        region,
                        to: phone,
                        message: format!("Your verification code is {code}. It is valid for 15 minutes."),
                        more: [("type".to_owned(), "Transactional".to_owned())].into(),
                    };
                    job::enqueue(tx, &[Job::Direct(direct)]).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Verifies a number with the password that it was sent.
    pub async fn sandbox_verify(
        &self,
        account: &AccountId,
        region: &Region,
        phone: &str,
        code: &str,
    ) -> Result<(), Error> {
        endpoint::phone(phone)?;
        let (account, region, phone, code) = (account.clone(), region.clone(), phone.to_owned(), code.to_owned());
        let right = self
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    let number = sms::sandbox_find(tx, &account, &region, &phone).await?;
                    let number = number.ok_or(Error::SandboxMissing)?;
                    let live = number.tries < TRIES_MAX && number.code_expires_at.is_some_and(|until| tx.now() < until);
                    let right = live && number.code_hash.is_some_and(|kept| kept == hash(&phone, &code));
                    match right {
                        true => sms::sandbox_verify(tx, number.id).await?,
                        // This must be kept, so it is no error of the transaction.
                        false => sms::sandbox_count_try(tx, number.id).await?,
                    };
                    Ok::<_, Error>(right)
                })
            })
            .await?;
        if right { Ok(()) } else { Err(Error::SandboxCode) }
    }

    /// Takes a number away.
    pub async fn sandbox_remove(&self, account: &AccountId, region: &Region, phone: &str) -> Result<(), Error> {
        endpoint::phone(phone)?;
        let (account, region, phone) = (account.clone(), region.clone(), phone.to_owned());
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let number = sms::sandbox_find(tx, &account, &region, &phone).await?;
                    sms::sandbox_delete(tx, number.ok_or(Error::SandboxMissing)?.id).await?;
                    Ok(())
                })
            })
            .await
    }

    /// An account's numbers, `size` (1 to 100) on a page.
    pub async fn sandbox_numbers(
        &self,
        account: &AccountId,
        region: &Region,
        after: Option<i64>,
        size: usize,
    ) -> Result<NumberedPage<ListedNumber>, Error> {
        let after = after.unwrap_or(0);
        let (account, region) = (account.clone(), region.clone());
        let rows = self
            .store()
            .read(|tx| Box::pin(async move { sms::sandbox(tx, &account, &region, after, page::ASK).await }))
            .await?;
        let listed = |row: sms::SandboxNumber| (row.id, ListedNumber { phone: row.phone, verified: row.verified });
        Ok(page::of_size(rows.into_iter().map(listed).collect(), size))
    }
}

/// What is kept of a password: who reads the store cannot read it off.
fn hash(phone: &str, code: &str) -> String {
    Sha256::digest(format!("{phone} {code}").as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}
