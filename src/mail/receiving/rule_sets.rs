//! Rule sets and their rules: making, changing, ordering, and choosing the active one.
use std::collections::HashSet;

use crate::base::{Scope, Timestamp};
use crate::mail::receiving::needs::Needs;
use crate::mail::receiving::rules::{MAX_RULE_SETS, MAX_RULES, MAX_SET_OCTETS, Rule, check, check_name, one_line};
use crate::mail::receiving::{Error, Receiving, own_rules};
use crate::store::{Json, Tx, receipt_rules};

/// What a rule set holds, in order.
type Rules = Vec<Rule>;

/// A rule set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSet {
    /// Its name.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Its rules, in order.
    pub rules: Vec<Rule>,
    /// How large they are as JSON, in octets.
    pub octets: usize,
}

impl Receiving {
    /// Makes an empty rule set.
    pub async fn create_rule_set(&self, owner: &Scope, name: &str) -> Result<(), Error> {
        self.insert_rule_set(owner, name, None).await
    }

    /// Makes a rule set with the rules of another.
    pub async fn clone_rule_set(&self, owner: &Scope, name: &str, original: &str) -> Result<(), Error> {
        self.insert_rule_set(owner, name, Some(original.to_owned())).await
    }

    async fn insert_rule_set(&self, owner: &Scope, name: &str, original: Option<String>) -> Result<(), Error> {
        check_name("ruleSetName", name)?;
        original.as_deref().map_or(Ok(()), |original| check_name("ruleSetName", original))?;
        let (owner, name) = (owner.clone(), name.to_owned());
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let Scope { account, region } = &owner;
                    // SES: a name that is taken is told before an original that is missing.
                    if receipt_rules::find::<Rules>(tx, account, region, &name).await?.is_some() {
                        return Err(Error::RuleSetExists(name));
                    }
                    let rules = match original {
                        Some(original) => {
                            receipt_rules::find(tx, account, region, &original)
                                .await?
                                .ok_or(Error::RuleSetMissing(original))?
                                .rules
                        }
                        None => Json::of(&Rules::new())?,
                    };
                    let count = receipt_rules::count(tx, account, region).await?;
                    if usize::try_from(count).is_ok_and(|count| count >= MAX_RULE_SETS) {
                        return Err(Error::LimitExceeded("Too many rule sets".to_owned()));
                    }
                    if receipt_rules::insert(tx, account, region, &name, &rules).await? {
                        Ok(())
                    } else {
                        Err(Error::RuleSetExists(name))
                    }
                })
            })
            .await
    }

    /// The rule set of this name.
    pub async fn rule_set(&self, owner: &Scope, name: &str) -> Result<RuleSet, Error> {
        check_name("ruleSetName", name)?;
        let (owner, name) = (owner.clone(), name.to_owned());
        self.store()
            .read(move |tx| {
                Box::pin(async move {
                    let row = receipt_rules::find(tx, &owner.account, &owner.region, &name).await?;
                    read(row.ok_or(Error::RuleSetMissing(name))?)
                })
            })
            .await
    }

    /// The active rule set, if one is.
    pub async fn active_rule_set(&self, owner: &Scope) -> Result<Option<RuleSet>, Error> {
        let owner = owner.clone();
        self.store().read(move |tx| Box::pin(async move { active(tx, &owner).await })).await
    }

    /// All rule sets, by name.
    pub async fn rule_sets(&self, owner: &Scope) -> Result<Vec<RuleSet>, Error> {
        let owner = owner.clone();
        self.store()
            .read(move |tx| {
                Box::pin(async move {
                    let rows = receipt_rules::list(tx, &owner.account, &owner.region).await?;
                    rows.into_iter().map(read).collect()
                })
            })
            .await
    }

    /// Removes a rule set with its rules; one that does not exist is fine. The active one stays.
    pub async fn delete_rule_set(&self, owner: &Scope, name: &str) -> Result<(), Error> {
        check_name("ruleSetName", name)?;
        let (owner, name) = (owner.clone(), name.to_owned());
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let Scope { account, region } = &owner;
                    if receipt_rules::hold::<Rules>(tx, account, region, &name).await?.is_none() {
                        return Ok(());
                    }
                    if receipt_rules::active(tx, account, region).await?.as_ref() == Some(&name) {
                        return Err(Error::RuleSetActive(name));
                    }
                    Ok(receipt_rules::delete(tx, account, region, &name).await?)
                })
            })
            .await
    }

    /// Makes a rule set the active one, or none with `None`: then nothing is received.
    pub async fn set_active_rule_set(&self, owner: &Scope, name: Option<&str>) -> Result<(), Error> {
        name.map_or(Ok(()), |name| check_name("ruleSetName", name))?;
        let (owner, name) = (owner.clone(), name.map(str::to_owned));
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let Scope { account, region } = &owner;
                    let Some(name) = name else { return Ok(receipt_rules::deactivate(tx, account, region).await?) };
                    if receipt_rules::hold::<Rules>(tx, account, region, &name).await?.is_none() {
                        return Err(Error::RuleSetMissing(name));
                    }
                    Ok(receipt_rules::activate(tx, account, region, &name).await?)
                })
            })
            .await
    }

    /// Puts a new rule after the rule `after`, or first where none is named.
    pub async fn create_rule(&self, owner: &Scope, set: &str, rule: Rule, after: Option<&str>) -> Result<(), Error> {
        let after = after.map(str::to_owned);
        self.keep_rule(owner, set, rule, move |rules, rule| add(rules, rule, after)).await
    }

    /// Replaces the rule of the same name; its place stays.
    pub async fn update_rule(&self, owner: &Scope, set: &str, rule: Rule) -> Result<(), Error> {
        self.keep_rule(owner, set, rule, |rules, rule| replace(rules, rule)).await
    }

    /// Replaces the rule of the same name, or makes it. One that is there moves behind the rule `after`, where one is named.
    pub async fn put_rule(&self, owner: &Scope, set: &str, rule: Rule, after: Option<&str>) -> Result<(), Error> {
        let after = after.map(str::to_owned);
        let put = move |rules: &mut Vec<Rule>, rule: Rule| {
            if !rules.iter().any(|known| known.name == rule.name) {
                return add(rules, rule, after);
            }
            let name = rule.name.clone();
            replace(rules, rule)?;
            if after.is_some() { relocate(rules, name, after) } else { Ok(()) }
        };
        self.keep_rule(owner, set, rule, put).await
    }

    async fn keep_rule(
        &self,
        owner: &Scope,
        set: &str,
        rule: Rule,
        keep: impl FnOnce(&mut Vec<Rule>, Rule) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        check_name("ruleName", &rule.name)?;
        let needs = check(&rule).and_then(|()| self.needs(&rule));
        let kept = rule.clone();
        self.change(owner, set, needs, move |rules| keep(rules, rule)).await?;
        own_rules::warn(self.reach(), owner, set, &kept);
        Ok(())
    }

    /// Removes a rule; one that does not exist is fine.
    pub async fn delete_rule(&self, owner: &Scope, set: &str, name: &str) -> Result<(), Error> {
        check_name("ruleSetName", set).and_then(|()| check_name("ruleName", name))?;
        let name = name.to_owned();
        self.change(owner, set, Ok(Needs::default()), move |rules| {
            rules.retain(|rule| rule.name != name);
            Ok(())
        })
        .await
    }

    /// One rule.
    pub async fn rule(&self, owner: &Scope, set: &str, name: &str) -> Result<Rule, Error> {
        check_name("ruleSetName", set).and_then(|()| check_name("ruleName", name))?;
        let rules = self.rule_set(owner, set).await?.rules;
        rules.into_iter().find(|rule| rule.name == name).ok_or_else(|| Error::RuleMissing(name.to_owned()))
    }

    /// Moves a rule behind the rule `after`, or to the front where none is named.
    pub async fn move_rule(&self, owner: &Scope, set: &str, name: &str, after: Option<&str>) -> Result<(), Error> {
        check_name("ruleSetName", set).and_then(|()| check_name("ruleName", name))?;
        let (name, after) = (name.to_owned(), after.map(str::to_owned));
        self.change(owner, set, Ok(Needs::default()), move |rules| relocate(rules, name, after)).await
    }

    /// Orders the rules as `names` says, which must name each rule of the set once.
    pub async fn reorder_rules(&self, owner: &Scope, set: &str, names: Vec<String>) -> Result<(), Error> {
        check_name("ruleSetName", set)?;
        self.change(owner, set, Ok(Needs::default()), move |rules| {
            // What is wrong is told in SES's order.
            let mut placed = HashSet::new();
            if let Some(twice) = names.iter().find(|name| !placed.insert(name.as_str())) {
                return Err(Error::Invalid(format!("Multiple positions found for rule: {}", one_line(twice))));
            }
            let all = rules.iter().map(|rule| rule.name.as_str());
            let left: Vec<&str> = all.filter(|name| !placed.contains(name)).collect();
            if !left.is_empty() {
                return Err(Error::Invalid(format!("Positions for rules not found: {}", left.join(", "))));
            }
            let mut ordered = Vec::with_capacity(rules.len());
            for name in names {
                let Some(at) = rules.iter().position(|rule| rule.name == name) else {
                    return Err(Error::RuleMissing(name));
                };
                ordered.push(rules.remove(at));
            }
            *rules = ordered;
            Ok(())
        })
        .await
    }

    /// Seals the secrets of rules that are stored under an earlier master key.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn seal_secrets(&self) -> Result<(), Error> {
        let sets = receipt_rules::with_sealed(&mut self.store().reader().await?).await?;
        for (account, region, name) in sets {
            let found =
                receipt_rules::find::<Rules>(&mut self.store().reader().await?, &account, &region, &name).await?;
            let Some(found) = found else { continue };
            match found.rules.read() {
                Ok(rules) if own_rules::are_up_to_date(self.store().vault(), &rules) => continue,
                Ok(_) => {}
                // The start goes on: the mails of this account alone wait.
                Err(error) => {
                    tracing::error!(%account, %region, rule_set = name, %error, "a rule set cannot be read: it is not sealed");
                    continue;
                }
            }
            match self.change(&Scope { account, region }, &name, Ok(Needs::default()), |_| Ok(())).await {
                Err(Error::RuleSetMissing(_)) => {}
                changed => changed?,
            }
        }
        Ok(())
    }

    /// Changes a rule set's rules in one transaction that holds it.
    async fn change(
        &self,
        owner: &Scope,
        set: &str,
        needs: Result<Needs, Error>,
        change: impl FnOnce(&mut Vec<Rule>) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        let (owner, set) = (owner.clone(), set.to_owned());
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let Scope { account, region } = &owner;
                    let row = receipt_rules::hold(tx, account, region, &set).await?;
                    let before: Json<Rules> = row.ok_or_else(|| Error::RuleSetMissing(set.clone()))?.rules;
                    let mut rules = before.read()?;
                    // SES looks at the actions last.
                    change(&mut rules)?;
                    needs?.check(tx, &owner).await?;
                    own_rules::seal_secrets(tx, &mut rules)?;
                    let rules = Json::of(&rules)?;
                    // One that is larger already may become smaller.
                    if rules.text().len() > MAX_SET_OCTETS.max(before.text().len()) {
                        let most = format!("the rules of a rule set can have at most {MAX_SET_OCTETS} octets together");
                        return Err(Error::LimitExceeded(most));
                    }
                    Ok(receipt_rules::set_rules(tx, account, region, &set, &rules).await?)
                })
            })
            .await
    }
}

/// The active rule set, if one is.
pub(in crate::mail::receiving) async fn active(tx: &mut Tx, owner: &Scope) -> Result<Option<RuleSet>, Error> {
    let Some(name) = receipt_rules::active(tx, &owner.account, &owner.region).await? else { return Ok(None) };
    let row = receipt_rules::find(tx, &owner.account, &owner.region, &name).await?;
    row.map(read).transpose()
}

fn read(row: receipt_rules::RuleSet<Rules>) -> Result<RuleSet, Error> {
    let (rules, octets) = (row.rules.read()?, row.rules.text().len());
    Ok(RuleSet { name: row.name, created_at: row.created_at, rules, octets })
}

fn add(rules: &mut Vec<Rule>, mut rule: Rule, after: Option<String>) -> Result<(), Error> {
    own_rules::keep_secrets(&mut rule, None)?;
    if rules.iter().any(|known| known.name == rule.name) {
        return Err(Error::RuleExists(rule.name));
    }
    if rules.len() >= MAX_RULES {
        return Err(Error::LimitExceeded("Too many rules".to_owned()));
    }
    let at = place_after(rules, after)?;
    rules.insert(at, rule);
    Ok(())
}

fn replace(rules: &mut [Rule], mut rule: Rule) -> Result<(), Error> {
    let Some(known) = rules.iter_mut().find(|known| known.name == rule.name) else {
        return Err(Error::RuleMissing(rule.name));
    };
    own_rules::keep_secrets(&mut rule, Some(known))?;
    *known = rule;
    Ok(())
}

fn relocate(rules: &mut Vec<Rule>, name: String, after: Option<String>) -> Result<(), Error> {
    let Some(from) = rules.iter().position(|rule| rule.name == name) else {
        return Err(Error::RuleMissing(name));
    };
    if after.as_ref() == Some(&name) {
        return Ok(());
    }
    let rule = rules.remove(from);
    let at = place_after(rules, after)?;
    rules.insert(at, rule);
    Ok(())
}

fn place_after(rules: &[Rule], after: Option<String>) -> Result<usize, Error> {
    match after {
        None => Ok(0),
        Some(after) => match rules.iter().position(|rule| rule.name == after) {
            Some(at) => Ok(at + 1),
            None => Err(Error::RuleMissing(after)),
        },
    }
}
