//! How long the answers of one release took that gets everything: what is new of it, from what
//! the proxy has counted in all. The first look only says where counting begins.

use crate::world::Periods;
use ripcord_core::model::ReleaseId;
use std::collections::BTreeMap;

/// The histograms that were seen, by run of the proxy and period.
#[derive(Debug, Clone, Default)]
pub(crate) struct Latencies {
    known: BTreeMap<(u64, u64), BTreeMap<u16, u64>>,
    looked: bool,
}

impl Latencies {
    /// What is new since the last look: bucket and how many.
    pub(crate) fn news(&mut self, periods: &Periods, release: &ReleaseId) -> Vec<(u16, u64)> {
        let mut news: BTreeMap<u16, u64> = BTreeMap::new();
        for period in periods.periods.iter().filter(|one| one.split.only() == Some(release)) {
            let Some(arm) = period.arms.get(release) else { continue };
            let known = self.known.entry((periods.epoch, period.number)).or_default();
            for (bucket, count) in &arm.counts.latency {
                let before = known.insert(*bucket, *count).unwrap_or(0);
                let sum = news.entry(*bucket).or_default();
                *sum = sum.saturating_add(count.saturating_sub(before));
            }
        }
        let first = !std::mem::replace(&mut self.looked, true);
        if first { Vec::new() } else { news.into_iter().filter(|(_, count)| *count > 0).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Arm, Period};
    use ripcord_core::analysis::ArmCounts;
    use ripcord_core::model::Split;

    fn periods(epoch: u64, latency: &[(u16, u64)]) -> Periods {
        let (v1, v2) = ("v1".into(), "v2".into());
        let counts = ArmCounts { latency: latency.to_vec(), ..ArmCounts::default() };
        let arms = [("v2".into(), Arm { counts, ..Arm::default() })];
        let period = |number, split| Period { number, split, arms: arms.clone().into() };
        let both = [period(1, Split::between(&v1, &v2, 500)), period(2, Split::all_to(&v2))];
        Periods { epoch, periods: both.into() }
    }

    #[test]
    fn only_what_is_new_and_only_alone() {
        let mut latencies = Latencies::default();
        let mut news = |periods| latencies.news(&periods, &"v2".into());
        assert_eq!(news(periods(1, &[(3, 5)])), []);
        assert_eq!(news(periods(1, &[(3, 7), (9, 1)])), [(3, 2), (9, 1)]);
        assert_eq!(news(periods(1, &[(3, 7), (9, 1)])), []);
        assert_eq!(news(periods(2, &[(3, 4)])), [(3, 4)], "a proxy that began anew");
    }
}
