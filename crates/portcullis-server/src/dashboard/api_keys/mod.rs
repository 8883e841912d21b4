//! API keys: the list, making one, and all that can be known and done about one.

pub(crate) mod create;
pub(crate) mod draft;
pub(crate) mod edit;
pub(crate) mod explain;
pub(crate) mod list;
pub(crate) mod revoke;
pub(crate) mod rotate;
pub(crate) mod show;
pub(crate) mod token;

use portcullis_api::envelope::PageQuery;
use portcullis_core::id::{ApiKeyId, BusinessId};
use portcullis_core::permission::PermissionSet;
use portcullis_core::scope::{Account, BusinessScope};
use portcullis_core::time::Timestamp;

use super::chart::Sparkline;
use super::frame::Visitor;
use super::lists::Walk;
use super::words::{self, When};
use crate::app::App;
use crate::error::Error;
use crate::manage::api_keys::{self, ApiKey, Shown, Status};
use crate::manage::businesses::{self, Business, Whose};

/// A key that ends within so many days is marked.
const SOON_DAYS: i64 = 14;
/// A key that was not used for so many days is one to think about.
const UNUSED_DAYS: i64 = 60;

/// Where the keys of an account are: the visitor's own, or somebody's.
pub(super) fn place(visitor: &Visitor, account: &Account) -> String {
    if account.user() == visitor.user.id {
        "/api-keys".to_owned()
    } else {
        format!("/users/{}/api-keys", account.user())
    }
}

/// A key that can still be edited, rotated or revoked; of one that cannot, its own page says why.
pub(super) async fn live(
    app: &App,
    visitor: &Visitor,
    account: &Account,
    id: ApiKeyId,
) -> Result<Option<ApiKey>, Error> {
    let key = api_keys::show(app, account, id).await?;
    Ok((key.status(visitor.now) == Status::Active).then_some(key))
}

/// The businesses that an account is a member of.
pub(super) async fn businesses_of(app: &App, account: &Account) -> Result<Vec<Business>, Error> {
    let (whose, mut walk) = (Whose::Members(*account), Walk::all());
    while walk.goes_on() {
        let cursor = walk.cursor();
        walk.take(businesses::list(app, &whose, &PageQuery { limit: Some("100".to_owned()), cursor }).await?);
    }
    Ok(walk.rows)
}

/// What an account's owner may do in at least one of their businesses.
pub(super) fn held(app: &App, account: &Account) -> PermissionSet {
    let keyring = app.node.last_known();
    let roles = keyring.iter().flat_map(|keyring| keyring.roles_of(account.user()));
    roles.fold(PermissionSet::EMPTY, |held, (_, role)| held.or(role))
}

/// Something about a key that should be seen at a glance.
pub(crate) struct Mark {
    pub(crate) class: &'static str,
    pub(crate) label: &'static str,
}

/// A key as a row of a list, and at the head of its own page.
pub(crate) struct Row {
    pub(crate) href: Option<String>,
    pub(crate) name: String,
    pub(crate) hint: String,
    pub(crate) environment: &'static str,
    pub(crate) scope: String,
    pub(crate) permissions: String,
    pub(crate) user_management: bool,
    pub(crate) owner: Option<String>,
    pub(crate) created: When,
    pub(crate) last_used: Option<When>,
    pub(crate) last_address: Option<String>,
    pub(crate) expires: Option<When>,
    pub(crate) rotated: bool,
    pub(crate) marks: Vec<Mark>,
    pub(crate) calls: [String; 3],
    pub(crate) spark: Sparkline,
    pub(crate) status: &'static str,
    pub(crate) ended: Option<When>,
    /// Who ended it, and why.
    pub(crate) by: String,
    pub(crate) why: String,
}

impl Row {
    pub(super) fn new(app: &App, shown: &Shown, place: Option<&str>, known: &[Business], now: Timestamp) -> Self {
        let key = &shown.key;
        let when = |at| When::new(at, now);
        let status = key.status(now).name();
        let is_active = status == "active";
        let ended = key.revoked_at.or(key.expires_at.filter(|end| *end <= now));
        let due = key.created_at.plus_days(app.config.rotation_due_days.into());
        let ends_soon = is_active && key.expires_at.is_some_and(|end| end <= now.plus_days(SOON_DAYS));
        let rotated = key.rotated_to.is_some();
        let marks = [
            ends_soon.then_some(Mark { class: "warn", label: "ends soon" }),
            (rotated && is_active).then_some(Mark { class: "", label: "rotated" }),
            (is_active && !rotated && due <= now).then_some(Mark { class: "warn", label: "due for rotation" }),
        ];
        let why = match (&key.revoked_reason, key.rotated_to) {
            (Some(reason), _) => reason.clone(),
            (None, Some(_)) => "Rotated".to_owned(),
            (None, None) => String::new(),
        };
        Self {
            href: place.map(|place| format!("{place}/{}", key.id)),
            name: key.name.clone(),
            hint: format!("{}…{}", key.prefix, key.hint),
            environment: key.environment.name(),
            scope: scope(&key.scope, known),
            permissions: permissions(key),
            user_management: key.user_management,
            owner: None,
            created: when(key.created_at),
            last_used: shown.last_used.as_ref().map(|(at, _)| when(*at)),
            last_address: shown.last_used.as_ref().and_then(|(_, address)| address.clone()),
            expires: key.expires_at.map(when),
            rotated,
            marks: marks.into_iter().flatten().collect(),
            calls: shown.used.map(words::number),
            spark: Sparkline::new(&shown.by_day),
            status,
            ended: ended.map(when),
            by: String::new(),
            why,
        }
    }
}

/// Which businesses a key reaches, in words.
pub(super) fn scope(scope: &BusinessScope, known: &[Business]) -> String {
    let BusinessScope::Only(only) = scope else { return "All businesses".to_owned() };
    let names: Vec<&str> = only.iter().map(|id| name_of(*id, known)).collect();
    match names.as_slice() {
        [] => "No business".to_owned(),
        [one, two, three, rest @ ..] if !rest.is_empty() => format!("{one}, {two}, {three} and {} more", rest.len()),
        all => words::listed(all),
    }
}

pub(super) fn name_of(id: BusinessId, known: &[Business]) -> &str {
    known.iter().find(|business| business.id == id).map_or("another business", |business| &business.name)
}

/// What a key allows, in words.
pub(super) fn permissions(key: &ApiKey) -> String {
    match &key.permissions {
        None => "All that its owner may do".to_owned(),
        Some(names) => words::capital(&words::permissions(names)),
    }
}
