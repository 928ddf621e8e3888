//! What happened to every request, and what follows from it.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use crate::Schema;

/// One request and its answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RequestRecord {
    /// Unique; sent as `x-request-id`.
    pub id: String,
    /// Who asks; sent as `x-user`.
    pub user: String,
    /// When it began, from the start of the load.
    pub start_ms: f64,
    /// The method.
    pub method: &'static str,
    /// The path.
    pub path: String,
    /// The status; absent where no answer came.
    pub status: Option<u16>,
    /// Who answered: `x-ripcord-release`, or what the shop says of itself.
    pub release: Option<String>,
    /// Schema generation of the code that answered.
    pub schema: Option<Schema>,
    /// From its beginning to the end of the answer, or to giving up.
    pub latency_ms: f64,
    /// `x-shop-fault`.
    pub fault: Option<String>,
    /// `x-ripcord-error`.
    pub proxy_error: Option<String>,
    /// Why it counts as failed, if it does.
    pub failure: Option<String>,
}

/// Live counts of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LoadCounts {
    /// Requests begun.
    pub begun: u64,
    /// Requests that have ended, with an answer or without.
    pub ended: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Requests that were due while too many were open, and were not made.
    pub held_back: u64,
    /// Writes acknowledged.
    pub acknowledged: u64,
    /// Answers by release.
    pub by_release: BTreeMap<String, u64>,
    /// Schema generation in the newest answer.
    pub schema: Option<Schema>,
}

/// The result of a run.
#[derive(Clone, Debug, Serialize)]
pub struct LoadReport {
    /// Wall clock at the start, to correlate with other records.
    pub started_at_unix_ms: u64,
    /// Requests begun. Equals answers plus missing ones, or the generator itself is broken.
    pub requests: u64,
    /// Requests without an answer.
    pub missing: u64,
    /// Requests that were due while too many were open, and were not made.
    pub held_back: u64,
    /// Answers by status.
    pub by_status: BTreeMap<u16, u64>,
    /// Answers by release.
    pub by_release: BTreeMap<String, u64>,
    /// Failed answers whose fault id the shop logged itself.
    pub failed_by_shop: u64,
    /// 404 on reviews from code of schema 1, which has none.
    pub not_offered: u64,
    /// Every other failed or missing answer.
    pub failed_unexplained: Vec<RequestRecord>,
    /// Slowest request.
    pub max_ms: f64,
    /// Median latency.
    pub p50_ms: f64,
    /// 99th percentile of latency.
    pub p99_ms: f64,
    /// By how much the generator itself began a request too late, at worst.
    pub late_ms_max: f64,
    /// Every request, in order of its start.
    pub timeline: Vec<RequestRecord>,
}

/// What only the generator knows.
pub(super) struct Totals {
    pub(super) started_at_unix_ms: u64,
    pub(super) begun: u64,
    pub(super) held_back: u64,
    pub(super) late_ms_max: f64,
}

impl RequestRecord {
    /// Whether code of schema 1 said that it has no reviews: right, and no failure.
    pub fn is_not_offered(&self) -> bool {
        self.status == Some(404)
            && self.schema.is_some_and(|schema| !schema.has_reviews())
            && self.path.starts_with("/reviews")
    }
}

impl LoadReport {
    /// The releases that answered, in order of request start, each with the start of its first
    /// request. A release stands here again whenever another answered in between.
    pub fn release_changes(&self) -> Vec<(f64, String)> {
        let mut changes: Vec<(f64, String)> = Vec::new();
        for request in &self.timeline {
            let Some(release) = &request.release else { continue };
            if changes.last().is_none_or(|(_, last)| last != release) {
                changes.push((request.start_ms, release.clone()));
            }
        }
        changes
    }

    /// Counts and sorts; `logged` are the fault ids in the shop's log.
    pub(super) fn new(
        totals: &Totals,
        mut timeline: Vec<RequestRecord>,
        logged: &HashSet<String>,
    ) -> Self {
        timeline.sort_by(|a, b| a.start_ms.total_cmp(&b.start_ms));
        let mut latencies: Vec<f64> = timeline.iter().map(|request| request.latency_ms).collect();
        latencies.sort_by(f64::total_cmp);
        let mut report = Self {
            started_at_unix_ms: totals.started_at_unix_ms,
            requests: totals.begun,
            missing: 0,
            held_back: totals.held_back,
            by_status: BTreeMap::new(),
            by_release: BTreeMap::new(),
            failed_by_shop: 0,
            not_offered: 0,
            failed_unexplained: Vec::new(),
            max_ms: percentile(&latencies, 100),
            p50_ms: percentile(&latencies, 50),
            p99_ms: percentile(&latencies, 99),
            late_ms_max: totals.late_ms_max,
            timeline: Vec::new(),
        };
        for request in &timeline {
            report.count(request, logged);
        }
        report.timeline = timeline;
        report
    }

    fn count(&mut self, request: &RequestRecord, logged: &HashSet<String>) {
        match request.status {
            Some(status) => *self.by_status.entry(status).or_default() += 1,
            None => self.missing += 1,
        }
        if let Some(release) = &request.release {
            *self.by_release.entry(release.clone()).or_default() += 1;
        }
        let by_shop = request.fault.as_ref().is_some_and(|id| logged.contains(id));
        if request.is_not_offered() {
            self.not_offered += 1;
        } else if request.failure.is_some() && by_shop {
            self.failed_by_shop += 1;
        } else if request.failure.is_some() {
            self.failed_unexplained.push(request.clone());
        }
    }
}

/// The nearest-rank percentile of sorted values; zero where there are none.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(id: &str, status: Option<u16>, fault: Option<&str>) -> RequestRecord {
        let failed = status.is_none_or(|status| !(200..300).contains(&status));
        RequestRecord {
            id: id.to_owned(),
            start_ms: 0.0,
            method: "GET",
            path: "/products".to_owned(),
            status,
            release: None,
            schema: Some(Schema::V1),
            latency_ms: 1.0,
            fault: fault.map(str::to_owned),
            user: String::new(),
            proxy_error: None,
            failure: failed.then(|| "failed".to_owned()),
        }
    }

    #[test]
    fn only_a_logged_fault_explains_a_failure() {
        let reviews =
            RequestRecord { path: "/reviews".to_owned(), ..request("e", Some(404), None) };
        let timeline = vec![
            request("a", Some(200), None),
            request("b", Some(500), Some("fault-1-1")),
            request("c", Some(500), Some("fault-1-2")),
            request("d", None, None),
            reviews.clone(),
            RequestRecord { schema: Some(Schema::V2), id: "f".to_owned(), ..reviews },
            request("g", Some(302), None),
        ];
        let totals = Totals { started_at_unix_ms: 0, begun: 7, held_back: 0, late_ms_max: 0.0 };
        let logged = HashSet::from(["fault-1-1".to_owned()]);
        let report = LoadReport::new(&totals, timeline, &logged);
        let unexplained: Vec<_> =
            report.failed_unexplained.iter().map(|request| request.id.as_str()).collect();
        assert_eq!(unexplained, ["c", "d", "f", "g"]);
        assert_eq!((report.failed_by_shop, report.not_offered, report.missing), (1, 1, 1));
        assert_eq!(report.by_status, BTreeMap::from([(200, 1), (302, 1), (404, 2), (500, 2)]));
    }

    #[test]
    fn a_release_that_answers_again_is_seen() {
        let totals = Totals { started_at_unix_ms: 0, begun: 5, held_back: 0, late_ms_max: 0.0 };
        let answer = |start_ms: f64, release: Option<&str>| RequestRecord {
            start_ms,
            release: release.map(str::to_owned),
            ..request("a", Some(200), None)
        };
        // Out of order, as answers come in.
        let timeline = vec![
            answer(3.0, Some("v2")),
            answer(1.0, Some("v1")),
            answer(2.0, None),
            answer(5.0, Some("v1")),
            answer(4.0, Some("v2")),
        ];
        let changes = LoadReport::new(&totals, timeline, &HashSet::new()).release_changes();
        let names: Vec<_> = changes.iter().map(|(_, release)| release.as_str()).collect();
        assert_eq!(names, ["v1", "v2", "v1"]);
        assert!((changes[1].0 - 3.0).abs() < 1e-9);
    }

    #[test]
    fn percentiles_are_nearest_rank() {
        let check = |count: u32, percent, expected: f64| {
            let sorted: Vec<f64> = (1..=count).map(f64::from).collect();
            assert!((percentile(&sorted, percent) - expected).abs() < 1e-9);
        };
        check(0, 50, 0.0);
        check(1, 99, 1.0);
        check(100, 50, 50.0);
        check(100, 99, 99.0);
        check(101, 99, 100.0);
        check(7, 100, 7.0);
    }
}
