//! The first user and the first operator key, without whom nobody could make any other.

use data_encoding::BASE64URL_NOPAD;
use portcullis_api::api_keys::CreateApiKey;
use portcullis_api::businesses::CreateBusiness;
use portcullis_api::secret::SecretText;
use portcullis_api::users::CreateUser;
use portcullis_core::audit::Origin;
use portcullis_core::dice::Dice;
use portcullis_core::id::{ApiKeyId, BusinessId, OperatorKeyId, UserId};
use portcullis_core::operator::{OperatorGrant, OperatorGrants};
use portcullis_core::scope::Caller;

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
        business_ids.push(businesses::create(app, &caller, origin, wanted).await?.id);
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
