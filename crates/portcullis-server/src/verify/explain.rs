//! Why a decision is what it is: the nine rules in their order, and what each compared.
//!
//! The outcomes follow from the decision itself, so an explanation can never disagree with it; only the words are made here.

use std::cmp::Ordering;

use portcullis_api::time::Time;
use portcullis_api::verify::Explained;
use portcullis_core::decision::{Ask, Concerned, Decision, Denial};
use portcullis_core::keyring::Key;
use portcullis_core::permission::{Catalogue, Grant, Permission, PermissionSet};
use portcullis_core::time::Timestamp;

use super::Standing;

const RULES: [&str; 9] =
    ["token", "key", "life", "owner", "address", "rate_limit", "business", "permission", "user_management"];

pub(super) fn explain(
    decision: &Decision<'_>,
    ask: &Ask,
    catalogue: &Catalogue,
    standing: Option<&Standing<'_>>,
    now: Timestamp,
) -> Vec<Explained> {
    let failed = decision.denial.map_or(usize::MAX, Denial::rule);
    // A quota is a part of rule 6, and is asked when the others have passed.
    let asked_last = decision.denial == Some(Denial::Quota);
    let explained = |(number, rule): (usize, &&str)| {
        let detail = || match number {
            6 => limits(standing),
            _ => detail(number, decision, ask, catalogue, now),
        };
        let (outcome, detail) = match number.cmp(&failed) {
            Ordering::Less => ("passed", detail()),
            Ordering::Equal => ("failed", detail()),
            Ordering::Greater if asked_last => ("passed", detail()),
            Ordering::Greater => ("skipped", "an earlier rule failed".to_owned()),
        };
        Explained { rule: (*rule).to_owned(), outcome: outcome.to_owned(), detail }
    };
    (1..).zip(&RULES).map(explained).collect()
}

fn detail(number: usize, decision: &Decision<'_>, ask: &Ask, catalogue: &Catalogue, now: Timestamp) -> String {
    let key = match (number, decision.key) {
        (1, key) => {
            let passed = key.is_some() || decision.denial.is_none_or(|denial| denial.rule() > 1);
            return if passed {
                "prefix, length, alphabet and checksum are right"
            } else {
                "prefix, length, alphabet or checksum is wrong"
            }
            .to_owned();
        }
        (_, None) => return "no key has this token".to_owned(),
        (_, Some(key)) => key,
    };
    match number {
        2 => format!("{} ({})", key.id(), key.environment().name()),
        3 => {
            let at = |time: Option<Timestamp>| time.map_or_else(|| "never".to_owned(), |time| Time(time).to_string());
            format!("revoked_at: {}; expires_at: {}; now: {}", at(key.revoked_at()), at(key.expires_at()), Time(now))
        }
        4 => format!("{} is {}", key.user(), if key.owner_is_disabled() { "disabled" } else { "active" }),
        5 => address(&key, ask),
        7 => business(&key, ask),
        8 => match (ask.unruled, ask.permission) {
            (Some(unruled), _) => unruled.to_string(),
            (None, Some(asked)) => permission(&key, ask, asked, catalogue),
            (None, None) => "no permission was asked for".to_owned(),
        },
        _ => match (ask.user_management, key.user_management()) {
            (false, _) => "the request is not for the owner's account".to_owned(),
            (true, has) => format!("the request is for the owner's account; user_management: {has}"),
        },
    }
}

fn limits(standing: Option<&Standing<'_>>) -> String {
    let Some(standing) = standing else { return "no limit is enforced on the key".to_owned() };
    let Standing { name, limit, remaining, reset_seconds, .. } = standing;
    let stands = format!("the tightest is `{name}`: {remaining} of {limit} left, more in {reset_seconds} s");
    match standing.retry_after_seconds {
        Some(0) => stands,
        Some(seconds) => format!("{stands}; there is room in {seconds} s"),
        None => format!("{stands}; it never lets in so much at once"),
    }
}

fn address(key: &Key<'_>, ask: &Ask) -> String {
    let Some(list) = key.allow_list() else { return "the key has no allow-list".to_owned() };
    let from = ask
        .address
        .map_or_else(|| "an address that was not told".to_owned(), |address| address.to_canonical().to_string());
    let list = list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!("from {from}; allowed: {list}")
}

fn business(key: &Key<'_>, ask: &Ask) -> String {
    let named = match ask.business {
        Concerned::None => return "no business was named".to_owned(),
        Concerned::Nonexistent => return "what was named is no business id".to_owned(),
        Concerned::One(named) => named,
    };
    let scope = match key.scope() {
        None => "unrestricted".to_owned(),
        Some(only) => format!("only {}", only.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    };
    let member = if key.role_in(named).is_some() { "is a member" } else { "is not a member" };
    let disabled = key.reach_into(named).is_some_and(|place| place.disabled);
    format!("{named}; scope: {scope}; the owner {member}{}", if disabled { "; the business is disabled" } else { "" })
}

fn permission(key: &Key<'_>, ask: &Ask, asked: Permission, catalogue: &Catalogue) -> String {
    let names = |set: PermissionSet| catalogue.names(set).collect::<Vec<_>>().join(", ");
    let granted = match key.grant() {
        Grant::Inherit => "inherit".to_owned(),
        Grant::List(list) => names(list),
    };
    let name = catalogue.name(asked);
    if let Concerned::One(business) = ask.business {
        let role = key.role_in(business).unwrap_or(PermissionSet::EMPTY);
        return format!("{name}; the key was given: {granted}; the owner's role allows it: {}", role.contains(asked));
    }
    let places = key.reach().filter(|place| !place.disabled && place.permissions.contains(asked)).count();
    format!("{name}; the key was given: {granted}; businesses where key and role grant it: {places}")
}
