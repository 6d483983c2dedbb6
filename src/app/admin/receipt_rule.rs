//! Receipt rules with the actions that no SDK can send.
use crate::app::admin::{Admin, AdminError};
use crate::app::ways;
use crate::aws::ses;
use crate::base::Scope;
use crate::config::Settings;
use crate::mail::receiving::Receiving;
use crate::mail::receiving::rules::Rule;
use crate::outlets::{Barred, Functions, barred};

impl Admin {
    /// Makes or changes a receipt rule from JSON, in the shape of SES's `ReceiptRule`: with the actions that no SDK can
    /// send. It stands behind the rule `after`, where one is named. Gives the rule as it is kept.
    ///
    /// # Errors
    /// When it is not such JSON, or the rule is refused.
    pub async fn put_receipt_rule(
        &self,
        owner: &Scope,
        set: &str,
        after: Option<&str>,
        json: &str,
        settings: &Settings,
    ) -> Result<Kept, AdminError> {
        let rule = ses::rule_from_json(json).map_err(AdminError::Rule)?;
        let functions = Functions::from_settings(settings, self.clock.clone()).map_err(AdminError::Settings)?;
        // The operator decides who mail is forwarded to, so the sandbox has no say here.
        let receiving = Receiving::new(self.store.clone(), self.clock.clone()).with_functions(functions);
        let name = rule.name.clone();
        receiving.put_rule(owner, set, rule, after).await?;
        let kept = receiving.rule(owner, set, &name).await?;
        let warnings = self.unreachable(&kept, settings).await?;
        Ok(Kept { rule: ses::rule_to_json(kept).map_err(AdminError::Rule)?, warnings })
    }

    /// The webhooks of a rule that cannot be reached: names are looked up, where that takes no longer than two seconds each.
    async fn unreachable(&self, rule: &Rule, settings: &Settings) -> Result<Vec<String>, AdminError> {
        let poster = ways::poster(settings, &self.clock, &self.dns).map_err(AdminError::Settings)?;
        let mut warnings = vec![];
        for url in rule.webhooks() {
            if let Ok(parsed) = url.parse()
                && poster.bars(&parsed).await
            {
                let barred = Barred { url: barred::shown(url) };
                warnings.push(format!("rule {}: WebhookAction: {barred}, as these settings are", rule.name));
            }
        }
        Ok(warnings)
    }
}

/// A receipt rule that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The rule as it is kept, as JSON.
    pub rule: String,
    /// What may be wrong with it, a line each.
    pub warnings: Vec<String>,
}
