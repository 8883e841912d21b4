//! The script against the algebra: the same requests at the same instants, let in by both or by neither.

use std::cell::Cell;
use std::sync::atomic::AtomicU32;

use portcullis_core::id::FamilyId;
use portcullis_core::limits::Subject;
use portcullis_core::time::Timestamp;
use portcullis_core::window::{Fit, History, Look, Window, ring_wanted, words_for};
use portcullis_engines::Redis;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::script::Script;
use crate::verify::limiter::Windows;

/// A clock that a test sets.
const SET_CLOCK: &str = "local now = tonumber(redis.call('GET', '{clock}'))\n";

fn windows() -> impl Strategy<Value = Vec<Window>> {
    let exact = (1_u32..8, 1_u32..400).prop_map(|(limit, millis)| Window { limit, millis });
    let long = (4_097_u32..4_110, 300_u32..4_000).prop_map(|(limit, millis)| Window { limit, millis });
    prop::collection::vec(prop_oneof![3 => exact, 1 => long], 1..4).prop_filter("each long window once", |windows| {
        let mut long: Vec<_> = windows.iter().filter(|window| !window.is_exact()).map(|window| window.millis).collect();
        long.sort_unstable();
        let count = long.len();
        long.dedup();
        count == long.len()
    })
}

/// How much time passes, and what is asked then; now and then the clock is set back.
fn requests() -> impl Strategy<Value = Vec<(i64, u32)>> {
    let step = prop_oneof![8 => 0_i64..60, 1 => 100_i64..3_000, 1 => -200_i64..0];
    let cost = prop_oneof![8 => 1_u32..4, 1 => 5_u32..12, 2 => 500_u32..1_000];
    prop::collection::vec((step, cost), 1..60)
}

#[test]
fn the_script_says_what_the_algebra_says() {
    let redis = Redis::shared();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = redis::Client::open(redis.url()).unwrap();
    let connection = runtime.block_on(client.get_multiplexed_async_connection()).unwrap();
    let script = Script::new(SET_CLOCK);
    let case = Cell::new(0_u128);
    let mut runner = TestRunner::new(Config { cases: 96, failure_persistence: None, ..Config::default() });
    runner
        .run(&(windows(), requests()), |(list, requests)| {
            case.set(case.get() + 1);
            let mut connection = connection.clone();
            let subject = Subject::Family(FamilyId::from_bytes(case.get().to_be_bytes()));
            let shared = Windows::of(subject, list.iter().copied());
            let words: Vec<AtomicU32> = (0..words_for(&list, ring_wanted(&list))).map(|_| AtomicU32::new(0)).collect();
            let history = History::begin(&words, &list);
            let mut now = 1_000_000_i64;
            for (step, cost) in requests {
                now += step;
                let at = Timestamp::from_millis(now);
                if step < 0 {
                    history.step_back(at);
                }
                let own: Vec<Look> = list.iter().map(|&window| history.look(window, cost, at)).collect();
                let asked = runtime.block_on(async {
                    redis::cmd("SET").arg("{clock}").arg(now).query_async::<()>(&mut connection).await.unwrap();
                    script.ask(&mut connection, &shared, "charge", cost).await.unwrap()
                });
                prop_assert_eq!(&asked.looks, &own, "{:?} at {} for {}", list, now, cost);
                if own.iter().all(|look| look.fit == Fit::Now) {
                    history.charge(&list, cost, at);
                }
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_is_given_back_can_be_used_again() {
    let redis = Redis::shared();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = redis::Client::open(redis.url()).unwrap();
    runtime.block_on(async {
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let script = Script::new("local now = 5000\n");
        let list = [Window { limit: 3, millis: 1_000 }, Window { limit: 5_000, millis: 60_000 }];
        let windows = Windows::of(Subject::Family(FamilyId::from_bytes([7; 16])), list);
        let taken = async |connection: &mut _| -> Vec<u32> {
            let asked = script.ask(connection, &windows, "look", 1).await.unwrap();
            asked.looks.iter().map(|look| look.taken).collect()
        };
        let first = script.ask(&mut connection, &windows, "charge", 2).await.unwrap();
        assert!(first.fits());
        let second = script.ask(&mut connection, &windows, "charge", 1).await.unwrap();
        assert_eq!(taken(&mut connection).await, [3, 3]);
        script.refund(&mut connection, &windows, &second, 1).await.unwrap();
        assert_eq!(taken(&mut connection).await, [2, 2]);
        script.refund(&mut connection, &windows, &first, 2).await.unwrap();
        assert_eq!(taken(&mut connection).await, [0, 0]);
    });
}
