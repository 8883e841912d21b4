//! `…/usage` of keys, users and businesses.

use std::sync::Arc;

use axum::extract::{RawPathParams, State};
use portcullis_api::usage::{CountsByCode, KeyUsageQuery, Usage, UsagePoint, UsageQuery};
use portcullis_core::decision::Code;

use super::body::KnownQuery;
use super::{Answer, path_id_of, success};
use crate::app::App;
use crate::caller::{LooksAfterApiKeys, OfAccount, OfBusiness, UsageRead};
use crate::error::Error;
use crate::manage::usage::{self, Counts, Window};

pub(crate) async fn of_key(
    State(app): State<Arc<App>>,
    of: OfAccount<UsageRead>,
    path: RawPathParams,
    KnownQuery(query): KnownQuery<KeyUsageQuery>,
) -> Answer<Usage> {
    let family = match query.family.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Error::Invalid("`family` is `true` or `false`.".to_owned())),
    };
    let (id, window) = (path_id_of(&path, "key_id")?, Window::read(query.window.as_deref())?);
    Ok(success(wire(&usage::of_key(&app, &of.account, id, window, family).await?)))
}

pub(crate) async fn of_user(
    State(app): State<Arc<App>>,
    of: OfAccount<UsageRead>,
    KnownQuery(query): KnownQuery<UsageQuery>,
) -> Answer<Usage> {
    Ok(success(wire(&usage::of_user(&app, &of.account, Window::read(query.window.as_deref())?).await?)))
}

pub(crate) async fn of_business(
    State(app): State<Arc<App>>,
    of: OfBusiness<UsageRead, LooksAfterApiKeys>,
    KnownQuery(query): KnownQuery<UsageQuery>,
) -> Answer<Usage> {
    Ok(success(wire(&usage::of_business(&app, &of.tenant, Window::read(query.window.as_deref())?).await?)))
}

fn wire(usage: &usage::Usage) -> Usage {
    Usage {
        window: usage.window.name.to_owned(),
        from: usage.from.into(),
        to: usage.to.into(),
        totals: counts(&usage.totals),
        series: usage.series.iter().map(|(at, of)| UsagePoint { at: (*at).into(), counts: counts(of) }).collect(),
    }
}

fn counts(counts: &Counts) -> CountsByCode {
    let decided = |(code, count): (&Code, &i64)| {
        u64::try_from(*count).ok().filter(|count| *count > 0).map(|count| (code.name().to_owned(), count))
    };
    CountsByCode(Code::ALL.iter().zip(counts).filter_map(decided).collect())
}
