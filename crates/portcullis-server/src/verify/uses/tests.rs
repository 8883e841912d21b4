//! Counts on their way to the database, with a process that may end anywhere.

use std::path::Path;

use portcullis_core::id::ApiKeyId;
use tempfile::TempDir;

use super::*;
use crate::config::Config;
use crate::spool::{SHARDS, dedication};
use crate::store::Store;
use crate::store::uses::{HourOfUse, Whose};

const NOW: Timestamp = Timestamp::from_millis(1_795_203_000_000);
const KEY: ApiKeyId = ApiKeyId::from_bytes([1; 16]);

/// What a process has of the spool when it starts, the `start`th one.
fn uses(directory: &Path, start: u32) -> Uses {
    let mut recovered = Vec::new();
    let arena = Arena::open(&directory.join("spool"), [1; 4], |block, words| {
        let of_use = dedication(words).filter(|_| is_of_use(words));
        recovered.extend(of_use.map(|(_, subject)| (subject, block)));
        of_use.is_some()
    });
    Uses::new(Arc::new(arena.unwrap()), &recovered, start)
}

async fn store() -> (TempDir, Store) {
    let directory = TempDir::new().unwrap();
    let mut config = Config::read("", std::iter::empty()).unwrap();
    config.data = directory.path().to_owned();
    let store = Store::open(&config).await.unwrap();
    (directory, store)
}

fn waiting(uses: &Uses) -> Vec<Waiting> {
    (0..SHARDS).flat_map(|number| uses.waiting(number)).collect()
}

fn take(uses: &Uses, most: usize) -> Vec<Counted> {
    let all = waiting(uses);
    uses.take(all.get(..most).unwrap_or(&all))
}

fn use_times(uses: &Uses, times: u32, now: Timestamp) {
    (0..times).for_each(|_| uses.count(Subject::ApiKey(KEY), Code::Valid, now, None));
}

async fn write(store: &Store, taken: &[Counted]) {
    let hours: Vec<HourOfUse> = taken
        .iter()
        .map(|counted| HourOfUse {
            subject: counted.subject,
            hour: counted.hour.into(),
            source: counted.source,
            counts: counted.counts.map(i64::from),
            written: counted.written.map(|counts| counts.map(i64::from)),
        })
        .collect();
    let mut edit = store.edit().await.unwrap();
    edit.add_uses(&hours).await.unwrap();
    edit.commit().await.unwrap();
}

/// What the database has: by the hour, and by the day.
async fn written(store: &Store) -> (i64, i64) {
    let keys = [KEY];
    let whose = Whose::Keys(&keys);
    let sum = |used: Vec<crate::store::uses::Used>| used.iter().flat_map(|used| used.counts).sum();
    let hours = store.hours_of(&whose, 0, i64::MAX).await.unwrap();
    (sum(hours), sum(store.days_of(&whose, 0, i64::MAX).await.unwrap()))
}

#[tokio::test]
async fn what_is_sent_twice_counts_once() {
    let (directory, store) = store().await;
    let uses = uses(directory.path(), 1);
    use_times(&uses, 5, NOW);
    let taken = take(&uses, 100);
    write(&store, &taken).await;
    // The answer to the commit was lost, so it is sent again, by itself and together with what came meanwhile.
    uses.not_written(&taken);
    let again = take(&uses, 100);
    assert_eq!(again.first().unwrap().written, None, "only the database can tell");
    write(&store, &again).await;
    assert_eq!(written(&store).await, (5, 5));
    uses.not_written(&again);
    use_times(&uses, 2, NOW);
    let more = take(&uses, 100);
    write(&store, &more).await;
    uses.written(&more);
    assert_eq!(written(&store).await, (7, 7));
    use_times(&uses, 1, NOW);
    let last = take(&uses, 100);
    // A full disk takes nothing in. What is told meanwhile is what is in the database and what is not, each once.
    uses.not_written(&last);
    let unwritten =
        |uses: &Uses| uses.unwritten(Subject::ApiKey(KEY)).0.iter().map(|(_, counts)| counts[0]).sum::<u32>();
    assert_eq!((written(&store).await, unwritten(&uses)), ((7, 7), 1));
    let last = take(&uses, 100);
    write(&store, &last).await;
    uses.written(&last);
    assert_eq!((written(&store).await, unwritten(&uses)), ((8, 8), 0));
    assert!(take(&uses, 100).is_empty());
}

/// A process that is killed: before it wrote, after it wrote and before it knew, and after.
#[tokio::test]
async fn wherever_a_process_ends_the_next_one_writes_what_is_left() {
    let (directory, store) = store().await;
    let first = uses(directory.path(), 1);
    use_times(&first, 3, NOW);

    let second = uses(directory.path(), 2);
    use_times(&second, 4, NOW);
    let taken = take(&second, 100);
    assert_eq!(taken.len(), 2, "what the first has counted is not counted on");
    write(&store, &taken).await;
    assert_eq!(written(&store).await, (7, 7));

    let third = uses(directory.path(), 3);
    let taken = take(&third, 100);
    assert_eq!(taken.len(), 2, "the second did not know that it was written");
    write(&store, &taken).await;
    third.written(&taken);
    assert_eq!(written(&store).await, (7, 7));

    let fourth = uses(directory.path(), 4);
    assert!(take(&fourth, 100).is_empty());
    assert_eq!(fourth.unwritten(Subject::ApiKey(KEY)).0, []);
}

#[test]
fn what_waited_is_taken_once_and_what_came_meanwhile_waits() {
    let directory = TempDir::new().unwrap();
    let uses = uses(directory.path(), 1);
    let key = |n: u8| Subject::ApiKey(ApiKeyId::from_bytes([n; 16]));
    (0..40).for_each(|n| uses.count(key(n), Code::Valid, NOW, None));
    let all = waiting(&uses);
    (30..50).for_each(|n| uses.count(key(n), Code::Valid, NOW, None));
    let taken = uses.take(&all);
    assert_eq!((taken.len(), uses.len()), (40, (50, 10)), "with what was counted in their blocks meanwhile");
    assert_eq!(taken.iter().map(|counted| counted.counts[0]).sum::<u32>(), 50);
    assert!(uses.take(&all).is_empty(), "nothing is taken twice");
    uses.count(key(0), Code::Valid, NOW, None);
    uses.written(&taken[..20]);
    uses.not_written(&taken[20..]);
    let mut again = waiting(&uses);
    again.sort_unstable_by_key(Waiting::row);
    let rows: Vec<_> = again.iter().map(Waiting::row).collect();
    let returned = taken[20..].iter().map(|counted| counted.subject);
    let mut expected: Vec<_> = returned.chain([key(0)]).chain((40..50).map(key)).collect();
    expected.sort_unstable_by_key(|subject| *subject.as_bytes());
    expected.dedup();
    assert_eq!(rows, expected.iter().map(|subject| (subject.kind(), *subject.as_bytes())).collect::<Vec<_>>());
    assert_eq!(uses.len().1, rows.len());
}

#[tokio::test]
async fn an_hour_that_is_over_goes_when_it_is_written() {
    let (directory, store) = store().await;
    let uses = uses(directory.path(), 1);
    let later = NOW.plus_millis(3_600_000);
    use_times(&uses, 2, NOW);
    use_times(&uses, 3, later);
    let hours = uses.unwritten(Subject::ApiKey(KEY)).0;
    assert_eq!(hours.iter().map(|(_, counts)| counts[0]).sum::<u32>(), 5);
    let taken = take(&uses, 1);
    write(&store, &taken).await;
    uses.written(&taken);
    let taken = take(&uses, 100);
    write(&store, &taken).await;
    uses.written(&taken);
    assert_eq!((uses.len(), written(&store).await), ((1, 0), (5, 5)));
    (0..SHARDS).for_each(|number| uses.sweep(number, later));
    assert_eq!(uses.len().0, 1);
    (0..SHARDS).for_each(|number| uses.sweep(number, later.plus_millis(3_600_000)));
    assert_eq!(uses.len().0, 0, "nobody has used it in this hour");
    use_times(&uses, 1, NOW);
    let taken = take(&uses, 100);
    write(&store, &taken).await;
    assert_eq!(written(&store).await, (6, 6), "a clock that went back counts beside what is there");
}

#[tokio::test]
async fn hours_and_days_are_forgotten_each_in_its_time() {
    let (directory, store) = store().await;
    let uses = uses(directory.path(), 1);
    for days in 0..4 {
        use_times(&uses, 1, NOW.plus_days(days));
    }
    let taken = take(&uses, 100);
    write(&store, &taken).await;
    let first_day = i64::from(hour_of(NOW)) / 24;
    let mut edit = store.edit().await.unwrap();
    edit.prune_uses((first_day + 3) * 24, first_day + 1).await.unwrap();
    edit.commit().await.unwrap();
    assert_eq!(written(&store).await, (1, 3));
}
