//! Values of an answer's headers, written one behind the other: one piece of memory for all of them.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use portcullis_core::id::RequestId;

use crate::error::X_REQUEST_ID;

/// The most that any answer has: identity, limits, its number.
const MOST: usize = 16;
/// Room for what most answers tell.
const BYTES: usize = 512;

/// See the module's own words.
#[derive(Debug)]
pub(crate) struct Values {
    text: Text,
    /// Each with where its value ends.
    ends: [Option<(HeaderName, usize)>; MOST],
    count: usize,
}

/// What is written so far.
#[derive(Debug)]
pub(crate) struct Text(Vec<u8>);

impl Text {
    pub(crate) fn words(&mut self, words: &[&str]) -> &mut Self {
        for word in words {
            self.0.extend_from_slice(word.as_bytes());
        }
        self
    }

    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        self.words(&[itoa::Buffer::new().format(number)])
    }

    /// The text of an id.
    pub(crate) fn id(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        write(&mut self.0);
        self
    }

    /// All of them, with commas between them.
    pub(crate) fn list<T>(&mut self, all: impl IntoIterator<Item = T>, each: impl Fn(&mut Self, T)) {
        for (place, one) in all.into_iter().enumerate() {
            if place > 0 {
                self.words(&[","]);
            }
            each(self, one);
        }
    }
}

impl Values {
    pub(crate) fn new() -> Self {
        Self { text: Text(Vec::with_capacity(BYTES)), ends: [const { None }; MOST], count: 0 }
    }

    /// Adds a header.
    pub(crate) fn put(&mut self, name: HeaderName, write: impl FnOnce(&mut Text)) {
        write(&mut self.text);
        if let Some(end) = self.ends.get_mut(self.count) {
            *end = Some((name, self.text.0.len()));
            self.count += 1;
        }
    }

    /// Adds the number of the request.
    pub(crate) fn put_request_id(&mut self, id: RequestId) {
        self.put(X_REQUEST_ID, |text| _ = text.id(|out| id.write_to(out)));
    }

    /// Puts all of them into the headers of an answer. What is no header's value is left out.
    pub(crate) fn put_into(self, headers: &mut HeaderMap) {
        let text = Bytes::from(self.text.0);
        let mut begin = 0;
        for (name, end) in self.ends.into_iter().flatten() {
            if let Ok(value) = HeaderValue::from_maybe_shared(text.slice(begin..end)) {
                headers.insert(name, value);
            }
            begin = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;

    #[test]
    fn each_header_has_its_own_part_of_the_text() {
        let (mut values, mut headers) = (Values::new(), HeaderMap::new());
        values.put(header::ETAG, |text| _ = text.words(&["a", "b"]).number(7));
        values.put(header::VIA, |_| {});
        values.put(header::WARNING, |text| _ = text.words(&["two\nlines"]));
        values.put(header::ALLOW, |text| text.list(["x", "y", "z"], |text, word| _ = text.words(&[word])));
        values.put_into(&mut headers);
        assert_eq!(headers.get(header::ETAG).unwrap(), "ab7");
        assert_eq!(headers.get(header::VIA).unwrap(), "");
        assert_eq!(headers.get(header::WARNING), None, "what no header can say is not said");
        assert_eq!(headers.get(header::ALLOW).unwrap(), "x,y,z");
    }
}
