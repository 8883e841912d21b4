//! Who did something, in words: a name where the visitor may know it.

use std::collections::HashMap;

use portcullis_core::audit::ChainedEvent;
use portcullis_core::id::UserId;
use portcullis_core::operator::OperatorGrant;

use super::frame::Visitor;
use crate::app::App;
use crate::error::Error;
use crate::manage::users;

/// Names that were looked up already.
#[derive(Debug, Default)]
pub(crate) struct Names(HashMap<String, String>);

impl Names {
    /// The names of people whom the visitor knows.
    pub(crate) fn of(known: impl Iterator<Item = (UserId, String)>) -> Self {
        Self(known.map(|(id, name)| (id.to_string(), name)).collect())
    }

    /// The name of a user by their id, or the id.
    pub(crate) async fn of_user(&mut self, app: &App, visitor: &Visitor, id: &str) -> Result<String, Error> {
        if id == visitor.user.id.to_string() {
            return Ok("You".to_owned());
        }
        if let Some(name) = self.0.get(id) {
            return Ok(name.clone());
        }
        let account = id.parse().ok().and_then(|user: UserId| visitor.caller.account(user, OperatorGrant::UsersRead));
        let name = match account {
            Some(account) => match users::show(app, &account).await {
                Ok(user) => user.name,
                Err(Error::NotFound) => id.to_owned(),
                Err(error) => return Err(error),
            },
            None => "Somebody else".to_owned(),
        };
        self.0.insert(id.to_owned(), name.clone());
        Ok(name)
    }
}

/// Who made an event.
pub(crate) async fn actor(
    app: &App,
    visitor: &Visitor,
    event: &ChainedEvent,
    names: &mut Names,
) -> Result<String, Error> {
    let id = event.actor_id.as_deref().unwrap_or_default();
    Ok(match event.actor_kind.as_str() {
        "user" => names.of_user(app, visitor, id).await?,
        "api_key" => "An API key".to_owned(),
        "operator_key" => "An operator key".to_owned(),
        "system" => "A policy".to_owned(),
        "setup" => "Set-up".to_owned(),
        _ => "Nobody signed in".to_owned(),
    })
}
