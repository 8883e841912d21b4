//! What a request needs, and which business it is about.

use std::fmt;
use std::sync::Arc;

use http::HeaderName;
use http::request::Parts;
use portcullis_core::path;
use portcullis_core::permission::Action;

use crate::refusal::Refusal;

/// What a key must be allowed to do.
#[derive(Debug, Clone)]
pub(crate) enum Need {
    /// Nothing but to live.
    LiveKey,
    UserManagement,
    /// `resource:action`.
    Permission(Arc<str>),
    /// A resource, whose action follows from the method.
    Resource(Arc<str>),
    /// What the rules of a gate say.
    Gate(Arc<str>),
}

impl Need {
    /// The permission that a request needs, where that is known without the server's configuration.
    pub(crate) fn permission(&self, parts: &Parts) -> Option<String> {
        match self {
            Self::Permission(permission) => Some((**permission).to_owned()),
            Self::Resource(resource) => Some(format!("{resource}:{}", Action::of_method(parts.method.as_str()).name())),
            Self::LiveKey | Self::UserManagement | Self::Gate(_) => None,
        }
    }
}

/// Reads of a request which business it is about.
pub(crate) type BusinessOf = dyn Fn(&Parts) -> Result<Option<String>, String> + Send + Sync;

/// Where the business of a request stands.
#[derive(Clone)]
pub(crate) enum Business {
    /// Nowhere: the decision says where the request may act.
    Unnamed,
    Header(HeaderName),
    Path(Pattern),
    Read(Arc<BusinessOf>),
}

impl Business {
    /// The business that this request is about. Where one must be named and is not, there is none to fall back to; in front of a gate
    /// it is the rule that says whether one must.
    pub(crate) fn of(&self, parts: &Parts, gate: bool) -> Result<Option<String>, Refusal> {
        /// An id is shorter; a longer text is not sent on.
        const LONGEST: usize = 128;
        let named = match self {
            Self::Unnamed => return Ok(None),
            Self::Header(name) if gate && !parts.headers.contains_key(name) => return Ok(None),
            Self::Header(name) => Some(in_header(parts, name)?),
            Self::Path(pattern) => Some(pattern.business(parts)?),
            Self::Read(read) => read(parts).map_err(Refusal::unclear)?,
        };
        match named {
            Some(text) if text.is_empty() || text.len() > LONGEST => {
                Err(Refusal::unclear("The business is named by what is no id of a business."))
            }
            named => Ok(named),
        }
    }
}

impl fmt::Debug for Business {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unnamed => out.write_str("Unnamed"),
            Self::Header(name) => out.debug_tuple("Header").field(name).finish(),
            Self::Path(pattern) => out.debug_tuple("Path").field(pattern).finish(),
            Self::Read(_) => out.write_str("Read(…)"),
        }
    }
}

fn in_header(parts: &Parts, name: &HeaderName) -> Result<String, Refusal> {
    let mut all = parts.headers.get_all(name).iter();
    match (all.next().map(|value| value.to_str()), all.next()) {
        (Some(Ok(text)), None) => Ok(text.to_owned()),
        _ => Err(Refusal::unclear(format!("Name one business in the header `{name}`."))),
    }
}

/// The beginning of a path, one segment of which names the business.
#[derive(Debug, Clone)]
pub(crate) struct Pattern(Arc<[Segment]>);

#[derive(Debug)]
enum Segment {
    Is(String),
    Business,
}

impl Pattern {
    /// Reads e.g. `/api/v1/business/{business_id}`; there is exactly one segment in braces.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let segments = text.strip_prefix('/')?.split('/').map(|segment| {
            let name = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            match name {
                Some(_) => Some(Segment::Business),
                None => (!segment.is_empty() && !segment.contains(['{', '}', '%', '*']))
                    .then(|| Segment::Is(segment.to_owned())),
            }
        });
        let segments: Arc<[Segment]> = segments.collect::<Option<_>>()?;
        let named = segments.iter().filter(|segment| matches!(segment, Segment::Business)).count();
        (named == 1).then_some(Self(segments))
    }

    fn business(&self, parts: &Parts) -> Result<String, Refusal> {
        let path = path::normalise(parts.uri.path())
            .map_err(|ambiguous| Refusal::unclear(format!("The path cannot be read: {ambiguous}.")))?;
        let mut rest = path.strip_prefix('/').unwrap_or_default().split('/');
        let mut business = None;
        for wanted in self.0.iter() {
            match (wanted, rest.next()) {
                (Segment::Is(wanted), Some(segment)) if wanted == segment => {}
                (Segment::Business, Some(segment)) => business = Some(segment.to_owned()),
                _ => return Err(Refusal::unclear("The path names no business.")),
            }
        }
        business.ok_or_else(|| Refusal::unclear("The path names no business."))
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn business(pattern: &str, uri: &str) -> Option<String> {
        let (parts, ()) = Request::get(uri).body(()).unwrap().into_parts();
        Pattern::read(pattern).unwrap().business(&parts).ok()
    }

    #[test]
    fn a_pattern_finds_the_business_in_a_path_that_begins_so() {
        let pattern = "/api/v1/business/{business_id}";
        for (uri, expected) in [
            ("/api/v1/business/biz_x", Some("biz_x")),
            ("/api/v1/business/biz_x/contacts/1?a=b", Some("biz_x")),
            ("/api/v1/business/%62iz_x/contacts", Some("biz_x")),
            ("/api/v1/business/", Some("")),
            ("/api/v1/business", None),
            ("/api/v1/businesses/biz_x", None),
            ("/api/v1//business/biz_x", None),
            ("/api/v1/business/../business/biz_x", None),
            ("/api/v1/business/biz_x%2fcontacts", None),
        ] {
            assert_eq!(business(pattern, uri).as_deref(), expected, "{uri}");
        }
    }

    #[test]
    fn a_pattern_has_one_segment_in_braces() {
        for wrong in ["", "/", "/api", "api/{b}", "/api/{a}/{b}", "/api/{b", "/api/x{b}", "/api/{b}/**", "/a//{b}"] {
            assert!(Pattern::read(wrong).is_none(), "{wrong}");
        }
    }
}
