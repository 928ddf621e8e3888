//! What a run knows while it lasts: its own rows, its requests, its record of writes.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write as _};

use super::mix::{Known, Mix, Operation, OwnOrder};
use super::record::{Record, Sent, Told, Write};
use super::report::{LoadCounts, RequestRecord};

/// Reviews are sent once so many answers in a row came from code that has them. During a canary
/// most answers do not, and a client would not know of reviews either.
const REVIEWS_AFTER: u32 = 20;

#[derive(Default)]
pub(super) struct Book {
    orders: Vec<OwnOrder>,
    order_index: HashMap<i64, usize>,
    answers_with_reviews: u32,
    pub(super) record: Record,
    pub(super) requests: Vec<RequestRecord>,
    pub(super) counts: LoadCounts,
    pub(super) late_ms_max: f64,
    file: Option<File>,
    file_error: Option<io::Error>,
}

impl Book {
    pub(super) fn new(file: Option<File>) -> Self {
        Self { file, ..Self::default() }
    }

    /// Chooses the next request; an order to be changed stays closed to others until `end`.
    pub(super) fn begin(&mut self, mix: &Mix, number: u64) -> Operation {
        let reviews = self.answers_with_reviews >= REVIEWS_AFTER;
        let operation = mix.choose(number, &Known { orders: &self.orders, reviews });
        if let Operation::Write(Sent::Change { id, .. }) = &operation {
            self.settle(*id, false);
        }
        self.counts.begun += 1;
        operation
    }

    /// Enters the outcome of a request, and of its write if it was one.
    pub(super) fn end(&mut self, request: RequestRecord, write: Option<Write>) {
        self.counts.ended += 1;
        self.counts.failed += u64::from(request.failure.is_some());
        if let Some(release) = &request.release {
            *self.counts.by_release.entry(release.clone()).or_default() += 1;
        }
        if let Some(schema) = request.schema {
            self.counts.schema = Some(schema);
            self.answers_with_reviews =
                if schema.has_reviews() { self.answers_with_reviews.saturating_add(1) } else { 0 };
        }
        if let Some(write) = write {
            self.enter(write);
        }
        self.requests.push(request);
    }

    /// The first failure to write the record file, if there was one.
    pub(super) fn take_file_error(&mut self) -> Option<io::Error> {
        self.file_error.take()
    }

    fn enter(&mut self, write: Write) {
        match (&write.sent, &write.told) {
            (Sent::Order { client_key, .. }, Told::Acknowledged { id, .. }) => {
                self.order_index.insert(*id, self.orders.len());
                let client_key = client_key.clone();
                self.orders.push(OwnOrder { id: *id, client_key, settled: true });
            }
            // A change of unknown outcome may still happen: the row is never changed again.
            (Sent::Change { .. }, Told::Unknown { .. }) => {}
            (Sent::Change { id, .. }, _) => self.settle(*id, true),
            _ => {}
        }
        self.counts.acknowledged += u64::from(matches!(write.told, Told::Acknowledged { .. }));
        if let Some(file) = &mut self.file {
            let line = serde_json::to_string(&write).map_err(io::Error::from);
            let written = line.and_then(|line| file.write_all(format!("{line}\n").as_bytes()));
            self.file_error = self.file_error.take().or(written.err());
        }
        self.record.writes.push(write);
    }

    fn settle(&mut self, id: i64, settled: bool) {
        let order = self.order_index.get(&id).and_then(|index| self.orders.get_mut(*index));
        if let Some(order) = order {
            order.settled = settled;
        }
    }
}
