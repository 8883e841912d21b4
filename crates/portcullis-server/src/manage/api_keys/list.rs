//! Lists of keys: a user's, and those that reach a business.

use portcullis_api::api_keys::{ListApiKeys, ListApiKeysOfBusiness};
use portcullis_core::scope::{Account, Tenant};

use super::ApiKey;
use crate::app::App;
use crate::error::Error;
use crate::manage::paging::Listing;
use crate::store::api_key_lists::{KeyFilter, Listed};

/// The longest part of a name that a list is searched for, in characters.
const LONGEST_SEARCH: usize = 100;

/// A page of a user's keys, newest first.
pub(crate) async fn list(
    app: &App,
    account: &Account,
    query: &ListApiKeys,
) -> Result<(Vec<ApiKey>, Option<String>), Error> {
    let filter = KeyFilter {
        status: status(query.status.as_deref())?,
        business: id("business_id", query.business_id.as_deref())?,
        user: None,
        name: name(query.q.as_deref())?,
    };
    let listing = Listing::new(app, &["api_keys", &account.user().to_string(), &format!("{filter:?}")]);
    let slice = listing.slice(query.limit.as_deref(), query.cursor.as_deref())?;
    // A list of nobody's keys would look like a user without keys.
    app.store.user(account).await?;
    let page = app.store.api_keys(account, &filter, app.clock.now(), &slice).await?;
    Ok(listing.page_of((page.keys, page.looked_until), &slice, |key| key.id.to_string()))
}

/// A page of all keys that reach a business, newest first.
pub(crate) async fn list_of_business(
    app: &App,
    tenant: &Tenant,
    query: &ListApiKeysOfBusiness,
) -> Result<(Vec<ApiKey>, Option<String>), Error> {
    let user: Option<portcullis_core::id::UserId> = id("user_id", query.user_id.as_deref())?;
    let filter = KeyFilter {
        status: status(query.status.as_deref())?,
        business: None,
        user: user.map(|id| id.to_string()),
        name: name(query.q.as_deref())?,
    };
    let business = tenant.business().to_string();
    let listing = Listing::new(app, &["api_keys_of_business", &business, &format!("{filter:?}")]);
    let slice = listing.slice(query.limit.as_deref(), query.cursor.as_deref())?;
    app.store.business(tenant).await?;
    let page = app.store.api_keys_of_business(tenant, &filter, app.clock.now(), &slice).await?;
    Ok(listing.page_of((page.keys, page.looked_until), &slice, |key| key.id.to_string()))
}

fn status(name: Option<&str>) -> Result<Option<Listed>, Error> {
    let wrong = || Error::Invalid("`status` is `active`, `expired`, `revoked` or `ended`.".to_owned());
    name.map(|name| Listed::from_name(name).ok_or_else(wrong)).transpose()
}

fn id<T: std::str::FromStr<Err = portcullis_core::id::NotAnId>>(
    name: &str,
    text: Option<&str>,
) -> Result<Option<T>, Error> {
    let wrong = |error| Error::Invalid(format!("`{name}`: {error}."));
    text.map(|text| text.parse().map_err(wrong)).transpose()
}

fn name(part: Option<&str>) -> Result<Option<String>, Error> {
    match part {
        Some(part) if part.is_empty() || part.chars().count() > LONGEST_SEARCH => {
            Err(Error::Invalid(format!("`q` is a part of a name: 1 to {LONGEST_SEARCH} characters.")))
        }
        part => Ok(part.map(str::to_owned)),
    }
}
