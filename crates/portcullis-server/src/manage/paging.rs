//! Lists a page at a time. A cursor says where the page before ended, and is signed together with what was being listed.

use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;

use crate::app::App;
use crate::error::Error;
use crate::store::Slice;

const DEFAULT: i64 = 50;
const MOST: i64 = 100;
/// Bytes of the signature that a cursor carries.
const SIGNATURE: usize = 16;

/// What a list is of: the noun, whose it is, and the filters. A cursor of one list is worthless for another.
pub(crate) struct Listing<'a> {
    app: &'a App,
    of: String,
}

impl<'a> Listing<'a> {
    pub(crate) fn new(app: &'a App, of: &[&str]) -> Self {
        Self { app, of: of.join("\n") }
    }

    /// Reads `?limit=` and `?cursor=`. One row more is asked for than is shown, to know whether there is a next page.
    pub(crate) fn slice(&self, limit: Option<&str>, cursor: Option<&str>) -> Result<Slice, Error> {
        let limit = match limit {
            None => DEFAULT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=MOST).contains(limit))
                .ok_or_else(|| Error::Invalid(format!("`limit` is a whole number from 1 to {MOST}.")))?,
        };
        let after = cursor.map(|cursor| self.open(cursor)).transpose()?;
        Ok(Slice { after, limit: limit + 1 })
    }

    /// Cuts the row too many off, and makes the cursor of the next page.
    pub(crate) fn page<T>(
        &self,
        mut rows: Vec<T>,
        slice: &Slice,
        id: impl Fn(&T) -> String,
    ) -> (Vec<T>, Option<String>) {
        let shown = usize::try_from(slice.limit - 1).unwrap_or(0);
        let more = rows.len() > shown;
        rows.truncate(shown);
        let next = rows.last().filter(|_| more).map(|row| self.seal(&id(row)));
        (rows, next)
    }

    /// Like [`Listing::page`], where a page can be short though more rows are left to look at.
    pub(crate) fn page_of<T>(
        &self,
        (rows, looked_until): (Vec<T>, Option<String>),
        slice: &Slice,
        id: impl Fn(&T) -> String,
    ) -> (Vec<T>, Option<String>) {
        let (rows, next) = self.page(rows, slice, id);
        (rows, next.or_else(|| looked_until.map(|id| self.seal(&id))))
    }

    fn signature(&self, position: &str) -> Vec<u8> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.app.cursor_key);
        let tag = hmac::sign(&key, format!("{}\n{position}", self.of).as_bytes());
        tag.as_ref().iter().take(SIGNATURE).copied().collect()
    }

    fn seal(&self, position: &str) -> String {
        let mut bytes = self.signature(position);
        bytes.extend_from_slice(position.as_bytes());
        BASE64URL_NOPAD.encode(&bytes)
    }

    fn open(&self, cursor: &str) -> Result<String, Error> {
        use subtle::ConstantTimeEq;

        let foreign = || {
            Error::Invalid(
                "`cursor` is not one that this list gave: take `next_cursor` as it is, with the same filters."
                    .to_owned(),
            )
        };
        let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).map_err(|_| foreign())?;
        let (signature, position) = bytes.split_at_checked(SIGNATURE).ok_or_else(foreign)?;
        let position = str::from_utf8(position).map_err(|_| foreign())?;
        let right = bool::from(signature.ct_eq(&self.signature(position)));
        if right { Ok(position.to_owned()) } else { Err(foreign()) }
    }
}
