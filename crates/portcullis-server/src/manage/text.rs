//! Text that people write and other people read: names and reasons.

use portcullis_api::problem::FieldError;

/// The longest name, in characters.
pub(crate) const NAME: usize = 100;
/// What is wrong with a text that should be an e-mail address.
pub(crate) const NO_EMAIL: &str = "must be an e-mail address";
/// The longest reason, in characters.
pub(crate) const REASON: usize = 200;

/// Checks a text of 1 to `longest` characters, and notes in `errors` what is wrong with it.
pub(crate) fn check(errors: &mut Vec<FieldError>, pointer: &str, text: &str, longest: usize) {
    let detail = if text.trim().is_empty() {
        "must not be empty or only blanks".to_owned()
    } else if text.chars().count() > longest {
        format!("must be at most {longest} characters")
    } else if text.chars().any(is_unseen) {
        "must not have control characters, or characters that change the direction of writing or have no width"
            .to_owned()
    } else {
        return;
    };
    errors.push(FieldError { pointer: pointer.to_owned(), detail });
}

/// Characters that a reader does not see and that make a text look like another one.
fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Whether a text has the form of an e-mail address, as far as form can tell.
pub(crate) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"(),:;<>@[\\]".contains(&byte));
    let domain_ok = domain.split('.').all(|label| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    });
    (1..=64).contains(&local.len()) && text.len() <= 254 && plain(local) && domain_ok
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> bool {
        let mut errors = Vec::new();
        check(&mut errors, "/name", text, 100);
        !errors.is_empty()
    }

    #[test]
    fn names() {
        for good in ["a", "Zapier Integration - Dental Clinic", "=cmd()", "<b>", "Zahnärzte 牙医", &"é".repeat(100)]
        {
            assert!(!wrong(good), "{good}");
        }
        for bad in ["", "  ", "\u{3000}", "a\nb", "a\0b", "\u{1b}[31m", "a\u{202e}b", "a\u{200b}b", &"é".repeat(101)] {
            assert!(wrong(bad), "{bad:?}");
        }
    }

    #[test]
    fn emails() {
        for good in ["a@b", "ann.o'hara+x@mail.example.com", "A@B.example"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["", "ann", "@b", "a@", "a b@c", "a@b@c", "a@-b.c", "a@b..c", "a@b.c\n", "é@b.c", "<a@b.c>"] {
            assert!(!is_email(bad), "{bad:?}");
        }
    }
}
