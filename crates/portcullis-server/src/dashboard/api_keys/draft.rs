//! The form of a key to be: what is in its fields, what they ask for, and that in one sentence.

use portcullis_api::api_keys::{BusinessScopeText, CreateApiKey, Permissions};
use portcullis_api::time::Time;
use portcullis_core::time::Timestamp;

use crate::dashboard::form::Fields;
use crate::dashboard::words;
use crate::manage::businesses::Business;

/// The fields of the form, as they were filled.
#[derive(Debug, Clone)]
pub(crate) struct KeyForm {
    pub(crate) name: String,
    pub(crate) environment: String,
    /// A number of days, `date` or `never`.
    pub(crate) expiry: String,
    pub(crate) date: String,
    /// `unrestricted` or `only`.
    pub(crate) scope: String,
    pub(crate) businesses: Vec<String>,
    /// `inherit` or `list`.
    pub(crate) grant: String,
    pub(crate) permissions: Vec<String>,
    pub(crate) user_management: bool,
    pub(crate) allowed_ips: String,
}

impl KeyForm {
    /// The form before anybody has filled it: a key that ends, and that is given what it needs.
    pub(crate) fn empty() -> Self {
        Self {
            name: String::new(),
            environment: "live".to_owned(),
            expiry: "90".to_owned(),
            date: String::new(),
            scope: "unrestricted".to_owned(),
            businesses: Vec::new(),
            grant: "list".to_owned(),
            permissions: Vec::new(),
            user_management: false,
            allowed_ips: String::new(),
        }
    }

    pub(crate) fn read(fields: &Fields) -> Self {
        Self {
            name: fields.text("name").to_owned(),
            environment: fields.text("environment").to_owned(),
            expiry: fields.text("expiry").to_owned(),
            date: fields.text("date").to_owned(),
            scope: fields.text("scope").to_owned(),
            businesses: fields.list("businesses"),
            grant: fields.text("grant").to_owned(),
            permissions: fields.list("permissions"),
            user_management: fields.is_ticked("user_management"),
            allowed_ips: fields.text("allowed_ips").to_owned(),
        }
    }

    /// What the fields ask for. What they do not say is left for the server to refuse, in its own words.
    pub(crate) fn wanted(&self, now: Timestamp) -> CreateApiKey {
        let only = || BusinessScopeText::Only(self.businesses.clone());
        CreateApiKey {
            name: self.name.clone(),
            environment: Some(self.environment.clone()),
            expires_at: self.expires_at(now),
            // Whatever is not said to be unrestricted is not.
            business_scope: Some(if self.scope == "unrestricted" { BusinessScopeText::Unrestricted } else { only() }),
            user_management: Some(self.user_management),
            permissions: Some(match self.grant.as_str() {
                "inherit" => Permissions::Inherit,
                _ => Permissions::List(self.permissions.clone()),
            }),
            allowed_ips: Some(addresses(&self.allowed_ips)),
            metadata: None,
        }
    }

    fn expires_at(&self, now: Timestamp) -> Option<String> {
        match self.expiry.as_str() {
            "never" => None,
            "date" => Some(end_of(&self.date)),
            days => Some(days.parse().map_or_else(|_| days.to_owned(), |days| Time(now.plus_days(days)).to_string())),
        }
    }

    /// What the key will be able to do, for how long, in a sentence or a few.
    pub(crate) fn summary(&self, known: &[Business], now: Timestamp, own: bool) -> Vec<String> {
        let kind = if self.environment == "test" { "test key" } else { "key" };
        let can = match (self.grant.as_str(), self.permissions.as_slice()) {
            ("inherit", _) if own => "do whatever you may do yourself, today and later,".to_owned(),
            ("inherit", _) => "do whatever its owner may do, today and later,".to_owned(),
            (_, []) => return vec!["Choose at least one permission to see what this key can do.".to_owned()],
            (_, names) => words::permissions(names).replace("; ", ", and "),
        };
        let of_id = |id: &String| known.iter().find(|business| business.id.to_string() == *id);
        let names: Vec<&str> =
            self.businesses.iter().filter_map(of_id).map(|business| business.name.as_str()).collect();
        let whose = match (self.scope.as_str(), names.as_slice()) {
            ("only" | "", []) => return vec!["Choose at least one business to see what this key can do.".to_owned()],
            ("only", names) => words::listed(names),
            _ if own => "every business of yours, today’s and later ones,".to_owned(),
            _ => "every business of its owner, today’s and later ones,".to_owned(),
        };
        let of = if self.grant == "inherit" { "in" } else { "of" };
        let until = match self.expires_at(now).map(|text| Time::parse(&text)) {
            None => "for ever, until somebody revokes it".to_owned(),
            Some(Ok(Time(at))) => format!("until {}", words::day(at)),
            Some(Err(_)) => return vec!["Choose a date to see what this key can do.".to_owned()],
        };
        let mut said = vec![format!("This {kind} can {can} {of} {whose} {until}.")];
        if self.user_management {
            said.push("It also opens the account of its owner: profile, keys and sessions.".to_owned());
        }
        let addresses = addresses(&self.allowed_ips);
        if !addresses.is_empty() {
            said.push(format!("It works only from {}.", words::listed(&addresses)));
        }
        said
    }
}

/// The last second of a day, for somebody who chose the day.
pub(super) fn end_of(date: &str) -> String {
    format!("{date}T23:59:59Z")
}

/// Addresses as people list them: a line each, or with commas.
pub(super) fn addresses(text: &str) -> Vec<String> {
    text.split(|letter: char| letter == ',' || letter.is_whitespace())
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use portcullis_core::id::BusinessId;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_203_000_000);

    fn clinic() -> Business {
        let id = BusinessId::from_bytes([7; 16]);
        Business { id, name: "Dental Clinic".to_owned(), created_at: NOW, disabled_at: None }
    }

    #[test]
    fn a_key_in_one_sentence() {
        let clinic = clinic();
        let form = KeyForm {
            scope: "only".to_owned(),
            businesses: vec![clinic.id.to_string()],
            permissions: vec!["calls:read".to_owned(), "contacts:read".to_owned()],
            expiry: "date".to_owned(),
            date: "2027-02-20".to_owned(),
            ..KeyForm::empty()
        };
        let known = [clinic];
        let said = |form: &KeyForm| form.summary(&known, NOW, true).join(" ");
        assert_eq!(said(&form), "This key can read calls and contacts of Dental Clinic until 20 February 2027.");
        let form = KeyForm {
            permissions: vec!["leads:write".to_owned(), "calls:read".to_owned()],
            expiry: "30".to_owned(),
            ..form
        };
        assert_eq!(said(&form), "This key can read calls, and write leads of Dental Clinic until 20 December 2026.");
        let form = KeyForm {
            grant: "inherit".to_owned(),
            scope: "unrestricted".to_owned(),
            expiry: "never".to_owned(),
            user_management: true,
            allowed_ips: "10.0.0.0/8\n1.2.3.4".to_owned(),
            ..form
        };
        assert_eq!(
            said(&form),
            "This key can do whatever you may do yourself, today and later, in every business of yours, today’s and later ones, \
             for ever, until somebody revokes it. It also opens the account of its owner: profile, keys and sessions. \
             It works only from 10.0.0.0/8 and 1.2.3.4."
        );
    }
}
