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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Schema;

    fn request(schema: Schema) -> RequestRecord {
        RequestRecord {
            id: String::new(),
            start_ms: 0.0,
            method: "GET",
            path: "/products".to_owned(),
            status: Some(200),
            release: None,
            schema: Some(schema),
            latency_ms: 0.0,
            fault: None,
            user: String::new(),
            proxy_error: None,
            failure: None,
        }
    }

    fn mix() -> Mix {
        Mix { run: "r".to_owned(), seed: 1 }
    }

    /// How many of the next requests change an order; the first of them.
    fn changes(book: &mut Book, from: u64) -> (usize, Option<Sent>) {
        let operations = (from..from + 1000).map(|number| book.begin(&mix(), number));
        let changes: Vec<Sent> = operations
            .filter_map(|operation| match operation {
                Operation::Write(sent @ Sent::Change { .. }) => Some(sent),
                Operation::Write(_) | Operation::Read(_) => None,
            })
            .collect();
        (changes.len(), changes.into_iter().next())
    }

    #[test]
    fn an_order_has_one_write_open_and_none_after_a_doubtful_one() {
        let acknowledged =
            Told::Acknowledged { id: 7, release: "v1".to_owned(), schema: Schema::V1 };
        let unknown = Told::Unknown { because: "gone".to_owned() };
        let write = |sent: Sent, told: &Told| {
            Some(Write { request: String::new(), sent, told: told.clone() })
        };
        let order = Sent::Order {
            client_key: "k".to_owned(),
            customer: 1,
            product: 1,
            quantity: 1,
            note: None,
            gift: false,
        };
        let mut book = Book::new(None);
        book.end(request(Schema::V1), write(order, &acknowledged));
        let (count, first) = changes(&mut book, 0);
        assert_eq!(count, 1, "the first change is not answered yet");
        book.end(request(Schema::V1), write(first.expect("a change"), &acknowledged));
        let (count, second) = changes(&mut book, 1000);
        assert_eq!(count, 1, "an answered change lets the next one begin");
        book.end(request(Schema::V1), write(second.expect("a change"), &unknown));
        assert_eq!(changes(&mut book, 2000).0, 0, "it may still happen, after any later one");
    }

    #[test]
    fn reviews_need_an_unbroken_row_of_answers_that_have_them() {
        let mut book = Book::new(None);
        let mut reviews = |schema: Schema, answers: u32, from: u64| {
            for _ in 0..answers {
                book.end(request(schema), None);
            }
            (from..from + 300)
                .map(|number| book.begin(&mix(), number))
                .filter(|operation| matches!(operation, Operation::Write(Sent::Review { .. })))
                .count()
        };
        assert_eq!(reviews(Schema::V2, 19, 0), 0);
        assert!(reviews(Schema::V2, 1, 1000) > 0);
        assert_eq!(reviews(Schema::V1, 1, 2000), 0);
        assert_eq!(reviews(Schema::V2, 19, 3000), 0);
    }
}
