//! What is asked for on the command line.

use std::path::PathBuf;

/// A part of all that is measured, and the word for it, in the order in which they are measured.
macro_rules! parts {
    ($($name:ident $word:literal),* $(,)?) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Part { $($name),* }

        impl Part {
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];

            pub(crate) const fn word(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }
        }
    };
}

parts! {
    Process "process",
    Memory "memory",
    Cost "cost",
    Growth "growth",
    Speed "speed",
    Latency "latency",
    Mix "mix",
    Flood "flood",
    Connections "connections",
    Peers "peers",
    Nodes "nodes",
    Lists "lists",
    Meter "meter",
    Gateways "gateways",
    // Last: what it revokes is dead for all that would come after it.
    Revokes "revokes",
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Measure {
        parts: Vec<Part>,
        quick: bool,
        json: Option<PathBuf>,
        keys: Option<usize>,
    },
    Compare(Vec<PathBuf>),
    /// Instructions, beside those that are kept.
    Count {
        keep: bool,
    },
}

pub(crate) fn read(words: &[&str]) -> Result<Wanted, String> {
    if let ["compare", files @ ..] = words {
        return match files {
            [_] | [_, _] => Ok(Wanted::Compare(files.iter().map(PathBuf::from).collect())),
            _ => Err("compare takes the JSON of one run, in a file or in two".to_owned()),
        };
    }
    if let ["instructions", rest @ ..] = words {
        return match rest {
            [] | ["--keep"] => Ok(Wanted::Count { keep: !rest.is_empty() }),
            _ => Err("instructions takes nothing but --keep".to_owned()),
        };
    }
    let (mut parts, mut quick, mut json, mut keys) = (Vec::new(), false, None, None);
    let mut words = words.iter();
    while let Some(&word) = words.next() {
        match word {
            "--quick" => quick = true,
            "--json" => json = Some(PathBuf::from(words.next().ok_or("--json takes a file")?)),
            "--keys" => {
                let count = words.next().and_then(|count| count.replace(['_', ','], "").parse().ok());
                // Fewer would not be enough to revoke some.
                keys = Some(count.filter(|&count| count >= 50_000).ok_or("--keys takes a number, at least 50,000")?);
            }
            _ => parts.push(part(word)?),
        }
    }
    if parts.is_empty() {
        parts = Part::ALL.to_vec();
    }
    Ok(Wanted::Measure { parts, quick, json, keys })
}

fn part(word: &str) -> Result<Part, String> {
    Part::ALL.iter().copied().find(|part| part.word() == word).ok_or_else(|| {
        let all: Vec<&str> = Part::ALL.iter().map(|part| part.word()).collect();
        format!(
            "there is no {word}; there are {}; --quick, --json FILE, --keys N; compare FILE; and instructions",
            all.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_parts_and_nothing_is_all_of_them() {
        let Ok(Wanted::Measure { parts, quick, json, keys }) = read(&[]) else { panic!() };
        assert_eq!((parts.as_slice(), quick, json, keys), (Part::ALL, false, None, None));
        let wanted = read(&["speed", "--quick", "lists", "--json", "a.json", "--keys", "10_000_000"]).unwrap();
        let parts = vec![Part::Speed, Part::Lists];
        let json = Some("a.json".into());
        assert_eq!(wanted, Wanted::Measure { parts, quick: true, json, keys: Some(10_000_000) });
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for words in [&["--lists"][..], &["spede"], &["--json"], &["--keys"], &["--keys", "10"], &["compare"]] {
            assert!(read(words).is_err(), "{words:?}");
        }
        assert!(read(&["compare", "a", "b", "c"]).is_err());
        assert!(read(&["instructions", "--quick"]).is_err());
        assert_eq!(read(&["instructions", "--keep"]), Ok(Wanted::Count { keep: true }));
        assert_eq!(read(&["compare", "a"]), Ok(Wanted::Compare(vec!["a".into()])));
    }
}
