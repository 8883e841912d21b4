//! Which limits a request falls under, and how they stand after it: between the decision, which asks, and those who keep the books.

use std::cmp::Reverse;

use portcullis_core::decision::{self, Denial};
use portcullis_core::id::BusinessId;
use portcullis_core::keyring::{Key, Keyring};
use portcullis_core::limits::{Limits, NamedLimit, Period, Quotas as SetQuotas, Rate, Subject};
use portcullis_core::time::Timestamp;
use portcullis_core::window::{Fit, Window};

use super::limiter::{self, Charge, Windows};
use super::quotas::{self, Answer, Wanted};
use crate::app::App;
use crate::cluster::redis::Seen;

/// What a request falls under, in the order of [`limiter::Standing`]'s places.
type Subjects = [Option<Subject>; 3];

/// Keeps what it was told, so that a decision that is made again is not charged again.
#[derive(Debug)]
pub(super) struct Meter<'a> {
    pub(super) app: &'a App,
    charge: Charge,
    now: Timestamp,
    subjects: Subjects,
    admitted: Option<Result<(), Denial>>,
    windows: Option<limiter::Standing>,
    quota: Option<quotas::Standing>,
    /// What must be taken from the database before a decision can be made.
    pub(super) wanted: Option<Wanted>,
    /// What must be asked of the windows that all nodes share, before a decision can be made.
    asks: Option<Vec<Windows>>,
    shared: Shared,
}

/// What the windows that all nodes share have said.
#[derive(Debug)]
enum Shared {
    NotAsked,
    Said(Seen),
    /// They cannot be asked now.
    Away,
}

/// What a limit is called: `minute`, `user/mine`, `business/quota-day`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name<'k> {
    whose: &'static str,
    kind: &'static str,
    own: &'k str,
}

impl<'k> Name<'k> {
    /// The parts that it is written of, one behind the other.
    pub(crate) const fn parts(&self) -> [&'k str; 3] {
        [self.whose, self.kind, self.own]
    }
}

impl std::fmt::Display for Name<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.parts().into_iter().try_for_each(|part| out.write_str(part))
    }
}

/// How the limits of a live key stand after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing<'k> {
    /// Of the tightest.
    pub(crate) name: Name<'k>,
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// When more room comes.
    pub(crate) reset_at: Timestamp,
    /// Whole seconds after which a request of the same cost is let in; 0 where there is room, `None` where it never is.
    pub(crate) retry_after_seconds: Option<u64>,
    /// The seconds until more room comes.
    pub(crate) reset_seconds: u64,
}

/// One limit, as it is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy<'k> {
    pub(crate) name: Name<'k>,
    pub(crate) limit: u32,
    pub(crate) window_seconds: u32,
}

impl<'a> Meter<'a> {
    pub(super) fn new(app: &'a App, charge: Charge, now: Timestamp) -> Self {
        Self {
            app,
            charge,
            now,
            subjects: [None; 3],
            admitted: None,
            windows: None,
            quota: None,
            wanted: None,
            asks: None,
            shared: Shared::NotAsked,
        }
    }

    /// Whether the decision that was just made must be made again, with what is asked for in between.
    pub(super) const fn is_undecided(&self) -> bool {
        self.wanted.is_some() || self.asks.is_some()
    }

    /// Asks the windows that all nodes share, where they have to be.
    pub(super) async fn ask_shared(&mut self) -> bool {
        let (Some(asks), Some(shared)) = (self.asks.take(), &self.app.shared) else { return false };
        self.shared = shared.ask(&asks, self.charge).await.map_or(Shared::Away, Shared::Said);
        true
    }

    /// The tightest of all limits that were asked.
    pub(super) fn standing<'k>(&self, keyring: &'k Keyring) -> Option<Standing<'k>> {
        let windows = self.windows.map(|standing| self.of_windows(keyring, standing));
        let quota = self.quota.map(|standing| self.of_quota(standing));
        // The one that refuses for longer, or else the one that leaves less; a wait without end is the longest.
        let order =
            |standing: &Standing<'_>| (Reverse(standing.retry_after_seconds.unwrap_or(u64::MAX)), standing.remaining);
        windows.into_iter().chain(quota).min_by_key(order)
    }

    /// Gives all limits that were asked to `take`, as they are announced.
    pub(super) fn each_policy<'k>(&self, keyring: &'k Keyring, mut take: impl FnMut(Policy<'k>)) {
        for &subject in self.subjects.iter().flatten() {
            let limits = keyring.limits(subject);
            for (place, window) in windows(subject, limits, self.app.config.rate).enumerate() {
                let name = window_name(subject, limits, place);
                take(Policy { name, limit: window.limit, window_seconds: window.millis / 1_000 });
            }
            let Some(limits) = limits else { continue };
            for period in Period::ALL {
                let Some(limit) = limits.quotas.of(period) else { continue };
                let days = if period == Period::Day { 1 } else { 30 };
                take(Policy { name: quota_name(subject, period), limit, window_seconds: days * 86_400 });
            }
        }
    }

    fn of_windows<'k>(&self, keyring: &'k Keyring, standing: limiter::Standing) -> Standing<'k> {
        let (subject, place) = standing.place;
        let subject = self.subjects.iter().flatten().nth(subject);
        let nameless = Name { whose: "", kind: "", own: "" };
        Standing {
            name: subject.map_or(nameless, |&subject| window_name(subject, keyring.limits(subject), place)),
            limit: standing.limit,
            remaining: standing.remaining,
            reset_at: self.now.plus_millis(i64::try_from(standing.next_millis).unwrap_or(i64::MAX)),
            reset_seconds: standing.next_millis.div_ceil(1_000),
            retry_after_seconds: match standing.fit {
                Fit::Now => Some(0),
                Fit::After(millis) => Some(millis.div_ceil(1_000).max(1)),
                Fit::Never => None,
            },
        }
    }

    fn of_quota(&self, standing: quotas::Standing) -> Standing<'static> {
        let wait = standing.end.as_millis().saturating_sub(self.now.as_millis());
        let seconds = u64::try_from(wait).unwrap_or(0).div_ceil(1_000).max(1);
        Standing {
            name: quota_name(standing.subject, standing.period),
            limit: standing.limit,
            remaining: standing.remaining,
            reset_at: standing.end,
            reset_seconds: seconds,
            retry_after_seconds: Some(if standing.is_spent { seconds } else { 0 }),
        }
    }

    fn admit_now(&mut self, key: &Key<'_>, concerned: Option<BusinessId>) -> Result<(), Denial> {
        let keyring = key.keyring();
        let family = Subject::Family(key.family());
        let others = [Some(Subject::User(key.user())), concerned.map(Subject::Business)];
        // Who has no limits is not asked about.
        let [user, business] = others.map(|subject| subject.filter(|&subject| keyring.limits(subject).is_some()));
        self.subjects = [Some(family), user, business];
        let rate = self.app.config.rate;
        let is_alone = self.app.shared.is_none();
        let of = |subject: Subject| Windows::of(subject, windows(subject, keyring.limits(subject), rate));
        let mut all = [of(family); 3];
        let mut count = 1;
        for (place, subject) in all.iter_mut().skip(1).zip(self.subjects.iter().skip(1).flatten()) {
            *place = of(*subject);
            count += 1;
        }
        let all = all.get(..count).unwrap_or(&[]);
        self.windows = match &self.shared {
            Shared::NotAsked if is_alone => self.app.limiter.ask(all, self.charge, self.now, &self.app.clock),
            Shared::NotAsked => {
                self.asks = Some(all.to_vec());
                return Ok(());
            }
            Shared::Said(seen) => self.share(all, Some(seen)),
            Shared::Away => self.share(all, None),
        };
        let denial = match self.windows.map(|standing| standing.fit) {
            None | Some(Fit::Now) => return Ok(()),
            Some(Fit::After(_)) => Denial::RateLimited,
            Some(Fit::Never) => Denial::Cost,
        };
        // Whoever waits until the windows have room must not find then that a quota is spent.
        if let Answer::Spent(standing) = self.app.quotas.ask(&self.quotas(keyring), Charge::Nothing, self.now) {
            self.quota = Some(standing);
        }
        Err(denial)
    }

    /// What the windows say that all nodes share, and this node's own part of them: while they cannot be asked, and for as long after
    /// that as they may not know what was let in meanwhile.
    fn share(&self, all: &[Windows], seen: Option<&Seen>) -> Option<limiter::Standing> {
        let own = |all: &[Windows], charge| self.app.limiter.ask(all, charge, self.now, &self.app.clock);
        let part = || all.iter().map(|windows| windows.part(self.app.node.peer_count())).collect::<Vec<_>>();
        let Some(seen) = seen else { return own(&part(), self.charge) };
        let shared = limiter::tightest(all, &seen.looks, self.charge)?;
        if shared.fit != Fit::Now {
            return Some(shared);
        }
        let longest = all.iter().map(Windows::longest_millis).max().unwrap_or(0);
        let is_new = self.now < seen.back_at.plus_millis(longest.into());
        // What is let in is noted here too, so that this node knows its part if they are lost.
        let own = own(&if is_new { part() } else { all.to_vec() }, self.charge);
        own.filter(|own| is_new && own.fit != Fit::Now).or(Some(shared))
    }

    /// The quotas of all that the request falls under.
    fn quotas(&self, keyring: &Keyring) -> Vec<(Subject, SetQuotas)> {
        let quotas = |&subject: &Subject| {
            let quotas = keyring.limits(subject).map_or_else(SetQuotas::default, |limits| limits.quotas);
            (!quotas.is_empty()).then_some((subject, quotas))
        };
        self.subjects.iter().flatten().filter_map(quotas).collect()
    }
}

impl decision::Meter for Meter<'_> {
    fn admit(&mut self, key: &Key<'_>, concerned: Option<BusinessId>) -> Result<(), Denial> {
        if !self.app.config.limiting {
            return Ok(());
        }
        if let Some(admitted) = self.admitted {
            return admitted;
        }
        let admitted = self.admit_now(key, concerned);
        if self.asks.is_none() {
            self.admitted = Some(admitted);
        }
        admitted
    }

    fn spend(&mut self, key: &Key<'_>, _: Option<BusinessId>) -> Result<(), Denial> {
        let all = self.quotas(key.keyring());
        self.wanted = None;
        // As long as the windows have not said yes, nothing is spent.
        if all.is_empty() || self.asks.is_some() {
            return Ok(());
        }
        match self.app.quotas.ask(&all, self.charge, self.now) {
            Answer::Left(standing) => self.quota = standing,
            Answer::Spent(standing) => {
                self.quota = Some(standing);
                return Err(Denial::Quota);
            }
            Answer::Wants(wanted) => self.wanted = Some(wanted),
        }
        Ok(())
    }
}

/// The windows of a subject: a key's family always has two.
fn windows(subject: Subject, limits: Option<&Limits>, rate: Rate) -> impl Iterator<Item = Window> {
    let rate =
        matches!(subject, Subject::Family(_)).then(|| limits.and_then(|limits| limits.rate).unwrap_or(rate).windows());
    let named = limits.into_iter().flat_map(|limits| limits.named.iter().map(NamedLimit::window));
    rate.into_iter().flatten().chain(named)
}

const fn whose(subject: Subject) -> &'static str {
    match subject {
        Subject::User(_) => "user/",
        Subject::Business(_) => "business/",
        Subject::ApiKey(_) | Subject::Family(_) => "",
    }
}

fn window_name(subject: Subject, limits: Option<&Limits>, place: usize) -> Name<'_> {
    let rate: &[&str] = if matches!(subject, Subject::Family(_)) { &["minute", "second"] } else { &[] };
    let named = limits.into_iter().flat_map(|limits| limits.named.iter().map(|limit| limit.name.as_str()));
    let own = rate.iter().copied().chain(named).nth(place).unwrap_or_default();
    Name { whose: whose(subject), kind: "", own }
}

const fn quota_name(subject: Subject, period: Period) -> Name<'static> {
    Name { whose: whose(subject), kind: "quota-", own: period.name() }
}
