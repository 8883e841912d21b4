//! Passwords: what one must be, and how it is kept (Argon2id, RFC 9106) and held against what somebody says.

use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use portcullis_api::secret::SecretText;
use portcullis_core::dice::Dice;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::app::App;
use crate::error::Error;

/// The shortest password, in characters.
const SHORTEST: usize = 12;
/// The longest, in characters: hashing must not become a way to keep the server busy.
const LONGEST: usize = 256;
/// How long a request waits for its turn to hash.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many passwords are hashed at a time: each takes 19 MiB and some 20 ms of a core.
#[derive(Debug)]
pub(crate) struct Hashing {
    turns: Semaphore,
}

impl Hashing {
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { turns: Semaphore::new(cores) }
    }

    /// Runs `work` off the threads that answer requests, when it is its turn.
    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let busy = || Error::Unavailable("too many passwords are being checked at once".to_owned());
        let turn = tokio::time::timeout(PATIENCE, self.turns.acquire()).await.map_err(|_| busy())?;
        let _turn = turn.map_err(|_| busy())?;
        tokio::task::spawn_blocking(work).await.map_err(|error| Error::Internal(error.to_string()))
    }
}

/// Whether this is the password that was hashed. Without a hash the answer is no, and takes as long.
pub(crate) async fn is_right(app: &App, password: &SecretText, hash: Option<String>) -> Result<bool, Error> {
    let text = Zeroizing::new(password.expose().to_owned());
    let known = hash.is_some();
    let hash = hash.unwrap_or_else(|| DUMMY.to_owned());
    // The longest is looked at no further, and so is told apart by time; that says nothing about any account.
    let fits = text.len() <= 4 * LONGEST;
    let same = app.hashing.run(move || fits && function().verify_password(text.as_bytes(), hash.as_str()).is_ok());
    Ok(same.await? && known)
}

/// The text to keep in place of a password, or what is wrong with the password.
pub(crate) async fn hash(app: &App, password: &SecretText, pointer: &str) -> Result<String, Error> {
    if let Some(wrong) = unfit(password) {
        return Err(Error::field(pointer, wrong));
    }
    keep(app, password).await
}

/// Like [`hash`], for a password that was accepted before.
pub(super) async fn keep(app: &App, password: &SecretText) -> Result<String, Error> {
    let (text, salt) = (Zeroizing::new(password.expose().to_owned()), salt(&app.dice));
    app.hashing.run(move || hashed(&text, &salt)).await?
}

/// What is wrong with a password, as the end of a sentence.
pub(super) fn unfit(password: &SecretText) -> Option<String> {
    let fits = (SHORTEST..=LONGEST).contains(&password.expose().chars().count());
    (!fits).then(|| format!("must have {SHORTEST} to {LONGEST} characters"))
}

/// Whether a hash was made with less than what is asked for today.
pub(crate) fn is_outdated(hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return true };
    let Ok(params) = Params::try_from(&hash) else { return true };
    let today = Params::DEFAULT;
    let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
    hash.algorithm.as_str() != Algorithm::Argon2id.as_str() || costs(&params) != costs(&today)
}

fn salt(dice: &dyn Dice) -> [u8; 16] {
    let mut salt = [0; 16];
    dice.fill(&mut salt);
    salt
}

fn hashed(text: &str, salt: &[u8; 16]) -> Result<String, Error> {
    let hash: Result<PasswordHash, _> = function().hash_password_with_salt(text.as_bytes(), salt);
    hash.map(|hash| hash.to_string()).map_err(|error| Error::Internal(format!("cannot hash a password: {error}")))
}

/// Argon2id with the library's parameters, which are OWASP's.
fn function() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

/// The hash of nothing in particular with today's parameters, for accounts that are not there or have no password.
const DUMMY: &str = "$argon2id$v=19$m=19456,t=2,p=1$cG9ydGN1bGxpcy1ub25l$YAuZLaFpSMJIOJ4ZbWRYSyjVvUVcy0vQwxbGxmAhtvQ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_held_against_and_rises_with_the_parameters() {
        let kept = hashed("correct horse battery", &[7; 16]).unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(function().verify_password(b"correct horse battery", kept.as_str()).is_ok());
        assert!(function().verify_password(b"correct horse batterz", kept.as_str()).is_err());
        assert!(!is_outdated(&kept));
        assert!(is_outdated(
            "$argon2id$v=19$m=4096,t=3,p=1$c29tZXNhbHRzYWx0$YAuZLaFpSMJIOJ4ZbWRYSyjVvUVcy0vQwxbGxmAhtvQ"
        ));
        assert!(is_outdated("$2b$12$x"));
    }

    #[test]
    fn attack_44_the_dummy_costs_what_a_real_one_costs() {
        assert!(!is_outdated(DUMMY));
        assert!(function().verify_password(b"", DUMMY).is_err());
    }

    #[test]
    fn what_a_password_must_be() {
        let wrong = |text: &str| unfit(&SecretText::new(text.to_owned())).is_some();
        assert!(wrong("") && wrong("eleven char") && wrong(&"x".repeat(257)));
        assert!(!wrong("twelve chars") && !wrong("ééééééééécéé") && !wrong(&"é".repeat(256)));
    }
}
