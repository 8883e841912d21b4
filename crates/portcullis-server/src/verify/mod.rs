//! The data plane: from a request to a decision, with nothing but memory on the way.

pub(crate) mod credentials;
mod explain;
pub(crate) mod last_used;

use portcullis_api::verify::Explained;
use portcullis_core::decision::{Ask, Decision, Presented, Room, decide};
use portcullis_core::id::OperatorKeyId;
use portcullis_core::operator::OperatorGrants;
use portcullis_core::token::WellFormed;

use crate::app::App;

/// The node's memory is not to be trusted, so nobody is told yes or no.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the node's memory is being read anew")]
pub(crate) struct NoMemory;

/// Decides, and gives the decision to `answer`, which sees the state it was made on.
pub(crate) fn check<T>(app: &App, ask: &Ask, answer: impl FnOnce(&Decision<'_>) -> T) -> Result<T, NoMemory> {
    let keyring = app.node.keyring().ok_or(NoMemory)?;
    let now = app.clock.now();
    let decision = decide(&keyring, ask, now, |key| {
        app.last_used.note(key.id(), now);
        Room::Free
    });
    Ok(answer(&decision))
}

/// Like [`check`], with the nine rules explained; nothing is charged.
pub(crate) fn check_explained<T>(
    app: &App,
    ask: &Ask,
    answer: impl FnOnce(&Decision<'_>, Vec<Explained>) -> T,
) -> Result<T, NoMemory> {
    let keyring = app.node.keyring().ok_or(NoMemory)?;
    let now = app.clock.now();
    let decision = decide(&keyring, ask, now, |_| Room::Free);
    let explanation = explain::explain(&decision, ask, &app.catalogue, now);
    Ok(answer(&decision, explanation))
}

/// Rule 1, and the digest that the key is looked up by. A text of another form is hashed only where keys were imported, and
/// then it is up to rule 2 whether there is such a key.
pub(crate) fn present(app: &App, text: &str) -> Presented {
    if let Ok(token) = WellFormed::parse(text, &app.config.token_prefix) {
        return Presented::WellFormed(app.pepper.digest(&token));
    }
    let imported = text.len() <= LONGEST_FOREIGN && app.node.keyring().is_some_and(|keyring| keyring.has_imported());
    if imported { Presented::WellFormed(app.pepper.digest_of_foreign(text)) } else { Presented::Malformed }
}

/// The longest token of a key that was issued elsewhere, in bytes.
const LONGEST_FOREIGN: usize = 256;

/// Whether a text has the form of an operator key.
pub(crate) fn is_operator_token(app: &App, text: &str) -> bool {
    WellFormed::parse(text, &app.operator_prefix).is_ok()
}

/// The live operator key that this text is the token of.
pub(crate) fn operator(app: &App, text: &str) -> Result<Option<(OperatorKeyId, OperatorGrants)>, NoMemory> {
    let keyring = app.node.keyring().ok_or(NoMemory)?;
    let Ok(token) = WellFormed::parse(text, &app.operator_prefix) else { return Ok(None) };
    Ok(keyring.find_operator(&app.pepper.digest(&token)))
}
