//! A histogram that every request may add to without waiting for another.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// The first bucket ends here; each ends at twice the one before. The last has no end.
const FIRST: Duration = Duration::from_micros(50);
const BUCKETS: usize = 16;

/// See the module's own words.
#[derive(Debug, Clone, Default)]
pub(super) struct Durations(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    /// How many fell into each bucket, and beyond the last.
    counts: [AtomicU64; BUCKETS + 1],
    nanoseconds: AtomicU64,
}

impl Durations {
    pub(super) fn observe(&self, took: Duration) {
        // The first bucket whose end is not before it.
        let times = took.as_nanos().div_ceil(FIRST.as_nanos()).max(1);
        let place = times.next_power_of_two().trailing_zeros() as usize;
        if let Some(count) = self.0.counts.get(place.min(BUCKETS)) {
            count.fetch_add(1, Relaxed);
        }
        self.0.nanoseconds.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }
}

impl EncodeMetric for Durations {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let counts: Vec<u64> = self.0.counts.iter().map(|count| count.load(Relaxed)).collect();
        let ends = (0..BUCKETS).map(|place| FIRST.as_secs_f64() * f64::from(1_u32 << place)).chain([f64::MAX]);
        let buckets: Vec<(f64, u64)> = ends.zip(counts.iter().copied()).collect();
        let sum = Duration::from_nanos(self.0.nanoseconds.load(Relaxed)).as_secs_f64();
        encoder.encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl TypedMetric for Durations {
    const TYPE: MetricType = MetricType::Histogram;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_ends_after_it() {
        for (nanoseconds, place) in
            [(0, 0), (50_000, 0), (50_001, 1), (100_000, 1), (100_001, 2), (1_638_400_000, 15), (1_638_400_001, 16)]
        {
            let durations = Durations::default();
            durations.observe(Duration::from_nanos(nanoseconds));
            let counts: Vec<u64> = durations.0.counts.iter().map(|count| count.load(Relaxed)).collect();
            assert_eq!(counts.iter().position(|&count| count == 1), Some(place), "{nanoseconds} ns");
        }
        let durations = Durations::default();
        durations.observe(Duration::MAX);
        assert_eq!(durations.0.counts.last().unwrap().load(Relaxed), 1);
    }
}
