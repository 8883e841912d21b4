//! Long lists: as many pages as were asked for, one below the other, so that nobody loses their place in them.

use super::form::Fields;

/// The most pages that are shown at once; what comes after begins a new list.
const MOST: usize = 20;

/// A walk through the pages of a list: `while walk.goes_on() { walk.take(list(walk.cursor()).await?) }`.
pub(crate) struct Walk<T> {
    pub(crate) rows: Vec<T>,
    query: Fields,
    wanted: usize,
    taken: usize,
    /// The cursor of the page that comes next; `None` is the first page.
    cursor: Option<String>,
    is_over: bool,
}

impl<T> Walk<T> {
    /// `?pages=` pages, from `?cursor=` on.
    pub(crate) fn of(query: &Fields) -> Self {
        let wanted = query.text("pages").parse().unwrap_or(1).clamp(1, MOST);
        Self { rows: Vec::new(), wanted, taken: 0, cursor: query.given("cursor"), is_over: false, query: query.clone() }
    }

    /// All of a list that is never long, or the first pages of one that is.
    pub(crate) fn all() -> Self {
        Self { rows: Vec::new(), wanted: MOST, taken: 0, cursor: None, is_over: false, query: Fields::default() }
    }

    /// Whether another page is wanted, and there.
    pub(crate) const fn goes_on(&self) -> bool {
        !self.is_over && self.taken < self.wanted
    }

    /// Where the next page begins.
    pub(crate) fn cursor(&self) -> Option<String> {
        self.cursor.clone()
    }

    pub(crate) fn take(&mut self, (mut rows, next): (Vec<T>, Option<String>)) {
        self.rows.append(&mut rows);
        self.taken += 1;
        self.is_over = next.is_none();
        self.cursor = next;
    }

    /// The query that shows more, where there is more.
    pub(crate) fn more(&self) -> Option<String> {
        let next = self.cursor.as_ref().filter(|_| !self.is_over)?;
        Some(if self.wanted < MOST {
            self.query.with("pages", &(self.wanted + 1).to_string())
        } else {
            self.query.without("pages").with("cursor", next)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks a list of so many rows, three a page, in which a cursor is a number.
    fn walked(query: &str, rows: usize) -> (usize, Option<String>) {
        let mut walk = Walk::of(&Fields::parse(query.as_bytes()));
        while walk.goes_on() {
            let from: usize = walk.cursor().map_or(0, |cursor| cursor.parse().unwrap());
            let until = (from + 3).min(rows);
            walk.take(((from..until).collect(), (until < rows).then(|| until.to_string())));
        }
        (walk.rows.len(), walk.more())
    }

    #[test]
    fn a_long_list_grows_where_it_is() {
        assert_eq!(walked("", 3), (3, None));
        assert_eq!(walked("q=a", 10), (3, Some("q=a&pages=2".to_owned())));
        assert_eq!(walked("pages=2", 10), (6, Some("pages=3".to_owned())));
        assert_eq!(walked("pages=9", 10), (10, None));
        assert_eq!(walked("pages=-1", 10), (3, Some("pages=2".to_owned())));
        assert_eq!(walked("pages=99&q=a", 100), (60, Some("q=a&cursor=60".to_owned())));
        assert_eq!(walked("q=a&cursor=60", 100), (3, Some("q=a&cursor=60&pages=2".to_owned())));
    }
}
