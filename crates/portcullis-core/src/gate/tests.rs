//! Rules by example, and the two promises: a path that was normalised stays as it is, and no other way to read a path leads to
//! another rule.

use proptest::prelude::*;

use super::*;
use crate::permission::{Catalogue, Resource};

fn catalogue() -> Catalogue {
    let both = vec![Action::Read, Action::Write];
    Catalogue::new(vec![Resource { name: "contacts".to_owned(), actions: both }]).unwrap()
}

fn needs(name: &str) -> Needs {
    Needs::Permission(catalogue().permission(name).unwrap())
}

fn rule(methods: &[&str], pattern: &str, needs: Needs) -> Rule {
    let methods = if methods == ["*"] {
        Methods::Any
    } else {
        Methods::These(methods.iter().map(|&method| method.to_owned()).collect())
    };
    Rule { methods, pattern: Pattern::new(pattern).unwrap(), needs, business: BusinessFrom::None }
}

fn gate() -> Gate {
    Gate {
        name: "crm".to_owned(),
        rules: vec![
            rule(&["GET"], "/health", Needs::Nothing),
            rule(&["POST"], "/api/contacts/import", needs("contacts:write")),
            rule(&["GET"], "/api/contacts/export", needs("contacts:write")),
            rule(&["GET", "HEAD"], "/api/contacts/**", needs("contacts:read")),
            rule(&["GET"], "/api/{business_id}/*/notes", Needs::LiveKey),
        ],
    }
}

fn number(method: &str, path: &str) -> Result<usize, Unruled> {
    let path = path::normalise(path)?;
    gate().rule(method, &path).map(|found| found.number)
}

#[test]
fn the_first_rule_that_fits_is_the_one() {
    for (request, expected) in [
        ("GET /health", Ok(1)),
        ("GET /health?deep=1", Ok(1)),
        ("POST /api/contacts/import", Ok(2)),
        ("GET /api/contacts/export", Ok(3)),
        ("GET /api/contacts/export/", Ok(3)),
        ("GET /api/contacts/exp%6Frt", Ok(3)),
        ("GET /api/contacts/export/1", Ok(4)),
        ("HEAD /api/contacts", Ok(4)),
        ("GET /api/contacts/", Ok(4)),
        ("GET /api/contacts/1/calls/2", Ok(4)),
        ("GET /api/biz_1/x/notes", Ok(5)),
        ("GET /", Err(Unruled::NoRule)),
        ("GET /api/contactsx", Err(Unruled::NoRule)),
        ("GET /api/biz_1/notes", Err(Unruled::NoRule)),
        ("POST /api/contacts", Err(Unruled::NoRule)),
        ("get /api/contacts", Err(Unruled::NoRule)),
        ("HEAD /health", Ok(1)),
        ("HEAD /api/contacts/export", Ok(3)),
        ("GET /api/contacts/export.", Err(Unruled::Path(path::Ambiguous::CutOff))),
    ] {
        let (method, path) = request.split_once(' ').unwrap();
        assert_eq!(number(method, path), expected, "{request}");
    }
}

/// Behind a gate there may be an API to which `EXPORT` is `export`.
#[test]
fn attack_12_another_case_does_not_lead_past_a_rule() {
    assert_eq!(number("GET", "/api/contacts/EXPORT"), Err(Unruled::Case(3)));
    assert_eq!(number("GET", "/API/contacts/1"), Err(Unruled::Case(4)));
    assert_eq!(number("GET", "/Health"), Err(Unruled::Case(1)));
    let gate = Gate {
        name: "umlaut".to_owned(),
        rules: vec![rule(&["*"], "/büro", needs("contacts:write")), rule(&["*"], "/**", Needs::LiveKey)],
    };
    assert_eq!(gate.rule("GET", "/BÜRO").map(|found| found.number), Err(Unruled::Case(1)));
    assert_eq!(gate.rule("FOO", "/anything/else").map(|found| found.number), Ok(2));
}

#[test]
fn the_business_is_in_its_place() {
    let mut rule = rule(&["*"], "/api/{business_id}/contacts/**", Needs::LiveKey);
    rule.business = BusinessFrom::Segment(rule.pattern.capture("business_id").unwrap());
    let found = Found { number: 1, rule: &rule };
    assert_eq!(found.business_in("/api/biz_1/contacts/7"), Some("biz_1"));
    let captures: Vec<_> = rule.pattern.captures("/api/biz_1/contacts").collect();
    assert_eq!(captures, [("business_id", "biz_1")]);
}

#[test]
fn what_is_no_pattern() {
    use NotAPattern as No;
    let wrong = |text: &str| Pattern::new(text).unwrap_err();
    assert_eq!(wrong("api"), No::Path(path::Ambiguous::Relative));
    assert_eq!(wrong("/a//b"), No::Path(path::Ambiguous::EmptySegment));
    assert_eq!(wrong("/a/../b"), No::Path(path::Ambiguous::DotSegment));
    assert_eq!(wrong("/a?b"), No::Path(path::Ambiguous::Character));
    assert_eq!(wrong("/a%20b"), No::Path(path::Ambiguous::Character));
    assert_eq!(wrong("/a/"), No::TrailingSlash);
    assert_eq!(wrong("/**/a"), No::NotLast);
    assert_eq!(wrong("/a*"), No::Segment("a*".to_owned()));
    assert_eq!(wrong("/a{b}"), No::Segment("a{b}".to_owned()));
    assert_eq!(wrong("/{A}"), No::Capture("A".to_owned()));
    assert_eq!(wrong("/{}"), No::Capture(String::new()));
    assert_eq!(wrong("/{a}/{a}"), No::Twice("a".to_owned()));
    assert_eq!(wrong(&format!("/{}", "a".repeat(128))), No::TooLong);
    for right in ["/", "/**", "/a b/é", "/a/*/{b}/**"] {
        assert_eq!(Pattern::new(right).unwrap().to_string(), right);
    }
}

#[test]
fn rules_that_never_come_to_their_turn() {
    let all = |rules| Gate { name: String::new(), rules }.shadowed().collect::<Vec<_>>();
    assert_eq!(all(gate().rules), []);
    let rules = vec![
        rule(&["GET"], "/a/**", Needs::LiveKey),
        rule(&["GET"], "/a", Needs::LiveKey),
        rule(&["*"], "/a", Needs::LiveKey),
        rule(&["GET"], "/a/{b}/**", Needs::LiveKey),
        rule(&["GET"], "/**", Needs::LiveKey),
        rule(&["GET"], "/*", Needs::LiveKey),
    ];
    assert_eq!(all(rules), [(2, 1), (4, 1), (6, 5)]);
}

/// Every way in which servers are known to read a path, once they have decoded it: each is what some API behind a gate takes it for.
fn readings(raw: &str) -> Vec<String> {
    let mut all = vec![decoded(raw.split('?').next().unwrap_or_default())];
    let ways: [fn(&str) -> String; 11] = [
        decoded,
        collapsed,
        resolved,
        |path| path.to_lowercase(),
        |path| path.to_uppercase(),
        |path| path.replace('\\', "/"),
        |path| path.split('/').map(|one| one.split(';').next().unwrap_or_default()).collect::<Vec<_>>().join("/"),
        |path| path.split('#').next().unwrap_or_default().to_owned(),
        |path| path.trim_end_matches('/').to_owned(),
        |path| path.split('/').map(|one| one.trim_end_matches(['.', ' '])).collect::<Vec<_>>().join("/"),
        |path| path.trim_end_matches(['.', ' ']).to_owned(),
    ];
    // Twice, because what one of them leaves another may take up.
    for _ in 0..2 {
        for path in all.clone() {
            all.extend(ways.iter().map(|way| way(&path)));
        }
        all.sort();
        all.dedup();
    }
    all
}

fn decoded(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let value = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        let value = value.filter(|_| byte == b'%');
        bytes.push(value.unwrap_or(byte));
        rest = if value.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn collapsed(path: &str) -> String {
    let mut path = path.to_owned();
    while path.contains("//") {
        path = path.replace("//", "/");
    }
    path
}

fn resolved(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    segments.join("/")
}

fn literal() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "A", "%61", "export", "EXPORT", "ex%70ort", "{id}", "*"])
        .prop_map(str::to_owned)
}

/// Gates of a few rules that overlap, on few words, so that a wrong reading would find another rule.
fn gates() -> impl Strategy<Value = Gate> {
    let pattern =
        (prop::collection::vec(literal(), 0..4), any::<bool>()).prop_filter_map("no pattern", |(all, open)| {
            let open = if open { "/**" } else { "" };
            Pattern::new(&format!("/{}{open}", all.join("/")).replace("//", "/")).ok()
        });
    prop::collection::vec(pattern, 1..5).prop_map(|patterns| {
        let rule =
            |pattern| Rule { methods: Methods::Any, pattern, needs: Needs::LiveKey, business: BusinessFrom::None };
        Gate { name: String::new(), rules: patterns.into_iter().map(rule).collect() }
    })
}

fn tricky() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "/", "/", "/", "a", "b", "A", "export", "EXPORT", ".", "..", "%2e", "%2F", "%5c", "\\", ";x", "%3b", "%61",
        "%41", "%2561", "?", "#", "%23", "%00", "%", "%c3%a9", "é", " ", "%20",
    ]);
    prop::collection::vec(part, 0..8).prop_map(|parts| format!("/{}", parts.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    /// A request that a rule lets through falls under that rule, or under none, however the API behind reads its path.
    #[test]
    fn attack_12_no_reading_of_a_path_leads_to_another_rule(gate in gates(), raw in tricky()) {
        let Ok(path) = path::normalise(&raw) else { return Ok(()) };
        let again = path::normalise(&path);
        prop_assert_eq!(again.as_deref(), Ok(&*path));
        let Ok(found) = gate.rule("GET", &path) else { return Ok(()) };
        for reading in readings(&raw) {
            let reached = gate.rule("GET", &reading).map(|reached| reached.number);
            prop_assert!(
                reached.is_err() || reached == Ok(found.number),
                "{raw} is let through by rule {}, and may be read as {reading}: {reached:?}", found.number,
            );
            // What may be read as the owner's account is taken for it.
            prop_assert!(!is_own_account(&reading) || is_own_account(&path), "{raw} may be read as {reading}");
        }
    }
}
