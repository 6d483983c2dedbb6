//! What makes the actions acceptable that lead out of the mail: functions, webhooks, queues, forwarding.
use crate::base::{Arn, EmailAddress, Reach, Scope};
use crate::mail::receiving::Error;
use crate::mail::receiving::rules::{Action, Rule, one_line};
use crate::outlets::functions::name_of;
use crate::outlets::signature::key;
use crate::outlets::{Barred, barred};
use crate::store::vault::{Lock, Opened, Vault};
use crate::store::{self, Tx};

/// How many addresses one Forward action can name.
const MAX_FORWARDS: usize = 10;
/// What the secret of a webhook is sealed for.
const PURPOSE: &str = "receipt webhook secret";

pub(super) fn check_function(function: &Arn) -> Result<(), Error> {
    name_of(function).map(drop).ok_or_else(|| Error::InvalidFunction(one_line(&function.to_string())))
}

/// An address without a user, and a secret that is long enough: 16 to 256 octets, or `whsec_` and 24 to 64 octets in
/// base64, as the Standard Webhooks have it. An empty secret is judged where the former rule is known.
pub(super) fn check_webhook(url: &str, secret: &str) -> Result<(), Error> {
    let parsed = url.parse::<reqwest::Url>().ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some_and(|host| !host.is_empty())
            && url.username().is_empty()
            && url.password().is_none()
    });
    if url.len() > 2_048 || parsed.is_none() {
        return Err(Error::Invalid(format!("not an http:// or https:// URL without a user: {}", one_line(url))));
    }
    if secret.is_empty() || key(secret).is_some() {
        return Ok(());
    }
    let text = "a webhook's secret has 16 to 256 characters, or is whsec_ and 24 to 64 octets in base64";
    Err(Error::Invalid(text.to_owned()))
}

/// Tells the operator of the webhooks of a rule that was kept and cannot be reached. Whoever made the rule is not told where
/// this server may go.
pub(super) fn warn(reach: &Reach, owner: &Scope, set: &str, rule: &Rule) {
    for url in rule.webhooks() {
        if let Some(barred) = Barred::of(reach, url) {
            tracing::warn!(
                account = %owner.account, region = %owner.region, rule_set = set, rule = rule.name, url = barred.url,
                setting = barred::SETTING, "a receipt rule has a webhook that cannot be reached: {}", barred::REFUSAL
            );
        }
    }
}

pub(super) fn check_queue(queue: &Arn) -> Result<(), Error> {
    if queue.service == "sqs" { Ok(()) } else { Err(Error::Invalid(format!("not the ARN of a queue: {queue}"))) }
}

pub(super) fn check_forward(to: &[EmailAddress]) -> Result<(), Error> {
    match to.len() {
        0 => Err(Error::Invalid("a mail is forwarded to at least one address".to_owned())),
        1..=MAX_FORWARDS => Ok(()),
        _ => Err(Error::LimitExceeded(format!("a mail is forwarded to at most {MAX_FORWARDS} addresses"))),
    }
}

/// Fills the empty secrets of `rule` from the rule that it replaces: the action with the same URL.
pub(super) fn keep_secrets(rule: &mut Rule, former: Option<&Rule>) -> Result<(), Error> {
    for action in &mut rule.actions {
        let Action::Webhook { url, secret, .. } = action else { continue };
        if !secret.is_empty() {
            continue;
        }
        let known = former.into_iter().flat_map(|rule| &rule.actions).find_map(|action| match action {
            Action::Webhook { url: known, secret, .. } if known == url => Some(secret.clone()),
            _ => None,
        });
        *secret = known.ok_or_else(|| Error::Invalid("a webhook needs a secret".to_owned()))?;
    }
    Ok(())
}

/// Whether all secrets are sealed as [`seal_secrets`] would do it now.
pub(super) fn are_up_to_date(vault: &Vault, rules: &[Rule]) -> bool {
    rules.iter().flat_map(|rule| &rule.actions).all(|action| match action {
        Action::Webhook { secret, .. } => vault.is_up_to_date(secret),
        _ => true,
    })
}

/// Seals what is not sealed yet, or was sealed under a former master key.
pub(super) fn seal_secrets(tx: &Tx, rules: &mut [Rule]) -> Result<(), store::Error> {
    for action in rules.iter_mut().flat_map(|rule| &mut rule.actions) {
        let Action::Webhook { secret, .. } = action else { continue };
        if !tx.vault().is_up_to_date(secret) {
            let plain = open_secret(tx, secret.clone())?;
            let sealed =
                tx.vault().seal(PURPOSE, Lock::Own, plain.as_bytes(), tx.now()).map_err(store::Error::corrupt)?;
            *secret = sealed.unwrap_or(plain);
        }
    }
    Ok(())
}

/// The secret as it was given.
pub(super) fn open_secret(tx: &Tx, stored: String) -> Result<String, store::Error> {
    match tx.vault().open(PURPOSE, stored).map_err(store::Error::corrupt)? {
        Opened::Plain(text) => Ok(text),
        Opened::Sealed(bytes) => String::from_utf8(bytes).map_err(store::Error::corrupt),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn webhooks_have_a_plain_url_and_a_secret_worth_the_name() {
        let good = "sixteen letters!";
        let encoded = format!("whsec_{}", STANDARD.encode([7; 24]));
        for (url, secret, fine) in [
            ("https://hooks.example/in?x=1", good, true),
            ("http://127.0.0.1:8080/", encoded.as_str(), true),
            ("https://hooks.example/", "", true),
            ("https://hooks.example/", "too short", false),
            ("https://hooks.example/", "whsec_c2hvcnQ=", false),
            ("ftp://hooks.example/", good, false),
            ("https://user@hooks.example/", good, false),
            ("https://:pass@hooks.example/", good, false),
            ("hooks.example", good, false),
            ("", good, false),
        ] {
            assert_eq!(check_webhook(url, secret).is_ok(), fine, "{url} {secret}");
        }
        assert_eq!(key(&encoded), Some(vec![7; 24]));
    }
}
