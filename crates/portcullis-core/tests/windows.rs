//! Windows against a log of every request that was ever let in.

use std::sync::atomic::AtomicU32;

use portcullis_core::time::Timestamp;
use portcullis_core::window::{self, EXACT, Fit, History, Window};
use proptest::prelude::*;

/// What a caller of the algebra has to do: a history that grows as it must.
#[derive(Debug, Default)]
struct Limiter {
    words: Vec<AtomicU32>,
}

impl Limiter {
    fn grow(&mut self, windows: &[Window], events: u32) {
        let words: Vec<AtomicU32> = (0..window::words_for(windows, events)).map(|_| AtomicU32::new(0)).collect();
        let new = History::begin(&words, windows);
        if !self.words.is_empty() {
            new.absorb(&History::at(&self.words));
        }
        self.words = words;
    }

    /// Lets `cost` requests in where every window says so; otherwise says after how long it would.
    fn ask(&mut self, windows: &[Window], cost: u32, now: u64) -> Fit {
        let at = at(now);
        if !self.words.is_empty() {
            let history = History::at(&self.words);
            if history.last() > at {
                history.step_back(at);
            }
        }
        if self.words.is_empty() || !History::at(&self.words).suits(windows, cost, at) {
            let events = if self.words.is_empty() { 0 } else { History::at(&self.words).events(windows, at) };
            self.grow(windows, (events + cost).next_power_of_two());
        }
        let history = History::at(&self.words);
        let fits = windows.iter().map(|&window| history.look(window, cost, at).fit);
        let worst = fits.fold(Fit::Now, |worst, fit| match (worst, fit) {
            (Fit::Never, _) | (_, Fit::Never) => Fit::Never,
            (Fit::After(one), Fit::After(other)) => Fit::After(one.max(other)),
            (Fit::After(wait), _) | (_, Fit::After(wait)) => Fit::After(wait),
            _ => Fit::Now,
        });
        if worst == Fit::Now {
            history.charge(windows, cost, at);
        }
        worst
    }
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(i64::try_from(millis).unwrap())
}

/// The instants of all that were let in.
#[derive(Debug, Default)]
struct Log(Vec<u64>);

impl Log {
    /// How many were let in less than `span` before `now`.
    fn within(&self, span: u64, now: u64) -> u32 {
        let young = self.0.iter().rev().take_while(|&&instant| instant + span > now).count();
        u32::try_from(young).unwrap()
    }

    fn fits(&self, windows: &[Window], cost: u32, now: u64) -> bool {
        windows.iter().all(|window| self.within(window.millis.into(), now) + cost <= window.limit)
    }

    fn push(&mut self, cost: u32, now: u64) {
        self.0.extend((0..cost).map(|_| now));
    }
}

const START: u64 = 1_795_203_000_000;

fn exact_windows() -> impl Strategy<Value = Vec<Window>> {
    let window = (1_u32..200, 1_u32..5_000).prop_map(|(limit, millis)| Window { limit, millis });
    prop::collection::vec(window, 1..4)
}

/// Steps of time and costs: bursts at one instant, steady paces, pauses longer than every window. They are drawn from a seed, which
/// is much quicker than having each of millions made to be shrunk (splitmix64).
fn arrivals(many: usize) -> impl Strategy<Value = Vec<(u64, u32)>> {
    any::<u64>().no_shrink().prop_map(move |seed| {
        let mut state = seed;
        let mut draw = |below: u64| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (mixed ^ (mixed >> 31)) % below
        };
        let mut arrival = || {
            let step = match draw(11) {
                0..4 => 0,
                4..8 => 1 + draw(19),
                8..10 => 20 + draw(480),
                _ => 4_000 + draw(8_000),
            };
            (step, if draw(9) == 0 { 2 + u32::try_from(draw(18)).unwrap() } else { 1 })
        };
        (0..many).map(|_| arrival()).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    /// 400 times 3,000 arrivals.
    #[test]
    fn exact_windows_let_in_just_what_a_log_would(windows in exact_windows(), arrivals in arrivals(3_000)) {
        let (mut limiter, mut log, mut now) = (Limiter::default(), Log::default(), START);
        for (step, cost) in arrivals {
            now += step;
            let fit = limiter.ask(&windows, cost, now);
            prop_assert_eq!(fit == Fit::Now, log.fits(&windows, cost, now), "{:?} at {}", fit, now - START);
            match fit {
                Fit::Now => log.push(cost, now),
                Fit::Never => prop_assert!(windows.iter().any(|window| cost > window.limit)),
                Fit::After(wait) => {
                    prop_assert!(log.fits(&windows, cost, now + wait), "it says {wait} ms");
                    prop_assert!(!log.fits(&windows, cost, now + wait - 1), "it says {wait} ms, and less would do");
                }
            }
            let history = History::at(&limiter.words);
            for window in &windows {
                let taken = history.look(*window, 1, at(now)).taken.min(window.limit);
                prop_assert_eq!(taken, log.within(window.millis.into(), now).min(window.limit));
            }
        }
    }

    /// 400 times 2,000 arrivals of up to 500 at once, beside windows that remember every instant.
    #[test]
    fn segments_never_let_in_too_many_and_refuse_too_long_by_a_segment_at_most(
        limit in EXACT + 1..20_000,
        millis in 1_u32..100_000,
        small in exact_windows(),
        arrivals in arrivals(2_000),
        factor in 1_u32..30,
    ) {
        let great = Window { limit, millis };
        let (mut limiter, mut log, mut now) = (Limiter::default(), Log::default(), START);
        let windows: Vec<Window> = if factor % 2 == 0 { vec![great] } else { [vec![great], small].concat() };
        let segment = u64::from(millis).div_ceil(256);
        for (step, cost) in arrivals {
            now += step * u64::from(factor) / 4;
            let cost = cost * factor * 4;
            match limiter.ask(&windows, cost, now) {
                Fit::Now => {
                    prop_assert!(log.fits(&windows, cost, now));
                    log.push(cost, now);
                }
                Fit::Never => prop_assert!(windows.iter().any(|window| cost > window.limit)),
                Fit::After(wait) => {
                    let wider = |window: &Window| {
                        let more = if window.is_exact() { 0 } else { u32::try_from(segment).unwrap() };
                        Window { millis: window.millis + more, ..*window }
                    };
                    let wider: Vec<Window> = windows.iter().map(wider).collect();
                    prop_assert!(!log.fits(&wider, cost, now), "refused, though there was room {segment} ms ago");
                    prop_assert!(log.fits(&windows, cost, now + wait));
                    let mut later = Limiter { words: limiter.words.iter().map(copied).collect() };
                    prop_assert_eq!(later.ask(&windows, cost, now + wait), Fit::Now, "after {} ms", wait);
                }
            }
        }
    }

    /// However the clock jumps: no panic, nobody locked out for longer than a window, and while it stands or goes on, never too many.
    #[test]
    fn a_clock_that_jumps_locks_nobody_out_and_lets_nobody_run_free(
        windows in exact_windows(),
        long in prop::bool::ANY,
        jumps in prop::collection::vec((-100_000_000_i64..100_000_000, arrivals(200)), 1..20),
    ) {
        let windows = if long { [windows, vec![Window { limit: 5_000, millis: 7_000 }]].concat() } else { windows };
        let longest = windows.iter().map(|window| u64::from(window.millis)).max().unwrap();
        let (mut limiter, mut now) = (Limiter::default(), START);
        for (jump, arrivals) in jumps {
            now = now.checked_add_signed(jump).unwrap();
            let mut log = Log::default();
            for (step, cost) in arrivals {
                now += step;
                match limiter.ask(&windows, cost, now) {
                    Fit::Now => {
                        prop_assert!(log.fits(&windows, cost, now), "too many since the clock jumped");
                        log.push(cost, now);
                    }
                    Fit::After(wait) => prop_assert!(wait <= longest + longest.div_ceil(256), "{wait} ms is too long"),
                    Fit::Never => {}
                }
            }
        }
    }

    /// Limits that are changed go on with what they know.
    #[test]
    fn changed_limits_remember(
        before in exact_windows(),
        after in exact_windows(),
        arrivals_before in arrivals(300),
        arrivals_after in arrivals(300),
    ) {
        let (mut limiter, mut log, mut now) = (Limiter::default(), Log::default(), START);
        for (step, cost) in arrivals_before {
            now += step;
            if limiter.ask(&before, cost, now) == Fit::Now {
                log.push(cost, now);
            }
        }
        // What no window had to remember is forgotten: short windows cannot tell a longer one of older requests.
        let longest = before.iter().map(|window| window.millis).max().unwrap();
        let after: Vec<Window> = after.iter().map(|window| Window { millis: window.millis.min(longest), ..*window }).collect();
        let kept = before.iter().map(|window| window.limit).max().unwrap();
        for (step, cost) in arrivals_after {
            now += step;
            let known = log.within(longest.into(), now) <= kept;
            let fit = limiter.ask(&after, cost, now);
            if known {
                prop_assert_eq!(fit == Fit::Now, log.fits(&after, cost, now));
            }
            if fit == Fit::Now {
                log.push(cost, now);
            }
        }
    }
}

fn copied(word: &AtomicU32) -> AtomicU32 {
    AtomicU32::new(word.load(std::sync::atomic::Ordering::Relaxed))
}

const DEFAULT: [Window; 2] = [Window { limit: 100, millis: 60_000 }, Window { limit: 10, millis: 1_000 }];

#[test]
fn at_ten_a_second_a_hundred_pass_and_then_no_more_for_fifty_seconds() {
    let mut limiter = Limiter::default();
    for n in 0..100 {
        assert_eq!(limiter.ask(&DEFAULT, 1, START + n * 100), Fit::Now, "request {n}");
    }
    assert_eq!(limiter.ask(&DEFAULT, 1, START + 10_000), Fit::After(50_000));
    assert_eq!(limiter.ask(&DEFAULT, 1, START + 59_999), Fit::After(1));
    assert_eq!(limiter.ask(&DEFAULT, 1, START + 60_000), Fit::Now);
}

#[test]
fn a_client_that_keeps_to_the_pace_is_never_refused() {
    let pace = [Window { limit: 100, millis: 60_000 }];
    let mut limiter = Limiter::default();
    for n in 0..10_000 {
        assert_eq!(limiter.ask(&pace, 1, START + n * 600), Fit::Now, "request {n}");
    }
}

#[test]
fn a_window_of_thirty_days_is_right_across_the_time_that_a_word_holds() {
    let month = [Window { limit: 3, millis: 2_592_000_000 }, Window { limit: 2, millis: 1_000 }];
    let (mut limiter, mut log) = (Limiter::default(), Log::default());
    let day = 86_400_000;
    for n in 0..400 {
        let now = START + n * day * 7 / 2;
        assert_eq!(limiter.ask(&month, 1, now) == Fit::Now, log.fits(&month, 1, now), "after {n} half weeks");
        if log.fits(&month, 1, now) {
            log.push(1, now);
        }
    }
}

#[test]
fn a_clock_that_goes_back_an_hour_and_on_by_a_day_locks_nobody_out() {
    let mut limiter = Limiter::default();
    for _ in 0..10 {
        assert_eq!(limiter.ask(&DEFAULT, 1, START), Fit::Now);
    }
    let back = START - 3_600_000;
    assert_eq!(limiter.ask(&DEFAULT, 1, back), Fit::After(1_000), "what lay ahead counts as now");
    assert_eq!(limiter.ask(&DEFAULT, 1, back + 1_000), Fit::Now);
    let on = START + 86_400_000;
    for _ in 0..10 {
        assert_eq!(limiter.ask(&DEFAULT, 1, on), Fit::Now);
    }
    assert_eq!(limiter.ask(&DEFAULT, 1, on), Fit::After(1_000));
}

#[test]
fn what_costs_more_than_the_limit_never_fits_and_takes_nothing() {
    let mut limiter = Limiter::default();
    assert_eq!(limiter.ask(&DEFAULT, 11, START), Fit::Never);
    assert_eq!(limiter.ask(&DEFAULT, 10, START), Fit::Now);
    assert_eq!(limiter.ask(&DEFAULT, 1, START), Fit::After(1_000));
}

#[test]
fn a_history_for_the_default_limits_takes_less_than_448_bytes() {
    // 24 more name the key that it belongs to.
    assert_eq!(window::words_for(&DEFAULT, u32::MAX) * 4, 416);
}

#[test]
fn damaged_words_are_no_history_and_no_panic() {
    let damaged = |at: usize, value: u32| {
        let mut limiter = Limiter::default();
        limiter.ask(&DEFAULT, 5, START);
        limiter.words[at].store(value, std::sync::atomic::Ordering::Relaxed);
        let Some(history) = History::recover(&limiter.words) else { return };
        for now in [0, START, u64::from(u32::MAX) << 20] {
            let _ = history.look(DEFAULT[0], 1, at_any(now));
            history.step_back(at_any(now));
            history.charge(&DEFAULT, 3, at_any(now));
        }
    };
    for at in 0..8 {
        for value in [0, 1, 5, 0xffff, 0x1_0000, 0x5_0005, u32::MAX, 1 << 31] {
            damaged(at, value);
        }
    }
    assert!(History::recover(&[]).is_none());
}

fn at_any(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis.cast_signed())
}
