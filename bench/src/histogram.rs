//! How often each latency was seen: buckets that grow with what they hold, so that none is wider than a hundredth of its values.

/// Buckets of each power of two.
const STEPS: usize = 128;
const BITS: u32 = STEPS.ilog2();

#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    most: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; STEPS * 58], count: 0, most: 0 }
    }
}

impl Histogram {
    pub(crate) fn record(&mut self, value: u64) {
        if let Some(bucket) = self.buckets.get_mut(bucket_of(value)) {
            *bucket += 1;
        }
        self.count += 1;
        self.most = self.most.max(value);
    }

    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    pub(crate) const fn most(&self) -> u64 {
        self.most
    }

    /// The least value that so many of a thousand do not exceed, as exactly as its bucket tells.
    pub(crate) fn within(&self, of_a_thousand: u64) -> u64 {
        let wanted = (self.count * of_a_thousand).div_ceil(1_000).max(1);
        let mut seen = 0;
        for (place, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return largest_of(place).min(self.most);
            }
        }
        self.most
    }
}

/// The values below the number of steps have a bucket each; from there on every power of two has so many.
fn bucket_of(value: u64) -> usize {
    let power = value.checked_ilog2().unwrap_or(0).saturating_sub(BITS);
    // What is left is below twice the number of steps.
    let step = usize::try_from(value >> power).unwrap_or(usize::MAX);
    usize::try_from(power).unwrap_or(usize::MAX) * STEPS + step
}

fn largest_of(bucket: usize) -> u64 {
    let power = (bucket / STEPS).saturating_sub(1);
    let step = u64::try_from(bucket - power * STEPS).unwrap_or(u64::MAX);
    ((u128::from(step) + 1) << power).saturating_sub(1).try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_a_bucket_that_is_hardly_wider_than_it() {
        let mut values: Vec<u64> = (0..1_000).collect();
        values.extend((0..64).flat_map(|power| [1_u64 << power, (1_u64 << power) + 1, (1_u64 << power) - 1]));
        values.push(u64::MAX);
        for value in values {
            let largest = largest_of(bucket_of(value));
            assert!(largest >= value, "{value}: {largest}");
            assert!(largest - value <= value / 100, "{value}: {largest}");
            assert!(bucket_of(value) < Histogram::default().buckets.len(), "{value}");
        }
    }

    #[test]
    fn buckets_are_in_order_and_touch() {
        for bucket in 0..STEPS * 57 {
            assert_eq!(bucket_of(largest_of(bucket)), bucket);
            assert_eq!(bucket_of(largest_of(bucket) + 1), bucket + 1);
        }
    }

    #[test]
    fn percentiles_of_a_thousand_values() {
        let mut histogram = Histogram::default();
        for value in 1..=1_000 {
            histogram.record(value * 1_000);
        }
        for (of_a_thousand, exact) in [(500, 500_000), (990, 990_000), (999, 999_000), (1_000, 1_000_000)] {
            let found = histogram.within(of_a_thousand);
            assert!((exact..=exact + exact / 100).contains(&found), "{of_a_thousand}: {found}");
        }
        assert_eq!((histogram.count(), histogram.most()), (1_000, 1_000_000));
    }

    #[test]
    fn nothing_and_one_value() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.within(990), 0);
        histogram.record(7);
        assert_eq!([histogram.within(1), histogram.within(500), histogram.within(999)], [7, 7, 7]);
    }
}
