//! Usage: what the database has counted, and what is still on its way there, in one.

use std::collections::BTreeMap;

use portcullis_core::id::ApiKeyId;
use portcullis_core::limits::Subject;
use portcullis_core::scope::{Account, Tenant};
use portcullis_core::time::Timestamp;

use crate::app::App;
use crate::error::Error;
pub(crate) use crate::store::uses::Counts;
use crate::store::uses::{Used, Whose};

const HOUR: i64 = 3_600_000;
const HOURS_OF_A_DAY: i64 = 24;
/// How many days a key's little chart shows.
pub(crate) const DAYS_SHOWN: usize = 30;

/// A time until now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) name: &'static str,
    days: i64,
    /// Whether the series is by the hour; else it is by the day.
    by_hour: bool,
    /// Whether the hours are kept long enough for it to begin in the middle of a day.
    to_the_hour: bool,
}

const WINDOWS: [Window; 5] = [
    Window { name: "24h", days: 1, by_hour: true, to_the_hour: true },
    Window { name: "7d", days: 7, by_hour: false, to_the_hour: true },
    Window { name: "30d", days: 30, by_hour: false, to_the_hour: true },
    Window { name: "90d", days: 90, by_hour: false, to_the_hour: false },
    Window { name: "365d", days: 365, by_hour: false, to_the_hour: false },
];

impl Window {
    pub(crate) fn read(name: Option<&str>) -> Result<Self, Error> {
        let name = name.unwrap_or("24h");
        let known = WINDOWS.into_iter().find(|window| window.name == name);
        known.ok_or_else(|| Error::Invalid("`window` is `24h`, `7d`, `30d`, `90d` or `365d`.".to_owned()))
    }

    /// The first hour of it, counted from 1970: the one in which it begins.
    fn first_hour(self, now: Timestamp) -> i64 {
        let hour = hour(now) - self.days * HOURS_OF_A_DAY;
        if self.to_the_hour { hour } else { hour.div_euclid(HOURS_OF_A_DAY) * HOURS_OF_A_DAY }
    }
}

/// What was decided in a window.
#[derive(Debug, Clone)]
pub(crate) struct Usage {
    pub(crate) window: Window,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) totals: Counts,
    pub(crate) series: Vec<(Timestamp, Counts)>,
}

pub(crate) async fn of_key(
    app: &App,
    account: &Account,
    id: ApiKeyId,
    window: Window,
    family: bool,
) -> Result<Usage, Error> {
    app.store.api_key(account, id).await?;
    let keys = if family { app.store.family(account, id).await? } else { vec![id] };
    let subjects: Vec<Subject> = keys.iter().copied().map(Subject::ApiKey).collect();
    of(app, Whose::Keys(&keys), &subjects, window).await
}

pub(crate) async fn of_user(app: &App, account: &Account, window: Window) -> Result<Usage, Error> {
    app.store.user(account).await?;
    of(app, Whose::User(account), &[Subject::User(account.user())], window).await
}

pub(crate) async fn of_business(app: &App, tenant: &Tenant, window: Window) -> Result<Usage, Error> {
    app.store.business(tenant).await?;
    of(app, Whose::Business(tenant), &[Subject::Business(tenant.business())], window).await
}

/// The keys of a user that were used most in a window, with what was decided. What the database has not heard of yet, which is a
/// matter of seconds, is counted where a key is among those that it knows.
pub(crate) async fn top_keys(
    app: &App,
    account: &Account,
    window: Window,
    most: i64,
) -> Result<Vec<(ApiKeyId, Counts)>, Error> {
    let now = app.clock.now();
    let first = window.first_hour(now);
    let books = app.uses.books.read().await;
    let mut top = if window.by_hour {
        app.store.top_keys_by_hour(account, first, most).await?
    } else {
        // The day in which the window begins counts as a whole: this ranks, and does not account.
        app.store.top_keys_by_day(account, first.div_euclid(HOURS_OF_A_DAY), most).await?
    };
    for (key, counts) in &mut top {
        for (hour, more) in app.uses.unwritten(Subject::ApiKey(*key)).0 {
            if i64::from(hour) >= first {
                add(counts, &more.map(i64::from));
            }
        }
    }
    drop(books);
    top.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.iter().sum::<i64>()));
    Ok(top)
}

async fn of(app: &App, whose: Whose<'_>, subjects: &[Subject], window: Window) -> Result<Usage, Error> {
    let now = app.clock.now();
    let first = window.first_hour(now);
    let books = app.uses.books.read().await;
    let mut points = Points::new(window, first, now);
    for used in hours_and_days(app, &whose, window, first).await? {
        points.add(used.0, used.1.counts);
    }
    for subject in subjects {
        for (hour, counts) in app.uses.unwritten(*subject).0 {
            points.add(hour.into(), counts.map(i64::from));
        }
    }
    drop(books);
    let series: Vec<(Timestamp, Counts)> = points.all.into_iter().map(|(at, counts)| (instant(at), counts)).collect();
    let mut totals = Counts::default();
    for (_, counts) in &series {
        add(&mut totals, counts);
    }
    Ok(Usage { window, from: instant(first), to: now, totals, series })
}

/// What the database has, each with an hour that it falls into.
async fn hours_and_days(app: &App, whose: &Whose<'_>, window: Window, first: i64) -> Result<Vec<(i64, Used)>, Error> {
    let by_hour = |used: Used| (used.at, used);
    let by_day = |used: Used| (used.at * HOURS_OF_A_DAY, used);
    if window.by_hour {
        return Ok(app.store.hours_of(whose, first, i64::MAX).await?.into_iter().map(by_hour).collect());
    }
    // The day in which it begins is a part of one, and its hours are there to tell which.
    let next_day = (first + HOURS_OF_A_DAY - 1).div_euclid(HOURS_OF_A_DAY);
    let mut all: Vec<(i64, Used)> = Vec::new();
    if next_day * HOURS_OF_A_DAY > first {
        let hours = app.store.hours_of(whose, first, next_day * HOURS_OF_A_DAY - 1).await?;
        all.extend(hours.into_iter().map(by_hour));
    }
    all.extend(app.store.days_of(whose, next_day, i64::MAX).await?.into_iter().map(by_day));
    Ok(all)
}

/// The hours or days of a window, each with what was counted in it.
struct Points {
    window: Window,
    first: i64,
    all: BTreeMap<i64, Counts>,
}

impl Points {
    fn new(window: Window, first: i64, now: Timestamp) -> Self {
        let mut points = Self { window, first, all: BTreeMap::new() };
        let step = if window.by_hour { 1 } else { HOURS_OF_A_DAY };
        let mut at = points.point(first);
        while at <= hour(now) {
            points.all.insert(at, Counts::default());
            at += step;
        }
        points
    }

    /// Where an hour is shown, as an hour.
    fn point(&self, hour: i64) -> i64 {
        if self.window.by_hour { hour } else { hour.div_euclid(HOURS_OF_A_DAY) * HOURS_OF_A_DAY }
    }

    /// What lies before the window is left out; what lies after now was counted by a clock that went wrong, and is shown.
    fn add(&mut self, hour: i64, counts: Counts) {
        if hour >= self.first {
            add(self.all.entry(self.point(hour)).or_default(), &counts);
        }
    }
}

/// How often each key was used in the last 24 hours, 7 and 30 days, and when and from where last.
#[derive(Debug, Clone, Default)]
pub(super) struct KeyUse {
    pub(super) totals: [i64; 3],
    /// In each of the last 30 days, today the last.
    pub(super) by_day: [i64; DAYS_SHOWN],
    pub(super) last: Option<(Timestamp, Option<String>)>,
}

impl KeyUse {
    fn add_to_day(&mut self, day: i64, count: i64, now: Timestamp) {
        let ago = usize::try_from(hour(now).div_euclid(HOURS_OF_A_DAY) - day).ok();
        let place = ago.and_then(|ago| (DAYS_SHOWN - 1).checked_sub(ago));
        if let Some(sum) = place.and_then(|place| self.by_day.get_mut(place)) {
            *sum += count;
        }
    }
}

/// The uses of some keys, whose rows were read with a proof, in their order.
pub(super) async fn of_keys(app: &App, keys: &[ApiKeyId]) -> Result<Vec<KeyUse>, Error> {
    let now = app.clock.now();
    let whose = Whose::Keys(keys);
    let [day, week, month] = [0, 1, 2].map(|n| WINDOWS.get(n).map_or(0, |window| window.first_hour(now)));
    let after = |first: i64| first.div_euclid(HOURS_OF_A_DAY) + 1;
    let until = |first: i64| after(first) * HOURS_OF_A_DAY - 1;
    let books = app.uses.books.read().await;
    let mut by_key: BTreeMap<String, KeyUse> = BTreeMap::new();
    let mut count = |used: Used, into: &[usize]| {
        let totals = &mut by_key.entry(used.subject).or_default().totals;
        for place in into {
            if let Some(total) = totals.get_mut(*place) {
                *total += used.counts.iter().sum::<i64>();
            }
        }
    };
    for used in app.store.hours_of(&whose, day, i64::MAX).await? {
        count(used, &[0]);
    }
    for used in app.store.hours_of(&whose, week, until(week)).await? {
        count(used, &[1]);
    }
    for used in app.store.hours_of(&whose, month, until(month)).await? {
        count(used, &[2]);
    }
    for used in app.store.days_of(&whose, after(month), i64::MAX).await? {
        let key_use = by_key.entry(used.subject).or_default();
        let (sum, [_, of_week, of_month]) = (used.counts.iter().sum::<i64>(), &mut key_use.totals);
        *of_week += if used.at >= after(week) { sum } else { 0 };
        *of_month += sum;
        key_use.add_to_day(used.at, sum, now);
    }
    for last in app.store.last_uses(&whose).await? {
        by_key.entry(last.key.to_string()).or_default().last = Some((last.at, last.address));
    }
    let with_unwritten = |key: &ApiKeyId| {
        let mut key_use = by_key.remove(&key.to_string()).unwrap_or_default();
        let (hours, last) = app.uses.unwritten(Subject::ApiKey(*key));
        for (hour, counts) in hours {
            let count: i64 = counts.into_iter().map(i64::from).sum();
            for (total, first) in key_use.totals.iter_mut().zip([day, week, month]) {
                *total += if i64::from(hour) >= first { count } else { 0 };
            }
            key_use.add_to_day(i64::from(hour).div_euclid(HOURS_OF_A_DAY), count, now);
        }
        if let Some(last) = last.filter(|last| key_use.last.as_ref().is_none_or(|(at, _)| *at <= last.at)) {
            key_use.last = Some((last.at, last.address.map(|address| address.to_string())));
        }
        key_use
    };
    let all = keys.iter().map(with_unwritten).collect();
    drop(books);
    Ok(all)
}

fn add(to: &mut Counts, more: &Counts) {
    for (sum, more) in to.iter_mut().zip(more) {
        *sum += more;
    }
}

const fn hour(now: Timestamp) -> i64 {
    now.as_millis().div_euclid(HOUR)
}

const fn instant(hour: i64) -> Timestamp {
    Timestamp::from_millis(hour.saturating_mul(HOUR))
}
