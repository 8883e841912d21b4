//! The pepper: the 32 bytes without which a stolen database is worthless.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use portcullis_core::dice::Dice;
use portcullis_core::token::Pepper;
use zeroize::Zeroizing;

/// Which pepper a digest was made with; a rotation will raise it.
pub(crate) const PEPPER_VERSION: i64 = 1;

/// Why the pepper cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PepperError {
    #[error("cannot read or write the pepper file {path}: {cause}")]
    File { path: String, cause: std::io::Error },
    #[error(
        "the pepper file {path} can be read by others (mode {mode:o}); run `chmod 600 {path}`, and if anybody may have read it, treat it as known"
    )]
    Readable { path: String, mode: u32 },
    #[error(
        "the pepper file {path} is missing, and this database's keys were made with one: copy it here from another node or from where you keep it (`pepper_file` says where it is looked for)"
    )]
    Missing { path: String },
    #[error("the pepper file {path} does not hold 64 hexadecimal digits")]
    Form { path: String },
    #[error(
        "the pepper is not the one that this database's keys were made with; put the right pepper file back, or every key would be refused"
    )]
    Wrong,
}

/// Reads the pepper of `path`, and makes it where it is missing and may be new: where no key was made with another.
pub(crate) fn read_or_make(path: &Path, may_be_new: bool, dice: &dyn Dice) -> Result<Pepper, PepperError> {
    let failed = |cause| PepperError::File { path: path.display().to_string(), cause };
    if !path.exists() {
        if !may_be_new {
            return Err(PepperError::Missing { path: path.display().to_string() });
        }
        let mut secret = Zeroizing::new([0; 32]);
        dice.fill(secret.as_mut());
        let text = Zeroizing::new(HEXLOWER.encode(secret.as_ref()) + "\n");
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    }
    let mut file = OpenOptions::new().read(true).open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(PepperError::Readable { path: path.display().to_string(), mode });
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(failed)?;
    let secret = hex(text.trim()).ok_or_else(|| PepperError::Form { path: path.display().to_string() })?;
    Ok(Pepper::new(&secret))
}

/// A value that tells whether a pepper is the right one, and nothing else about it.
pub(crate) fn check_value(pepper: &Pepper) -> String {
    HEXLOWER.encode(&pepper.derive("check"))
}

fn hex(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let bytes = Zeroizing::new(HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?);
    Some(Zeroizing::new(*bytes.first_chunk::<32>().filter(|_| bytes.len() == 32)?))
}
