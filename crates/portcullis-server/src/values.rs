//! Values of an answer's headers, written one behind the other: one piece of memory for all of them.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use portcullis_core::id::RequestId;

use crate::body;
use crate::error::X_REQUEST_ID;

/// What an answer tells in headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    KeyId,
    UserId,
    BusinessId,
    Businesses,
    Permissions,
    RateLimitPolicy,
    RateLimit,
    Limit,
    Remaining,
    Reset,
    RetryAfter,
    RequestId,
}

/// Room for what most answers tell.
const BYTES: usize = 512;
/// How many kinds there are: an answer has each once.
const MOST: usize = 12;

/// See the module's own words.
#[derive(Debug)]
pub(crate) struct Values {
    text: Text,
    /// Each with where its value ends.
    ends: [Option<(Told, u32)>; MOST],
    count: usize,
}

/// What is written so far.
#[derive(Debug)]
pub(crate) struct Text(Vec<u8>);

/// An answer of 200, which is nobody else's to keep.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) values: Values,
    /// Empty, or what it says.
    pub(crate) json: Bytes,
}

/// An answer, or a refusal, which needs less haste.
pub(crate) type Answered = Result<Answer, Box<Response<Bytes>>>;

impl Told {
    /// The header's name, which is a constant where it is asked for, and so takes no room before that.
    pub(crate) const fn name(self) -> HeaderName {
        match self {
            Self::KeyId => const { HeaderName::from_static("x-portcullis-key-id") },
            Self::UserId => const { HeaderName::from_static("x-portcullis-user-id") },
            Self::BusinessId => const { HeaderName::from_static("x-portcullis-business-id") },
            Self::Businesses => const { HeaderName::from_static("x-portcullis-businesses") },
            Self::Permissions => const { HeaderName::from_static("x-portcullis-permissions") },
            Self::RateLimitPolicy => const { HeaderName::from_static("ratelimit-policy") },
            Self::RateLimit => const { HeaderName::from_static("ratelimit") },
            Self::Limit => const { HeaderName::from_static("x-ratelimit-limit") },
            Self::Remaining => const { HeaderName::from_static("x-ratelimit-remaining") },
            Self::Reset => const { HeaderName::from_static("x-ratelimit-reset") },
            Self::RetryAfter => header::RETRY_AFTER,
            Self::RequestId => X_REQUEST_ID,
        }
    }
}

impl Text {
    pub(crate) fn words(&mut self, words: &[&str]) -> &mut Self {
        for word in words {
            self.bytes(word.as_bytes());
        }
        self
    }

    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        self.bytes(itoa::Buffer::new().format(number).as_bytes())
    }

    /// The text of an id, say.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// All of them, with commas between them.
    pub(crate) fn list<T>(&mut self, all: impl IntoIterator<Item = T>, each: impl Fn(&mut Self, T)) {
        let begin = self.0.len();
        for one in all {
            if self.0.len() > begin {
                self.bytes(b",");
            }
            each(self, one);
        }
    }
}

impl Values {
    pub(crate) fn new() -> Self {
        Self { text: Text(Vec::with_capacity(BYTES)), ends: [None; MOST], count: 0 }
    }

    /// Adds a header.
    pub(crate) fn put(&mut self, told: Told, write: impl FnOnce(&mut Text)) {
        write(&mut self.text);
        if let (Some(end), Ok(length)) = (self.ends.get_mut(self.count), u32::try_from(self.text.0.len())) {
            *end = Some((told, length));
            self.count += 1;
        }
    }

    /// Adds the number of the request.
    pub(crate) fn put_request_id(&mut self, id: RequestId) {
        self.put(Told::RequestId, |text| _ = text.bytes(&id.text()));
    }

    /// Puts all of them into the headers of an answer. What is no header's value is left out.
    pub(crate) fn put_into(self, headers: &mut HeaderMap) {
        let text = Bytes::from(self.text.0);
        let mut begin = 0;
        for (told, end) in self.ends.into_iter().flatten() {
            let end = end as usize;
            if let Ok(value) = HeaderValue::from_maybe_shared(text.slice(begin..end)) {
                headers.insert(told.name(), value);
            }
            begin = end;
        }
    }
}

impl Answer {
    /// The answer, whose headers take the room that the request's had.
    pub(crate) fn in_place_of(self, mut headers: HeaderMap) -> Response<Bytes> {
        headers.clear();
        self.values.put_into(&mut headers);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if !self.json.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(body::JSON));
        }
        let mut response = Response::new(self.json);
        *response.headers_mut() = headers;
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_header_has_its_own_part_of_the_text() {
        let (mut values, mut headers) = (Values::new(), HeaderMap::new());
        values.put(Told::KeyId, |text| _ = text.words(&["a", "b"]).number(7));
        values.put(Told::UserId, |_| {});
        values.put(Told::Businesses, |text| _ = text.words(&["two\nlines"]));
        values.put(Told::Permissions, |text| text.list(["x", "y", "z"], |text, word| _ = text.words(&[word])));
        values.put_into(&mut headers);
        assert_eq!(headers.get(Told::KeyId.name()).unwrap(), "ab7");
        assert_eq!(headers.get(Told::UserId.name()).unwrap(), "");
        assert_eq!(headers.get(Told::Businesses.name()), None, "what no header can say is not said");
        assert_eq!(headers.get(Told::Permissions.name()).unwrap(), "x,y,z");
    }
}
