//! The first user and the first operator key, without whom nobody could make any other.

use std::sync::{Mutex, PoisonError};

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use portcullis_api::api_keys::CreateApiKey;
use portcullis_api::businesses::CreateBusiness;
use portcullis_api::secret::SecretText;
use portcullis_api::users::CreateUser;
use portcullis_core::audit::{Actor, Origin};
use portcullis_core::dice::Dice;
use portcullis_core::id::{ApiKeyId, BusinessId, OperatorKeyId, UserId};
use portcullis_core::operator::{OperatorGrant, OperatorGrants};
use portcullis_core::scope::Caller;
use portcullis_core::time::Timestamp;
use subtle::ConstantTimeEq;

use super::sessions::{self, Begun};
use super::{Editing, api_keys, businesses, operator_keys, passwords, users};
use crate::app::App;
use crate::error::Error;

/// Who the first user is to be.
#[derive(Debug, Clone)]
pub struct FirstUser {
    pub email: String,
    pub name: Option<String>,
    /// Where there is none, one is made.
    pub password: Option<SecretText>,
}

/// What an empty store was given. The secrets are here and nowhere else.
#[derive(Debug)]
pub struct Initialised {
    pub user_id: UserId,
    pub operator_key_id: OperatorKeyId,
    pub operator_token: SecretText,
    /// The password that was made, where none was given.
    pub password: Option<SecretText>,
    grants: OperatorGrants,
}

/// Something to try Portcullis with.
#[derive(Debug)]
pub struct Sample {
    pub business_ids: Vec<BusinessId>,
    pub api_key_id: ApiKeyId,
    pub token: SecretText,
}

/// Why a store was not set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("this store has users already: it is set up, and tokens are shown only once")]
    AlreadyInitialised,
    #[error("{0}")]
    Refused(String),
}

impl From<Error> for SetupError {
    fn from(error: Error) -> Self {
        Self::Refused(match error {
            Error::Validation(errors) => {
                errors.iter().map(|error| format!("{} {}", error.pointer, error.detail)).collect::<Vec<_>>().join("; ")
            }
            Error::Internal(cause) | Error::Unavailable(cause) => cause,
            other => other.to_string(),
        })
    }
}

/// How long the code of the set-up page works.
const CODE_MILLIS: i64 = 3_600_000;

/// The code that whoever sees the server's console has, and nobody else; there is one where the store had no user at the start.
#[derive(Debug, Default)]
pub(crate) struct SetupCode(Mutex<Option<(SecretText, Timestamp)>>);

impl SetupCode {
    pub(crate) fn make(dice: &dyn Dice, now: Timestamp) -> Self {
        let mut bytes = [0; 10];
        dice.fill(&mut bytes);
        Self(Mutex::new(Some((SecretText::new(BASE32_NOPAD.encode(&bytes)), now.plus_millis(CODE_MILLIS)))))
    }

    /// The code, as it is printed: in groups of four.
    pub(crate) fn text(&self) -> Option<String> {
        let code = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (code, _) = code.as_ref()?;
        let groups = code.expose().as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned());
        Some(groups.collect::<Vec<_>>().join("-"))
    }

    pub(crate) fn is_open(&self, now: Timestamp) -> bool {
        let code = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        code.as_ref().is_some_and(|(_, ends)| now < *ends)
    }

    fn is_right(&self, said: &str, now: Timestamp) -> bool {
        let said: String = said.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
        let code = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let right = |code: &SecretText| bool::from(code.expose().as_bytes().ct_eq(said.as_bytes()));
        code.as_ref().is_some_and(|(code, ends)| now < *ends && right(code))
    }

    fn close(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Who the first user makes themselves, on the set-up page.
#[derive(Debug)]
pub(crate) struct FirstPerson {
    pub(crate) code: String,
    pub(crate) email: String,
    pub(crate) name: Option<String>,
    pub(crate) password: SecretText,
}

/// Makes the first user by the one-time code that the server printed, a platform admin, and signs them in.
pub(crate) async fn first_person(
    app: &App,
    origin: Origin,
    user_agent: Option<&str>,
    wanted: &FirstPerson,
) -> Result<Begun, Error> {
    let now = app.clock.now();
    // Counted for each address by itself, so that nobody keeps the one who has the code from entering it.
    let whose = format!("setup {:?}", origin.address);
    app.attempts.begin(&whose, origin.address, now)?;
    if !app.setup.is_right(&wanted.code, now) {
        return Err(Error::field(
            "/code",
            "is not the code that the server printed, or it has run out: restart the server for another",
        ));
    }
    let hash = passwords::hash(app, &wanted.password, "/password").await?;
    let mut editing = Editing::begin_as(app, Actor::Setup, origin).await?;
    if editing.rows.any_user().await? {
        return Err(Error::Conflict("This server is set up already: sign in.".to_owned()));
    }
    let user = CreateUser { email: wanted.email.clone(), name: wanted.name.clone() };
    let user = users::insert(app, &mut editing, &user, Some(hash), true).await?;
    editing.is_by(user.id);
    let (begun, _) = sessions::open(app, &mut editing, origin.address, user_agent, user.id).await?;
    editing.commit().await?;
    app.attempts.succeeded(&whose, origin.address);
    app.setup.close();
    Ok(begun)
}

/// Makes the first user, a platform admin, and an operator key with every grant. Refuses a store that has a user.
pub async fn initialise(app: &App, first: FirstUser) -> Result<Initialised, SetupError> {
    let made = first.password.is_none().then(|| make_password(&app.dice));
    let password = first.password.or_else(|| made.clone()).unwrap_or_else(|| make_password(&app.dice));
    if let Some(wrong) = passwords::unfit(&password) {
        return Err(SetupError::Refused(format!("the password {wrong}")));
    }
    let hash = passwords::keep(app, &password).await?;
    let mut editing = Editing::begin_setup(app).await?;
    if editing.rows.any_user().await.map_err(Error::from)? {
        return Err(SetupError::AlreadyInitialised);
    }
    let wanted = CreateUser { email: first.email, name: first.name };
    let user = users::insert(app, &mut editing, &wanted, Some(hash), true).await?;
    let grants = OperatorGrant::ALL.to_vec();
    let (key, token) = operator_keys::insert(app, &mut editing, "First operator key", grants).await?;
    editing.commit().await?;
    Ok(Initialised {
        user_id: user.id,
        operator_key_id: key.id,
        operator_token: (&token).into(),
        password: made,
        grants: key.grants.into_iter().collect(),
    })
}

/// Two businesses and an unrestricted key for a store that was just initialised, made as its operator would make them.
pub async fn add_sample(app: &App, first: &Initialised) -> Result<Sample, SetupError> {
    let caller = Caller::Operator { id: first.operator_key_id, grants: first.grants };
    let origin = Origin::default();
    let mut business_ids = Vec::new();
    for name in ["Dental Clinic", "Bike Shop"] {
        let wanted = CreateBusiness { name: name.to_owned(), owner_id: Some(first.user_id.to_string()) };
        business_ids.push(businesses::create(app, &caller, origin, None, wanted).await?.id);
    }
    let account = caller.account(first.user_id, OperatorGrant::KeysWrite).ok_or(Error::NotFound)?;
    let wanted = CreateApiKey { name: "Quickstart".to_owned(), user_management: Some(true), ..CreateApiKey::default() };
    let (key, token) = api_keys::create(app, &caller, &account, origin, None, wanted).await?;
    let token =
        token.as_ref().map(Into::into).ok_or_else(|| SetupError::Refused("the sample key has no token".to_owned()))?;
    Ok(Sample { business_ids, api_key_id: key.id, token })
}

fn make_password(dice: &dyn Dice) -> SecretText {
    let mut bytes = [0; 15];
    dice.fill(&mut bytes);
    SecretText::new(BASE64URL_NOPAD.encode(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemDice;

    #[test]
    fn attack_47_the_code_of_the_set_up_page_expires_and_works_once() {
        let at = Timestamp::from_millis;
        let code = SetupCode::make(&SystemDice, at(0));
        let text = code.text().unwrap();
        let almost = if text.starts_with('A') { text.replacen('A', "B", 1) } else { format!("A{}", &text[1..]) };
        assert!(
            code.is_right(&text, at(0)) && code.is_right(&text.to_lowercase().replace('-', " "), at(CODE_MILLIS - 1))
        );
        for wrong in [almost.as_str(), "", "-", &text[..text.len() - 1], &format!("{text}A"), "ÄÄÄÄ-ÄÄÄÄ"] {
            assert!(!code.is_right(wrong, at(0)), "{wrong}");
        }
        assert!(!code.is_right(&text, at(CODE_MILLIS)) && !code.is_open(at(CODE_MILLIS)));
        code.close();
        assert!(!code.is_right(&text, at(0)) && code.text().is_none());
        assert!(!SetupCode::default().is_right("", at(0)), "where there is a user, no text is the code");
    }
}
