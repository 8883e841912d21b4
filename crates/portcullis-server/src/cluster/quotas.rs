//! Parts of quotas: taken from the database before they are used, and given back by whoever stops.

use portcullis_core::limits::Subject;

use crate::app::App;
use crate::store::{StoreError, again};
use crate::verify::quotas::{Taken, Wanted};

/// Takes a part of a quota, unless somebody has just done so.
pub(crate) async fn take(app: &App, wanted: &Wanted) -> Result<(), StoreError> {
    let Wanted { subject, period, number, limit, part, .. } = *wanted;
    let spending = async || {
        // One at a time: whoever waited finds what the first has taken.
        let turn = app.quota_turn.lock().await;
        if !app.quotas.is_wanted(wanted) {
            return Ok(None);
        }
        let mut edit = app.store.write().await?;
        let spent = edit.spend_quota((subject, period, number), limit, part).await?;
        edit.commit().await?;
        Ok(Some((turn, spent)))
    };
    let Some((_turn, spent)) = again!({ app.store.in_time(spending()).await })? else { return Ok(()) };
    app.quotas.take(subject, period, Taken { number: spent.number, part: spent.part, spent: spent.by_all });
    Ok(())
}

/// Gives back what is left of all parts.
pub(crate) async fn return_all(app: &App) -> Result<(), StoreError> {
    for subject in app.quotas.subjects() {
        return_of(app, subject).await?;
    }
    Ok(())
}

/// Gives back what is left of a subject's parts. What cannot be given back counts as spent.
pub(crate) async fn return_of(app: &App, subject: Subject) -> Result<(), StoreError> {
    let _turn = app.quota_turn.lock().await;
    let given = app.quotas.give_back(subject);
    if given.is_empty() {
        return Ok(());
    }
    let returning = async || {
        let mut edit = app.store.write().await?;
        for &(period, left) in &given {
            edit.return_quota((subject, period, left.number), left.part).await?;
        }
        edit.commit().await
    };
    again!({ app.store.in_time(returning()).await })
}
