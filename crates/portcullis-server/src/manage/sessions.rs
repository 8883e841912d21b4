//! Sessions: signing in with a password, and ending what was begun.

use std::net::IpAddr;

use portcullis_api::sessions::{ChangePassword, SignIn};
use portcullis_core::audit::{Actor, AuditAction, AuditEvent, Origin};
use portcullis_core::decision::Denial;
use portcullis_core::id::{SessionId, UserId};
use portcullis_core::operator::OperatorGrant;
use portcullis_core::scope::{Account, Caller};
use portcullis_core::time::Timestamp;
use portcullis_core::token::{Environment, Token, TokenPrefix, WellFormed};
use serde_json::json;

use super::{Editing, passwords};
use crate::app::App;
use crate::error::Error;
use crate::store::again;
pub(crate) use crate::store::sessions::Session;
use crate::store::users::User;

/// The most sessions of one user that a list shows.
const SHOWN: i64 = 100;
/// The most characters of a browser's name that are kept.
const USER_AGENT: usize = 200;
/// How often it is written down that a session is in use.
const SEEN_EVERY_MILLIS: i64 = 60_000;

/// A session that was begun. The cookie's token is here and nowhere else.
pub(crate) struct Begun {
    pub(crate) session: Session,
    pub(crate) token: Token,
    pub(crate) user: User,
}

/// Signs in. Whoever is told no is told the same, and as late, whether or not there is such an account.
pub(crate) async fn begin(
    app: &App,
    origin: Origin,
    user_agent: Option<&str>,
    wanted: &SignIn,
) -> Result<Begun, Error> {
    let email = wanted.email.trim();
    app.attempts.begin(email, origin.address, app.clock.now())?;
    let known = app.store.sign_in(email).await?;
    let hash = known.as_ref().and_then(|known| known.password_hash.clone());
    let outdated = hash.as_deref().is_some_and(passwords::is_outdated);
    let right = passwords::is_right(app, &wanted.password, hash).await?;
    let tried = known.as_ref().map(|known| known.user);
    let Some(known) = known.filter(|_| right) else {
        refused(app, origin, tried).await?;
        return Err(Error::WrongPassword);
    };
    app.attempts.succeeded(email, origin.address);
    let rehashed = if outdated { Some(passwords::keep(app, &wanted.password).await?) } else { None };
    let mut editing = Editing::begin_as(app, Actor::User(known.user), origin).await?;
    let (begun, account) = open(app, &mut editing, origin.address, user_agent, known.user).await?;
    if let Some(hash) = rehashed {
        editing.rows.set_password_hash(&account, &hash).await?;
    }
    editing.commit().await?;
    Ok(begun)
}

/// Opens a session for a user who has just proved who they are. A disabled user gets none.
pub(super) async fn open(
    app: &App,
    editing: &mut Editing<'_>,
    address: Option<IpAddr>,
    user_agent: Option<&str>,
    user: UserId,
) -> Result<(Begun, Account), Error> {
    let now = editing.now;
    let token = Token::mint(&TokenPrefix::session(), Environment::Live, &app.dice);
    let visible = |text: &str| text.chars().filter(|letter| !letter.is_control()).take(USER_AGENT).collect();
    let mut session = Session {
        id: SessionId::new(now, &app.dice),
        user,
        platform_admin: false,
        user_disabled: false,
        created_at: now,
        last_seen_at: now,
        expires_at: Timestamp::from_millis(now.as_millis() + lifetime_millis(app)),
        ended_at: None,
        address: address.map(|address| address.to_canonical().to_string()),
        user_agent: user_agent.map(visible),
    };
    let account = own_account(user)?;
    let user = editing.rows.user(&account).await?;
    if user.disabled_at.is_some() {
        return Err(Error::denied(Denial::UserDisabled));
    }
    session.platform_admin = user.platform_admin;
    editing.rows.insert_session(&session, &app.pepper.digest_of_new(&token)).await?;
    let after = json!({"expires_at": session.expires_at, "user_agent": session.user_agent});
    editing.tell(event(AuditAction::SessionCreated, &session.id.to_string(), Some(user.id), Some(after)), None);
    Ok((Begun { session, token, user }, account))
}

/// The account of one who has just proved that it is theirs.
pub(super) fn own_account(user: UserId) -> Result<Account, Error> {
    let arrival = Caller::Arrival { user, invited_to: None };
    arrival.account(user, OperatorGrant::UsersWrite).ok_or(Error::SignedOut)
}

/// The session that a cookie's token is of, whether or not it still goes on.
pub(crate) async fn find(app: &App, token: &str) -> Result<Session, Error> {
    let token = WellFormed::parse(token, &TokenPrefix::session()).map_err(|_| Error::SignedOut)?;
    app.store.session_by_digest(&app.pepper.digest(&token)).await?.ok_or(Error::SignedOut)
}

/// Checks that a session goes on, and notes that it was used.
pub(crate) async fn go_on(app: &App, session: &Session) -> Result<(), Error> {
    let now = app.clock.now();
    check(app, session, now)?;
    if now.as_millis() - session.last_seen_at.as_millis() >= SEEN_EVERY_MILLIS {
        again!({
            let mut edit = app.store.write().await?;
            edit.touch_session(session.id, now).await?;
            edit.commit().await
        })?;
    }
    Ok(())
}

/// Whether a session goes on: nobody ended it, it has not run out, it was used lately, and its user is not disabled.
pub(crate) fn check(app: &App, session: &Session, now: Timestamp) -> Result<(), Error> {
    if session.user_disabled {
        return Err(Error::denied(Denial::UserDisabled));
    }
    if goes_on(app, session, now) { Ok(()) } else { Err(Error::SignedOut) }
}

fn goes_on(app: &App, session: &Session, now: Timestamp) -> bool {
    let idle_millis = now.as_millis() - session.last_seen_at.as_millis();
    session.ended_at.is_none() && now < session.expires_at && idle_millis < idle_limit_millis(app)
}

/// A user's sessions that go on, newest first.
pub(crate) async fn list(app: &App, account: &Account) -> Result<Vec<Session>, Error> {
    app.store.user(account).await?;
    let (mut sessions, now) = (app.store.sessions(account, SHOWN).await?, app.clock.now());
    sessions.retain(|session| goes_on(app, session, now));
    Ok(sessions)
}

/// Ends one session of a user, or all of them.
pub(crate) async fn end(
    app: &App,
    caller: &Caller,
    account: &Account,
    origin: Origin,
    one: Option<SessionId>,
) -> Result<(), Error> {
    let mut editing = Editing::begin(app, caller, origin, OperatorGrant::UsersWrite).await?;
    editing.rows.user(account).await?;
    let ended = end_all(&mut editing, account, one, None).await?;
    if one.is_some() && !ended {
        return Err(Error::NotFound);
    }
    editing.commit().await
}

/// Ends what goes on of a user's sessions, and tells whether there was any.
pub(super) async fn end_all(
    editing: &mut Editing<'_>,
    account: &Account,
    one: Option<SessionId>,
    kept: Option<SessionId>,
) -> Result<bool, Error> {
    let ended = editing.rows.end_sessions(account, one, kept, editing.now).await?;
    for id in &ended {
        editing.tell(event(AuditAction::SessionEnded, id, Some(account.user()), None), None);
    }
    Ok(!ended.is_empty())
}

/// Sets another password for one who knows the old one; every other session ends.
pub(crate) async fn change_password(
    app: &App,
    caller: &Caller,
    account: &Account,
    origin: Origin,
    wanted: &ChangePassword,
) -> Result<(), Error> {
    let Caller::User { id, session, .. } = *caller else { return Err(Error::SignedOut) };
    let name = id.to_string();
    app.attempts.begin(&name, origin.address, app.clock.now())?;
    let known = app.store.password_hash(account).await?;
    if !passwords::is_right(app, &wanted.current_password, known).await? {
        return Err(Error::field("/current_password", "is not your password"));
    }
    app.attempts.succeeded(&name, origin.address);
    let hash = passwords::hash(app, &wanted.new_password, "/new_password").await?;
    let mut editing = Editing::begin(app, caller, origin, OperatorGrant::UsersWrite).await?;
    set_password(&mut editing, account, &hash, Some(session)).await?;
    editing.commit().await
}

/// Writes a new password; whoever came in with the old one, or has a link to another, is out.
pub(super) async fn set_password(
    editing: &mut Editing<'_>,
    account: &Account,
    hash: &str,
    kept: Option<SessionId>,
) -> Result<(), Error> {
    editing.rows.set_password_hash(account, hash).await?;
    editing.rows.end_password_links(account, editing.now).await?;
    let user = account.user();
    editing.tell(event(AuditAction::PasswordSet, &user.to_string(), Some(user), None), None);
    end_all(editing, account, None, kept).await?;
    Ok(())
}

/// A sign-in that failed, for the log: whose account was tried, where there is one.
async fn refused(app: &App, origin: Origin, tried: Option<UserId>) -> Result<(), Error> {
    let mut editing = Editing::begin_as(app, Actor::Anonymous, origin).await?;
    // Not the text: somebody who types their password into the wrong field must not find it in the log.
    let target = tried.map_or_else(|| "unknown".to_owned(), |user| user.to_string());
    editing.tell(event(AuditAction::SessionRefused, &target, tried, None), None);
    editing.commit().await
}

fn lifetime_millis(app: &App) -> i64 {
    i64::from(app.config.sessions.lifetime_hours) * 3_600_000
}

fn idle_limit_millis(app: &App) -> i64 {
    i64::from(app.config.sessions.idle_minutes) * 60_000
}

fn event(action: AuditAction, target: &str, user: Option<UserId>, after: Option<serde_json::Value>) -> AuditEvent {
    AuditEvent { action, target: target.to_owned(), user, business: None, before: None, after }
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::phc::PasswordHash;
    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
    use portcullis_api::secret::SecretText;

    use super::*;
    use crate::clock::Clock;
    use crate::config::Config;
    use crate::setup::{self, FirstUser};

    /// A password that was hashed when less was asked for is hashed anew when its owner signs in, and goes on working.
    #[tokio::test]
    async fn a_hash_rises_with_the_parameters_when_its_owner_signs_in() {
        let directory = tempfile::TempDir::new().unwrap();
        let mut config = Config::read("", std::iter::empty()).unwrap();
        config.data = directory.path().join("store");
        config.pepper_file = config.data.join("pepper");
        let app = App::open(config, Clock::System).await.unwrap();
        let password = || SecretText::new("correct horse battery".to_owned());
        let first = FirstUser { email: "ann@example.com".to_owned(), name: None, password: Some(password()) };
        let ann = own_account(setup::initialise(&app, first).await.unwrap().user_id).unwrap();

        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
        let weak: PasswordHash = weak.hash_password_with_salt(b"correct horse battery", &[7; 16]).unwrap();
        let mut edit = app.store.write().await.unwrap();
        edit.set_password_hash(&ann, &weak.to_string()).await.unwrap();
        edit.commit().await.unwrap();
        let is_outdated = async || passwords::is_outdated(&app.store.password_hash(&ann).await.unwrap().unwrap());
        assert!(is_outdated().await);
        for _ in 0..2 {
            let wanted = SignIn { email: "ann@example.com".to_owned(), password: password() };
            assert!(begin(&app, Origin::default(), None, &wanted).await.is_ok());
            assert!(!is_outdated().await);
        }
        app.close().await;
    }
}
