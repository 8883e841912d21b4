//! One-time links: to a new password, and into a business.
//!
//! Until there is mail, a link is in the answer to whoever made it and in the server's log, and nowhere else.

use std::sync::Arc;

use portcullis_api::envelope::PageQuery;
use portcullis_api::links::{AcceptInvitation, CreateInvitation, RequestPasswordLink, SetPassword};
use portcullis_api::secret::SecretText;
use portcullis_api::users::CreateUser;
use portcullis_core::audit::{Actor, AuditAction, AuditEvent, Origin};
use portcullis_core::decision::Denial;
use portcullis_core::id::{BusinessId, LinkId, UserId};
use portcullis_core::operator::OperatorGrant;
use portcullis_core::scope::{Account, Caller, Need, Tenant};
use portcullis_core::time::Timestamp;
use portcullis_core::token::{Digest, Environment, Token, TokenPrefix, WellFormed};
use serde_json::json;

use super::idempotency::Call;
use super::paging::Listing;
use super::sessions::{self, Begun};
use super::{Editing, members, passwords, text, users};
use crate::app::App;
use crate::error::Error;
pub(crate) use crate::store::links::{Leads, Link};

const PASSWORD_LINK_HOURS: i64 = 24;
const INVITATION_DAYS: i64 = 7;
/// How many invitations to a business can be open at a time.
const MOST_INVITATIONS: i64 = 500;

/// A link that was made. The address it leads to holds its token, and is here and nowhere else.
pub(crate) struct Made {
    pub(crate) link: Link,
    pub(crate) url: SecretText,
}

/// Whom an invitation made a member of what, and the session of one who is new.
pub(crate) struct Joined {
    pub(crate) user: UserId,
    pub(crate) business: BusinessId,
    pub(crate) begun: Option<Begun>,
}

/// Makes a link to a new password for a user, for an operator to hand over.
pub(crate) async fn create_password_link(
    app: &App,
    caller: &Caller,
    account: &Account,
    origin: Origin,
) -> Result<Made, Error> {
    let mut editing = Editing::begin(app, caller, origin, OperatorGrant::UsersWrite).await?;
    let user = editing.rows.user(account).await?;
    users::check_may_run(caller, &user)?;
    let made = password_link(app, &mut editing, account, &user.email).await?;
    editing.commit().await?;
    Ok(made)
}

/// Somebody has forgotten their password. Whether there is such an account is found out after the answer, which therefore says
/// nothing about it, not even by the time it takes.
pub(crate) fn request_password_link(app: &Arc<App>, origin: Origin, wanted: &RequestPasswordLink) -> Result<(), Error> {
    let email = wanted.email.trim().to_owned();
    // Not the name that signing in is counted under: nobody is to be kept out of their account by this.
    app.attempts.begin(&format!("forgotten {email}"), origin.address, app.clock.now())?;
    let app = Arc::clone(app);
    tokio::spawn(async move {
        if let Err(error) = password_link_to_log(&app, origin, &email).await {
            tracing::error!(%error, "cannot make a link to a new password");
        }
    });
    Ok(())
}

async fn password_link_to_log(app: &App, origin: Origin, email: &str) -> Result<(), Error> {
    let Some(known) = app.store.sign_in(email).await?.filter(|known| !known.disabled) else { return Ok(()) };
    let mut editing = Editing::begin_as(app, Actor::Anonymous, origin).await?;
    let account = sessions::own_account(known.user)?;
    let made = password_link(app, &mut editing, &account, &known.email).await?;
    editing.commit().await?;
    tracing::info!(user_id = %known.user, url = made.url.expose(), "somebody asked for a link to a new password");
    Ok(())
}

/// Follows a link to a new password, and signs in with it.
pub(crate) async fn set_password(
    app: &App,
    origin: Origin,
    user_agent: Option<&str>,
    wanted: &SetPassword,
) -> Result<Begun, Error> {
    let tries = begin_following(app, origin)?;
    let hash = passwords::hash(app, &wanted.password, "/password").await?;
    let mut editing = Editing::begin_as(app, Actor::Anonymous, origin).await?;
    let link = open_link(app, &mut editing, &wanted.token).await?;
    let Leads::Password(user) = link.leads else { return Err(dead_link()) };
    editing.is_by(user);
    sessions::set_password(&mut editing, &sessions::own_account(user)?, &hash, None).await?;
    let (begun, _) = sessions::open(app, &mut editing, origin.address, user_agent, user).await?;
    editing.commit().await?;
    app.attempts.succeeded(&link.email, origin.address);
    app.attempts.succeeded(&tries, origin.address);
    Ok(begun)
}

/// Counts one try to follow a link, by address: a password is hashed for each, and made-up links must not keep the server busy.
fn begin_following(app: &App, origin: Origin) -> Result<String, Error> {
    let whose = format!("link {:?}", origin.address);
    app.attempts.begin(&whose, origin.address, app.clock.now())?;
    Ok(whose)
}

pub(crate) async fn list_invitations(
    app: &App,
    tenant: &Tenant,
    query: &PageQuery,
) -> Result<(Vec<Link>, Option<String>), Error> {
    app.store.business(tenant).await?;
    let listing = Listing::new(app, &["invitations", &tenant.business().to_string()]);
    let slice = listing.slice(query.limit.as_deref(), query.cursor.as_deref())?;
    let rows = app.store.invitations(tenant, app.clock.now(), &slice).await?;
    Ok(listing.page(rows, &slice, |link| link.id.to_string()))
}

/// Invites somebody to a business, in a role that the caller may give.
pub(crate) async fn create_invitation(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    origin: Origin,
    once: Option<&str>,
    wanted: &CreateInvitation,
) -> Result<Made, Error> {
    if !text::is_email(&wanted.email) {
        return Err(Error::field("/email", text::NO_EMAIL));
    }
    let role = members::role_id(&wanted.role_id)?;
    let call = Call::new(caller, once, &format!("invite {}", tenant.business()), wanted);
    let _turn = app.in_flight.begin(call.as_ref())?;
    let (mut editing, tenant) = Editing::begin_in(app, caller, origin, tenant).await?;
    if let Some(call) = &call {
        call.check_new(&mut editing).await?;
    }
    editing.rows.business(&tenant).await?;
    members::check_role(app, &mut editing, &tenant, role).await?;
    if editing.rows.count_invitations(&tenant, editing.now).await? >= MOST_INVITATIONS {
        return Err(Error::Conflict(format!("A business has at most {MOST_INVITATIONS} open invitations.")));
    }
    let ends = editing.now.plus_days(INVITATION_DAYS);
    let leads = Leads::Invitation(tenant.business(), role);
    let made = make(app, &mut editing, leads, wanted.email.clone(), ends).await?;
    let after = json!({"email": wanted.email, "role_id": role, "expires_at": ends});
    editing.tell(invitation_event(AuditAction::InvitationCreated, &tenant, made.link.id, Some(after)), None);
    if let Some(call) = &call {
        call.remember(&mut editing, &made.link.id).await?;
    }
    editing.commit().await?;
    Ok(made)
}

/// Takes an invitation back. Doing it again changes nothing.
pub(crate) async fn revoke_invitation(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    origin: Origin,
    id: LinkId,
) -> Result<(), Error> {
    let (mut editing, tenant) = Editing::begin_in(app, caller, origin, tenant).await?;
    let link = editing.rows.invitation(&tenant, id).await?;
    if !link.used {
        editing.rows.use_link(&link, editing.now).await?;
        editing.tell(invitation_event(AuditAction::InvitationRevoked, &tenant, id, None), None);
    }
    editing.commit().await
}

/// Follows an invitation. Who has an account must be signed in to it; who has none sets a name and a password.
pub(crate) async fn accept_invitation(
    app: &App,
    signed_in: Option<&Caller>,
    origin: Origin,
    user_agent: Option<&str>,
    wanted: &AcceptInvitation,
) -> Result<Joined, Error> {
    let hash = match &wanted.password {
        Some(password) => Some(passwords::hash(app, password, "/password").await?),
        None => None,
    };
    let mut editing = match signed_in {
        Some(caller) => Editing::begin(app, caller, origin, OperatorGrant::UsersRead).await?,
        None => Editing::begin_as(app, Actor::Anonymous, origin).await?,
    };
    let link = open_link(app, &mut editing, &wanted.token).await?;
    let Leads::Invitation(business, role) = link.leads else { return Err(dead_link()) };
    let known = editing.rows.user_by_email(&link.email).await?;
    let (user, is_new) = match (known, signed_in) {
        (Some(known), Some(Caller::User { id, .. })) if known == *id => (known, false),
        (Some(_), _) => {
            return Err(Error::Conflict(
                "There is an account with this e-mail address: sign in to it first.".to_owned(),
            ));
        }
        (None, Some(_)) => {
            return Err(Error::Conflict("This invitation is for another e-mail address: sign out first.".to_owned()));
        }
        (None, None) => {
            let hash = hash.ok_or_else(|| Error::field("/password", "is needed to make your account"))?;
            let account = CreateUser { email: link.email.clone(), name: wanted.name.clone() };
            (users::insert(app, &mut editing, &account, Some(hash), false).await?.id, true)
        }
    };
    editing.is_by(user);
    editing.rows.use_link(&link, editing.now).await?;
    // What the invitation gives was held against whoever made it, at the time.
    let arrival = Caller::Arrival { user, invited_to: Some(business) };
    let tenant =
        arrival.tenant(business, OperatorGrant::BusinessesWrite, Need::Member, None).map_err(|_| dead_link())?;
    if editing.rows.business(&tenant).await?.disabled_at.is_some() {
        return Err(Error::denied(Denial::BusinessDisabled));
    }
    if editing.rows.member(&tenant, user).await?.is_some() {
        return Err(Error::Conflict("You are a member of this business already.".to_owned()));
    }
    let event = invitation_event(AuditAction::InvitationAccepted, &tenant, link.id, Some(json!({"user_id": user})));
    editing.tell(event, None);
    members::put(app, &mut editing, &tenant, user, role).await.map_err(|error| match error {
        Error::Validation(_) => dead_link(),
        other => other,
    })?;
    let mut begun = None;
    if is_new {
        begun = Some(sessions::open(app, &mut editing, origin.address, user_agent, user).await?.0);
    }
    editing.commit().await?;
    Ok(Joined { user, business, begun })
}

async fn password_link(app: &App, editing: &mut Editing<'_>, account: &Account, email: &str) -> Result<Made, Error> {
    editing.rows.end_password_links(account, editing.now).await?;
    let ends = Timestamp::from_millis(editing.now.as_millis() + PASSWORD_LINK_HOURS * 3_600_000);
    let user = account.user();
    let made = make(app, editing, Leads::Password(user), email.to_owned(), ends).await?;
    let event = AuditEvent {
        action: AuditAction::PasswordLinkCreated,
        target: user.to_string(),
        user: Some(user),
        business: None,
        before: None,
        after: Some(json!({"expires_at": ends})),
    };
    editing.tell(event, None);
    Ok(made)
}

async fn make(
    app: &App,
    editing: &mut Editing<'_>,
    leads: Leads,
    email: String,
    expires_at: Timestamp,
) -> Result<Made, Error> {
    let token = Token::mint(&TokenPrefix::link(), Environment::Live, &app.dice);
    let id = LinkId::new(editing.now, &app.dice);
    let link = Link { id, leads, email, created_at: editing.now, expires_at, used: false };
    editing.rows.insert_link(&link, &app.pepper.digest_of_new(&token)).await?;
    let page = match leads {
        Leads::Password(_) => "password",
        Leads::Invitation(..) => "invitation",
    };
    // Behind a `#`, so that no browser sends it on as a referrer and no proxy writes it down.
    let url = SecretText::new(format!("{}/{page}#{}", app.public_url(), token.reveal()));
    Ok(Made { link, url })
}

/// The link that a token is of, if it still leads anywhere; it is closed by the same edit.
async fn open_link(app: &App, editing: &mut Editing<'_>, token: &SecretText) -> Result<Link, Error> {
    let token = WellFormed::parse(token.expose(), &TokenPrefix::link()).map_err(|_| dead_link())?;
    let digest: Digest = app.pepper.digest(&token);
    let link = editing.rows.link(&digest).await?.ok_or_else(dead_link)?;
    if link.used || link.expires_at <= editing.now {
        return Err(dead_link());
    }
    Ok(link)
}

fn dead_link() -> Error {
    Error::field("/token", "is of a link that was used, has run out or was never made: ask for a new one")
}

fn invitation_event(action: AuditAction, tenant: &Tenant, id: LinkId, after: Option<serde_json::Value>) -> AuditEvent {
    AuditEvent { action, target: id.to_string(), user: None, business: Some(tenant.business()), before: None, after }
}
