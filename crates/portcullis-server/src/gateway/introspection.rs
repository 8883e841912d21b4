//! OAuth 2.0 for whoever knows nothing else: introspection (RFC 7662), revocation (RFC 7009), and where they are (RFC 8414).

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use portcullis_api::api_keys::RevokeApiKey;
use portcullis_api::oauth::{Active, Inactive, Metadata, OAuthError};
use portcullis_api::secret::SecretText;
use portcullis_core::decision::Ask;
use portcullis_core::id::RequestId;
use portcullis_core::time::Timestamp;

use crate::app::App;
use crate::body::{is_of_type, read};
use crate::caller::{KeysVerify, KeysWrite, Needed, OAuthClient, is_basic, origin, unavailable};
use crate::error::{Error, Finished, Pending};
use crate::manage::{api_keys, lacks};
use crate::metrics::Surface;
use crate::verify::limiter::Charge;
use crate::verify::{self, Decided, Question};

/// How long an answer may be kept at most. There are clients that keep it for as long as `exp` lets them, and to them a key that was
/// revoked lives on.
const KEPT_SECONDS: i64 = 30;
const FORM: &str = "application/x-www-form-urlencoded";
const WHO: &str = "Authenticate as an operator key: by its token as Bearer, or by its id and token as Basic.";
const METHODS: [&str; 2] = ["client_secret_basic", "Bearer"];

/// What a client sends to both endpoints.
struct Form {
    token: SecretText,
    address: Option<IpAddr>,
}

/// `POST /oauth2/introspect`
pub(crate) async fn introspect(State(app): State<Arc<App>>, request: Request) -> Response {
    let asked = Asked::of(&request);
    asked.answered(introspected(&app, request).await)
}

/// `POST /oauth2/revoke`
pub(crate) async fn revoke(State(app): State<Arc<App>>, request: Request) -> Response {
    let asked = Asked::of(&request);
    asked.answered(revoked(&app, request).await)
}

/// `GET /.well-known/oauth-authorization-server`
pub(crate) async fn metadata(State(app): State<Arc<App>>) -> Json<Metadata> {
    let issuer = app.public_url();
    Json(Metadata {
        introspection_endpoint: format!("{issuer}/oauth2/introspect"),
        introspection_endpoint_auth_methods_supported: METHODS,
        revocation_endpoint: format!("{issuer}/oauth2/revoke"),
        // The types of access tokens are for introspection alone (RFC 8414, section 2).
        revocation_endpoint_auth_methods_supported: [METHODS[0]],
        response_types_supported: [],
        grant_types_supported: [],
        service_documentation: format!("{issuer}/reference"),
        issuer,
    })
}

async fn introspected(app: &Arc<App>, request: Request) -> Result<Response, Error> {
    let (_, Form { token, address }) = asked::<KeysVerify>(app, request).await?;
    let ask = Ask { address, ..Ask::about(verify::present(app, token.expose())) };
    let question = Question {
        ask,
        surface: Surface::Introspection,
        charge: Charge::Cost(1),
        at: app.clock.now(),
        from_primary: false,
    };
    let answer = verify::check(app, &question, |decided| active(app, decided)).await.map_err(unavailable)?;
    Ok(answer.map_or_else(|| Json(Inactive::default()).into_response(), |active| Json(active).into_response()))
}

async fn revoked(app: &Arc<App>, request: Request) -> Result<Response, Error> {
    let origin = origin(request.extensions());
    let (client, Form { token, .. }) = asked::<KeysWrite>(app, request).await?;
    let whose = verify::whose(app, verify::present(app, token.expose())).await.map_err(unavailable)?;
    if let Some((user, key)) = whose {
        let account = client.caller.account(user, KeysWrite::GRANT).ok_or_else(|| lacks(KeysWrite::GRANT))?;
        let wanted = RevokeApiKey { reason: Some("OAuth 2.0 token revocation".to_owned()) };
        api_keys::revoke(app, &client.caller, &account, origin, key, &wanted).await?;
    }
    // What is no token any more is what was asked for, too (RFC 7009, section 2.2).
    Ok(StatusCode::OK.into_response())
}

/// Who asks, and what.
async fn asked<G: Needed>(app: &Arc<App>, request: Request) -> Result<(OAuthClient<G>, Form), Error> {
    let (mut parts, body) = request.into_parts();
    let client = OAuthClient::from_request_parts(&mut parts, app).await?;
    let form = Form::from_request(Request::from_parts(parts, body), app).await?;
    Ok((client, form))
}

impl FromRequest<Arc<App>> for Form {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Error> {
        let (parts, body) = request.into_parts();
        if !is_of_type(&parts.headers, FORM) {
            return Err(Error::Invalid(format!("Send the body as `Content-Type: {FORM}`.")));
        }
        let bytes = read(app, body, app.config.connections.max_body_bytes).await?;
        let mut tokens = form_urlencoded::parse(&bytes).filter(|(name, _)| name == "token");
        let (Some((_, token)), None) = (tokens.next(), tokens.next()) else {
            return Err(Error::Invalid("Send the token as the parameter `token`, once.".to_owned()));
        };
        let token = SecretText::new(token.into_owned());
        let named = form_urlencoded::parse(&bytes).find(|(name, _)| name == "ip_address");
        let address = named.map(|(_, text)| text.parse()).transpose();
        let address =
            address.map_err(|_| Error::Invalid("`ip_address` must be an IPv4 or IPv6 address.".to_owned()))?;
        Ok(Self { token, address })
    }
}

fn active(app: &App, decided: &Decided<'_>) -> Option<Active> {
    let decision = decided.decision;
    let key = decision.key.filter(|_| decision.is_valid())?;
    let seconds = |at: Timestamp| at.as_millis().div_euclid(1_000);
    let kept = seconds(app.clock.now()) + KEPT_SECONDS;
    let reach = decision.reach();
    let scope: Vec<_> = app.catalogue.names(reach.permissions).collect();
    Some(Active {
        active: true,
        scope: scope.join(" "),
        client_id: key.id(),
        username: key.user(),
        token_type: "Bearer".to_owned(),
        sub: key.user(),
        jti: key.id(),
        iat: seconds(key.id().made_at()),
        exp: key.expires_at().map_or(kept, |end| kept.min(seconds(end))),
        iss: app.public_url(),
        businesses: verify::businesses(reach),
        key_expires_at: key.expires_at().map(Into::into),
    })
}

/// What a refusal must know of its request.
struct Asked {
    id: Option<RequestId>,
    by_basic: bool,
}

impl Asked {
    fn of(request: &Request) -> Self {
        Self { id: request.extensions().get().copied(), by_basic: is_basic(request.headers()) }
    }

    /// The answer, with a refusal in the words of OAuth 2.0. A fault of ours is none of these words, and stays what it is.
    fn answered(&self, outcome: Result<Response, Error>) -> Response {
        let (error, id) = match (outcome, self.id) {
            (Ok(response), _) => return response,
            (Err(error), Some(id)) if error.status().is_client_error() => (error, id),
            (Err(error), _) => return error.into_response(),
        };
        let (word, what) = match error.status() {
            StatusCode::UNAUTHORIZED => ("invalid_client", WHO.to_owned()),
            StatusCode::FORBIDDEN => ("unauthorized_client", error.to_string()),
            _ => ("invalid_request", error.to_string()),
        };
        let (status, mut headers, _) = error.parts(id);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.by_basic && status == StatusCode::UNAUTHORIZED {
            // The challenge is of the scheme that was tried (RFC 6749, section 5.2).
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"portcullis\""));
        }
        let body = serde_json::to_vec(&OAuthError { error: word, error_description: &what }).unwrap_or_default();
        let mut response = (status, headers, body).into_response();
        response.extensions_mut().insert(Finished);
        // Refused revocations are told in the audit log.
        response.extensions_mut().insert(Pending(Arc::new(error)));
        response
    }
}
