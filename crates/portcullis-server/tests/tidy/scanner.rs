//! Just enough reading of Rust for the walls: what is code, where a word or a module is named, where a function ends.
//!
//! It works on letters, not on a syntax tree: a parser would be one more dependency, and the sources are formatted.

pub(super) struct Function<'a> {
    pub(super) name: &'a str,
    pub(super) line: usize,
    /// From the line with `fn` to the one with the closing brace.
    pub(super) lines: usize,
}

/// Every function with a body, also those within others. A type such as `fn(u8)` has no name and is none.
pub(super) fn functions(code: &str) -> Vec<Function<'_>> {
    let starts = positions(code, "fn").into_iter();
    let found = starts.filter_map(|at| {
        let name = leading_word(code[at + 2..].trim_start());
        let end = at + 2 + body_end(&code[at + 2..])?;
        (!name.is_empty()).then(|| Function { name, line: line_of(code, at), lines: code[at..end].lines().count() })
    });
    found.collect()
}

/// Where the body of the function ends whose signature `code` starts with, or nothing if it has none.
fn body_end(code: &str) -> Option<usize> {
    let (mut brackets, mut braces) = (0_usize, 0_usize);
    for (at, letter) in code.char_indices() {
        match letter {
            '(' | '[' if braces == 0 => brackets += 1,
            ')' | ']' if braces == 0 => brackets = brackets.checked_sub(1)?,
            ';' if braces == 0 && brackets == 0 => return None,
            '{' if brackets == 0 => braces += 1,
            '}' if braces == 1 => return Some(at + 1),
            '}' if braces > 1 => braces -= 1,
            _ => {}
        }
    }
    None
}

/// The lines on which `word` stands as a word of its own.
pub(super) fn lines_with(code: &str, word: &str) -> Vec<usize> {
    let found = match word.strip_prefix("crate::") {
        None => positions(code, word),
        Some(module) => {
            let roots = ["crate::", "super::"].into_iter();
            let paths = roots.flat_map(|root| positions(code, root).into_iter().map(|at| at + root.len()));
            paths.flat_map(|at| first_names(code, at)).filter(|&at| leading_word(&code[at..]) == module).collect()
        }
    };
    let mut lines: Vec<_> = found.into_iter().map(|at| line_of(code, at)).collect();
    lines.sort_unstable();
    lines.dedup();
    lines
}

/// Where the names start that stand at `at`: one, or the first of each path of a group in braces.
fn first_names(code: &str, at: usize) -> Vec<usize> {
    let Some(group) = code[at..].strip_prefix('{') else { return vec![at] };
    let (mut names, mut depth, mut expected) = (Vec::new(), 0_usize, true);
    for (offset, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expected = true,
            _ if expected && is_word(letter) => {
                names.push(at + 1 + offset);
                expected = false;
            }
            _ => {}
        }
    }
    names
}

/// Where `word` starts, unless it is only a part of a longer word there.
fn positions(code: &str, word: &str) -> Vec<usize> {
    let joined = |left: Option<char>, right: Option<char>| left.is_some_and(is_word) && right.is_some_and(is_word);
    let alone = |&at: &usize| {
        let (before, after) = (&code[..at], &code[at + word.len()..]);
        !joined(before.chars().next_back(), word.chars().next())
            && !joined(word.chars().next_back(), after.chars().next())
    };
    code.match_indices(word).map(|(at, _)| at).filter(alone).collect()
}

fn leading_word(code: &str) -> &str {
    code.split(|letter| !is_word(letter)).next().unwrap_or_default()
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// The source with comments and literals blanked, line for line, so that words and braces in them do not count.
pub(super) fn code_only(source: &str) -> String {
    let (mut code, mut rest) = (String::with_capacity(source.len()), source);
    while let Some(letter) = rest.chars().next() {
        let blanked =
            if code.ends_with(is_word) { plain_literal(rest) } else { raw_string(rest).or(plain_literal(rest)) };
        let (head, tail) = rest.split_at(blanked.unwrap_or(letter.len_utf8()));
        match blanked {
            None => code.push_str(head),
            Some(_) => code.extend(head.chars().map(|letter| if letter == '\n' { '\n' } else { ' ' })),
        }
        rest = tail;
    }
    code
}

/// The length of the comment, string or character that `code` starts with. A lifetime is none of them.
fn plain_literal(code: &str) -> Option<usize> {
    let escaped_end = |quote: char| {
        let mut escape = false;
        let end = code.char_indices().skip(1).find(|&(_, letter)| {
            let closes = letter == quote && !escape;
            escape = letter == '\\' && !escape;
            closes
        });
        end.map_or(code.len(), |(at, _)| at + 1)
    };
    let mut letters = code.chars();
    match (letters.next()?, letters.next()?, letters.next()) {
        ('/', '/', _) => Some(code.find('\n').unwrap_or(code.len())),
        ('/', '*', _) => Some(block_comment(code)),
        ('"', ..) => Some(escaped_end('"')),
        ('\'', '\\', _) | ('\'', _, Some('\'')) => Some(escaped_end('\'')),
        _ => None,
    }
}

/// The length of the comment that `code` starts with; comments nest.
fn block_comment(code: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(letter) = code[at..].chars().next() {
        let (change, length) = match code[at..].get(..2) {
            Some("/*") => (1, 2),
            Some("*/") => (-1, 2),
            _ => (0, letter.len_utf8()),
        };
        depth = depth.saturating_add_signed(change);
        at += length;
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of the raw string (`r"…"`, `br#"…"#`) that `code` starts with.
fn raw_string(code: &str) -> Option<usize> {
    let body = code.strip_prefix(['b', 'c']).unwrap_or(code).strip_prefix('r')?;
    let text = body.trim_start_matches('#');
    let hashes = &body[..body.len() - text.len()];
    let text = text.strip_prefix('"')?;
    let start = code.len() - text.len();
    Some(text.find(&format!("\"{hashes}")).map_or(code.len(), |end| start + end + 1 + hashes.len()))
}

#[test]
fn a_module_is_found_however_it_is_named() {
    let lines = |code| lines_with(code, "crate::store");
    assert_eq!(lines("use crate::{\n    error::{Error, store},\n    store::{Store, api_keys},\n};"), [3]);
    assert_eq!(lines("use crate::{store, app};\nuse super::super::store::Store;"), [1, 2]);
    assert_eq!(lines("use crate::storefront;\nuse crate::app::store;\nuse crate::{app, storefront};"), [0; 0]);
}

#[test]
fn the_scanner_is_not_led_astray_by_braces_that_are_no_code() {
    let code = code_only(
        r##"
trait Shape { fn area(&self) -> [u8; { 2 + 1 }]; }
type Callback = fn(u8) -> u8;
fn first<'a>(x: &'a str) -> bool {
    let texts = ("}", "\"}", r#"}"}"#, br"}\", b"\\", 'a');
    let letters = ['}', '\'', '\u{7d}', '"', b'{' as char];
    /* } /* } */ } */ // }
    fn inner() {
    }
    x.is_empty()
}
fn second() {}
"##,
    );
    let found = functions(&code);
    let found: Vec<_> = found.iter().map(|function| (function.name, function.line, function.lines)).collect();
    assert_eq!(found, [("first", 4, 8), ("inner", 8, 2), ("second", 12, 1)]);
}
