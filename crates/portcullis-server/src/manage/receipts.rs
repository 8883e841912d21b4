//! How the edit of a request became true everywhere, for whoever writes the answer.
//!
//! It travels beside the values that the functions of `manage` return: nothing depends on it, and every answer may tell it.

use std::cell::Cell;

use crate::cluster::Receipt;

tokio::task_local! {
    static LAST: Cell<Option<Receipt>>;
}

/// Does the work of a request, which may note one.
pub(crate) async fn noting<T>(work: impl Future<Output = T>) -> T {
    LAST.scope(Cell::new(None), work).await
}

/// Notes it, where a request is behind the edit.
pub(super) fn note(receipt: Receipt) {
    let _ = LAST.try_with(|last| last.set(Some(receipt)));
}

/// That of the last edit of this request.
pub(crate) fn last() -> Option<Receipt> {
    LAST.try_with(Cell::get).ok().flatten()
}
