//! Operators as OAuth clients authenticate: HTTP Basic, beside the ways that are taken everywhere (RFC 6749, section 2.3.1).

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use data_encoding::BASE64;
use http::request::Parts;
use http::{HeaderMap, header};
use portcullis_core::audit::Actor;
use portcullis_core::decision::Denial;
use portcullis_core::scope::Caller;
use zeroize::Zeroizing;

use super::{Knock, Needed, Operator, unavailable};
use crate::app::App;
use crate::error::Error;
use crate::manage::lacks;
use crate::verify;

/// An operator key that has the grant, by its id and token or by its token alone.
pub(crate) struct OAuthClient<G> {
    pub(crate) caller: Caller,
    grant: PhantomData<G>,
}

impl<G: Needed> FromRequestParts<Arc<App>> for OAuthClient<G> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        let Some(basic) = basic(parts)? else {
            let Operator { caller, .. } = Operator::<G>::from_request_parts(parts, app).await?;
            return Ok(Self { caller, grant: PhantomData });
        };
        let unknown = || Error::denied(Denial::Unknown);
        let (name, token) = halves(basic).ok_or(Error::denied(Denial::Malformed))?;
        let (id, grants) = verify::operator(app, &token).await.map_err(unavailable)?.ok_or_else(unknown)?;
        if name != id.to_string() {
            return Err(unknown());
        }
        Knock::is_by(parts, Actor::OperatorKey(id));
        let caller = Caller::Operator { id, grants };
        caller.platform(G::GRANT).ok_or_else(|| lacks(G::GRANT))?;
        Ok(Self { caller, grant: PhantomData })
    }
}

/// Whether the request's credential is by HTTP Basic.
pub(crate) fn is_basic(headers: &HeaderMap) -> bool {
    after_basic(headers).is_some()
}

/// What stands behind the scheme `Basic`, where that is the one credential of the request.
fn basic(parts: &Parts) -> Result<Option<&str>, Error> {
    let Some(rest) = after_basic(&parts.headers) else { return Ok(None) };
    let alone = parts.headers.get_all(header::AUTHORIZATION).iter().count() == 1;
    let alone = alone && !parts.headers.contains_key(verify::credentials::X_API_KEY);
    if alone { Ok(Some(rest)) } else { Err(Error::AmbiguousCredentials) }
}

fn after_basic(headers: &HeaderMap) -> Option<&str> {
    let (scheme, rest) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("basic").then(|| rest.trim_matches(' '))
}

/// Both halves are percent-encoded by the specification, and by some clients only; ids and tokens have nothing that it would change.
fn halves(basic: &str) -> Option<(String, Zeroizing<String>)> {
    const LONGEST: usize = 1_024;
    let bytes = Zeroizing::new(BASE64.decode(basic.get(..LONGEST).unwrap_or(basic).as_bytes()).ok()?);
    let text = std::str::from_utf8(&bytes).ok()?;
    let (name, token) = text.split_once(':')?;
    let decoded = |half: &str| form_urlencoded::parse(half.as_bytes()).next().map(|(text, _)| text.into_owned());
    Some((decoded(name)?, Zeroizing::new(decoded(token)?)))
}
