//! Guards an API from within: a [tower] layer for axum, hyper and tonic services that asks Portcullis about every request.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use axum::routing::get;
//! use axum::{Extension, Router};
//! use portcullis_tower::{Decision, Portcullis};
//!
//! # async fn contacts(Extension(decision): Extension<Decision>) -> String {
//! // Only rows of these businesses, and no others, belong into the answer.
//! format!("{:?}", decision.businesses)
//! # }
//! # async fn account(Extension(decision): Extension<Decision>) -> String { decision.user_id.to_string() }
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! // The token of an operator key with `keys:verify`.
//! let token = std::env::var("PORTCULLIS_TOKEN")?;
//! let portcullis = Portcullis::at("http://127.0.0.1:7373", &token)?.timeout(Duration::from_secs(1));
//!
//! let api = Router::new()
//!     // `contacts:read` for GET and HEAD, `contacts:write` for all else.
//!     .route("/api/contacts", get(contacts).layer(portcullis.resource("contacts")))
//!     // What `[gate.crm]` of the server's configuration says of each method and path.
//!     .route("/api/crm/leads", get(contacts).layer(portcullis.gate("crm")))
//!     .route("/api/v1/user", get(account).layer(portcullis.user_management()));
//!
//! axum::serve(tokio::net::TcpListener::bind("127.0.0.1:8080").await?, api).await?;
//! # Ok(())
//! # }
//! ```
//!
//! What a [`Guard`] does with a request:
//!
//! 1. It takes the one credential (`Authorization: Bearer`, `Authorization: Token` or `X-API-Key`). Two are refused with 400, none or
//!    what cannot be a token with 401, and Portcullis is not asked.
//! 2. It asks `POST /api/v1/verify` over a connection that is kept. There is no cache: a key that was revoked is refused from the
//!    moment at which the revoke returned.
//! 3. A request that may pass goes on with a [`Decision`] in its extensions, without the credential, without any `X-Portcullis-…`
//!    header that the client may have made up, and without any that would have it taken for one of another method. The answer says how the key's limits stand.
//! 4. Any other is answered here: as `application/problem+json`, or as a gRPC status where its content type begins with
//!    `application/grpc`.
//!
//! It fails closed. Where Portcullis is away, slow, or answers anything but a decision, the answer is 503 `UNAVAILABLE`, and never 401
//! or 403: a client that is told 401 throws a good key away. A question is not asked again once it was sent, because it is charged to
//! the key's limits.
//!
//! A request that carries no key by design, such as a browser's CORS preflight, has to be answered by a layer further out.
//!
//! One guard stands in front of a handler, not two: the second would find no credential. A guard sees a path as the service around
//! which it stands does; axum's `Router::nest` takes a prefix away, so put a guard that looks at paths (`gate`, `business_in_path`)
//! around the outermost router.

mod credential;
mod decision;
mod grpc;
mod guard;
mod limits;
mod need;
mod portcullis;
mod refusal;
mod request_id;

pub use crate::portcullis::{Portcullis, SetupError, Unavailable};
pub use decision::Decision;
pub use guard::{Guard, Guarded, GuardedBody};
pub use portcullis_api::metadata::Metadata;
pub use portcullis_api::problem::{FieldError, Problem};
pub use portcullis_api::time::Time;
pub use portcullis_api::verify::{All, Businesses, RateLimit};
pub use portcullis_core::id::RequestId;
pub use portcullis_core::id::{ApiKeyId, BusinessId, UserId};
pub use portcullis_core::token::Environment;
pub use request_id::RequestIds;
