//! Receipt rules with the actions that no SDK can send.
use crate::app::admin::{Admin, AdminError};
use crate::aws::ses;
use crate::base::Scope;
use crate::config::Settings;
use crate::mail::receiving::{self, Receiving};
use crate::outlets::Functions;

impl Admin {
    /// Makes or changes a receipt rule from JSON, in the shape of SES's `ReceiptRule`: with the actions that no SDK can
    /// send. Gives the rule as it is kept.
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
    ) -> Result<Vec<String>, AdminError> {
        let rule = ses::rule_from_json(json).map_err(AdminError::Rule)?;
        let functions = Functions::from_settings(settings, self.clock.clone()).map_err(AdminError::Settings)?;
        // The operator decides who mail is forwarded to, so the sandbox has no say here.
        let receiving = Receiving::new(self.store.clone(), self.clock.clone()).with_functions(functions);
        let name = rule.name.clone();
        match receiving.update_rule(owner, set, rule.clone()).await {
            Err(receiving::Error::RuleMissing(missing)) if missing == name => {
                receiving.create_rule(owner, set, rule, after).await?;
            }
            other => other?,
        }
        let kept = receiving.rule(owner, set, &name).await?;
        Ok(vec![ses::rule_to_json(kept).map_err(AdminError::Rule)?])
    }
}
