//! Patterns of paths: segments that must be so, segments that may be anything, and everything below.

use std::fmt;

use crate::path::{self, is_same_in_any_case};

/// The longest pattern, in bytes: matching takes no longer than reading path and pattern once.
const LONGEST: usize = 128;

/// A pattern, as `/api/v1/business/{business_id}/contacts/**`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    segments: Vec<Segment>,
    /// Whether it ends in `/**`, which is the path before it and everything below.
    open: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    /// `*`, or a capture with its name.
    Any(Option<String>),
}

/// Whether a path is one of a pattern's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    Yes,
    /// If upper and lower case were the same.
    InOtherCase,
    No,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAPattern {
    #[error("a pattern has at most {LONGEST} bytes")]
    TooLong,
    #[error("no path could fit it: {0}; write it as paths are after decoding, without a `?`")]
    Path(#[from] path::Ambiguous),
    #[error("`{0}` must be a whole segment: `{{name}}`, `*`, or at the very end `**`")]
    Segment(String),
    #[error("`**` is for the end of a pattern")]
    NotLast,
    #[error("`{0}` is no name for a capture: lower-case letters, digits and `_`")]
    Capture(String),
    #[error("the capture `{{{0}}}` is there twice")]
    Twice(String),
    #[error("a trailing slash makes no difference; leave it out")]
    TrailingSlash,
}

impl Pattern {
    pub fn new(text: &str) -> Result<Self, NotAPattern> {
        if text.len() > LONGEST {
            return Err(NotAPattern::TooLong);
        }
        if path::normalise(text)? != text {
            return Err(NotAPattern::Path(path::Ambiguous::Character));
        }
        if text.len() > 1 && text.ends_with('/') {
            return Err(NotAPattern::TrailingSlash);
        }
        let mut pattern = Self { text: text.to_owned(), segments: Vec::new(), open: false };
        for segment in segments(text) {
            if pattern.open {
                return Err(NotAPattern::NotLast);
            }
            if segment == "**" {
                pattern.open = true;
            } else {
                let segment = pattern.segment(segment)?;
                pattern.segments.push(segment);
            }
        }
        Ok(pattern)
    }

    fn segment(&self, text: &str) -> Result<Segment, NotAPattern> {
        if text == "*" {
            return Ok(Segment::Any(None));
        }
        if let Some(name) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            if name.is_empty() || !name.bytes().all(plain) {
                return Err(NotAPattern::Capture(name.to_owned()));
            }
            if self.capture(name).is_some() {
                return Err(NotAPattern::Twice(name.to_owned()));
            }
            return Ok(Segment::Any(Some(name.to_owned())));
        }
        if text.contains(['{', '}', '*']) {
            return Err(NotAPattern::Segment(text.to_owned()));
        }
        Ok(Segment::Literal(text.to_owned()))
    }

    /// The number of the segment that has this name, from 0.
    pub fn capture(&self, name: &str) -> Option<usize> {
        self.segments.iter().position(|segment| matches!(segment, Segment::Any(Some(own)) if own == name))
    }

    /// The names of all captures, with what each is in a path that fits.
    pub fn captures<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.segments.iter().zip(segments(path)).filter_map(|(segment, text)| match segment {
            Segment::Any(Some(name)) => Some((name.as_str(), text)),
            _ => None,
        })
    }

    /// Whether a normalised path fits. One slash at the end makes no difference, as it makes none to most servers.
    pub fn fit(&self, path: &str) -> Fit {
        let mut rest = segments(path);
        let mut fit = Fit::Yes;
        for segment in &self.segments {
            let Some(text) = rest.next() else { return Fit::No };
            match segment {
                Segment::Literal(literal) if literal == text => {}
                Segment::Literal(literal) if is_same_in_any_case(literal, text) => fit = Fit::InOtherCase,
                Segment::Literal(_) => return Fit::No,
                Segment::Any(_) => {}
            }
        }
        if self.open || rest.next().is_none() { fit } else { Fit::No }
    }

    /// Whether every path that fits `other` fits this one too.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let shorter = self.segments.len() <= other.segments.len();
        let ends = if self.open { shorter } else { !other.open && self.segments.len() == other.segments.len() };
        let covers = |(own, other): (&Segment, &Segment)| match own {
            Segment::Any(_) => true,
            Segment::Literal(_) => own == other,
        };
        ends && self.segments.iter().zip(&other.segments).all(covers)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// The segments of a normalised path; the root has none.
pub(super) fn segments(path: &str) -> impl Iterator<Item = &str> {
    let inner = path.strip_prefix('/').unwrap_or(path);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    // Each is looked through for its end: a search that is made for long texts would take longer to begin.
    let mut rest = Some(inner);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let end = text.bytes().position(|byte| byte == b'/');
        let (segment, after) = end.and_then(|end| text.split_at_checked(end)).unwrap_or((text, ""));
        rest = after.strip_prefix('/');
        Some(segment)
    })
    .filter(|segment| !segment.is_empty())
}
