//! Beginning requests at their time, and judging their answers.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::Value;
use tokio::sync::{Semaphore, watch};
use tokio::time::{MissedTickBehavior, interval, sleep_until, timeout};

use super::book::Book;
use super::client::{Answer, Client, NoAnswer};
use super::mix::{Mix, Operation};
use super::options::LoadOptions;
use super::record::{Sent, Told, Write};
use super::report::RequestRecord;
use crate::Schema;
use crate::faults::{hash, lock};

/// Makes users independent of what they ask for.
const USER_SEED: u64 = 0x5573_6572;

/// What the requests of one run share.
pub(super) struct Run {
    pub(super) options: LoadOptions,
    pub(super) client: Client,
    pub(super) mix: Mix,
    pub(super) book: Mutex<Book>,
    pub(super) started: Instant,
}

impl Run {
    /// Begins requests until `stop`, the end or the bound, then waits for those still open.
    pub(super) async fn drive(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let open = Arc::new(Semaphore::new(self.options.open_max));
        let period = Duration::from_secs(1) / self.options.rps.max(1);
        let mut ticks = interval(period);
        // Ticks missed by a busy generator are made up for: the load is open-loop.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let seconds = self.options.seconds.unwrap_or(u64::from(u32::MAX));
        let end = sleep_until((self.started + Duration::from_secs(seconds)).into());
        tokio::pin!(end);
        for number in 0..self.options.requests_max {
            let due = tokio::select! {
                biased;
                _ = stop.changed() => break,
                () = &mut end => break,
                due = ticks.tick() => due,
            };
            let late_ms = due.elapsed().as_secs_f64() * 1000.0;
            let mut book = lock(&self.book);
            book.late_ms_max = book.late_ms_max.max(late_ms);
            let Ok(permit) = Arc::clone(&open).try_acquire_owned() else {
                book.counts.held_back += 1;
                continue;
            };
            let operation = book.begin(&self.mix, number);
            drop(book);
            let run = Arc::clone(&self);
            tokio::spawn(async move {
                run.request(number, operation).await;
                drop(permit);
            });
        }
        // Every request ends by its own timeout, so all permits come back soon after it.
        let most = Duration::from_millis(self.options.timeout_ms) + Duration::from_secs(1);
        let all = u32::try_from(self.options.open_max).unwrap_or(u32::MAX);
        let _ = timeout(most, open.acquire_many(all)).await;
    }

    async fn request(&self, number: u64, operation: Operation) {
        let id = format!("{}-{number}", self.options.run);
        let (method, path, body, sent) = match operation {
            Operation::Read(path) => (Method::GET, path, None, None),
            Operation::Write(sent) => (method(&sent), sent.path(), Some(sent.body()), Some(sent)),
        };
        let start = Instant::now();
        // Which user it is depends on the number alone, so equal runs are equal.
        let user = hash(self.options.seed ^ USER_SEED, number) % self.options.users.max(1);
        let user = format!("user-{user}");
        let headers = [("x-request-id", id.as_str()), ("x-user", user.as_str())];
        let result = self.client.send(method.clone(), &path, &headers, body.as_ref()).await;
        let answer = result.as_ref().ok();
        let said = answer.map(Answer::json).unwrap_or_default();
        let header = |name: &str| Some(answer?.header(name)?.to_owned());
        let shop_release = || Some(said.get("release")?.as_str()?.to_owned());
        let mut request = RequestRecord {
            id: id.clone(),
            user: user.clone(),
            start_ms: (start - self.started).as_secs_f64() * 1000.0,
            method: if sent.is_none() { "GET" } else { method_name(&method) },
            path,
            status: answer.map(|answer| answer.status),
            release: header("x-ripcord-release")
                .or_else(|| header("x-shop-release"))
                .or_else(shop_release),
            schema: schema(&said),
            latency_ms: start.elapsed().as_secs_f64() * 1000.0,
            fault: header("x-shop-fault"),
            proxy_error: header("x-ripcord-error"),
            failure: None,
        };
        let told = sent.as_ref().map(|_| told(&result, &said, &request));
        request.failure = failure(&result, told.as_ref(), &request);
        let write = sent.zip(told).map(|(sent, told)| Write { request: id, sent, told });
        lock(&self.book).end(request, write);
    }
}

fn method(sent: &Sent) -> Method {
    match sent {
        Sent::Change { .. } => Method::PATCH,
        Sent::Order { .. } | Sent::Customer { .. } | Sent::Review { .. } => Method::POST,
    }
}

fn method_name(method: &Method) -> &'static str {
    if method == Method::PATCH { "PATCH" } else { "POST" }
}

/// The generation that the shop's own answer names; an answer from anything else names none.
fn schema(said: &Value) -> Option<Schema> {
    let number = u8::try_from(said.get("schema")?.as_u64()?).ok()?;
    Schema::try_from(number).ok()
}

/// What a write's answer, or its absence, tells about the row. In doubt it is unknown.
fn told(result: &Result<Answer, NoAnswer>, said: &Value, request: &RequestRecord) -> Told {
    let answer = match result {
        Ok(answer) => answer,
        Err(none) if none.sent => return Told::Unknown { because: none.because.clone() },
        Err(none) => return Told::Refused { because: none.because.clone() },
    };
    let because = format!("answered {}", answer.status);
    match (answer.status, said.get("id").and_then(Value::as_i64), request.schema) {
        (200..=299, Some(id), Some(schema)) => {
            Told::Acknowledged { id, release: request.release.clone().unwrap_or_default(), schema }
        }
        // The shop's fault answers and its refusals wrote nothing; those of others may hide a row.
        (400..=499, _, Some(_)) => Told::Refused { because },
        _ if request.fault.is_some() => Told::Refused { because },
        _ => Told::Unknown { because },
    }
}

fn failure(
    result: &Result<Answer, NoAnswer>,
    told: Option<&Told>,
    request: &RequestRecord,
) -> Option<String> {
    match result {
        Err(none) => Some(none.because.clone()),
        Ok(_) if request.is_not_offered() => None,
        Ok(answer) if !(200..300).contains(&answer.status) => {
            let start: String = String::from_utf8_lossy(&answer.body).chars().take(200).collect();
            Some(format!("answered {}: {start}", answer.status))
        }
        Ok(_) if told.is_some_and(|told| matches!(told, Told::Unknown { .. })) => {
            Some("acknowledged without a row".to_owned())
        }
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, body: &str, fault: Option<&str>, expected: &str) {
        let said: Value = serde_json::from_str(body).unwrap_or_default();
        let result = Ok(Answer {
            status,
            headers: axum::http::HeaderMap::new(),
            body: body.to_owned().into(),
        });
        let request = RequestRecord {
            id: "r-1".to_owned(),
            start_ms: 0.0,
            method: "POST",
            path: "/orders".to_owned(),
            status: Some(status),
            release: Some("v1".to_owned()),
            schema: schema(&said),
            latency_ms: 0.0,
            fault: fault.map(str::to_owned),
            user: String::new(),
            proxy_error: None,
            failure: None,
        };
        let told = told(&result, &said, &request);
        let failed = failure(&result, Some(&told), &request).is_some();
        let told = match told {
            Told::Acknowledged { id, .. } => format!("row {id}"),
            Told::Refused { .. } => "refused".to_owned(),
            Told::Unknown { .. } => "unknown".to_owned(),
        };
        assert_eq!(format!("{told}, failed: {failed}"), expected, "{status} {body}");
    }

    #[test]
    fn only_the_shop_itself_can_refuse_a_write() {
        check(201, r#"{"id": 4, "schema": 1}"#, None, "row 4, failed: false");
        check(200, r#"{"id": 4, "schema": 3}"#, None, "row 4, failed: false");
        check(201, r#"{"id": 4}"#, None, "unknown, failed: true");
        check(200, "hello", None, "unknown, failed: true");
        check(422, r#"{"error": "", "schema": 1}"#, None, "refused, failed: true");
        check(404, "not here", None, "unknown, failed: true");
        check(500, r#"{"schema": 1}"#, Some("fault-1-1"), "refused, failed: true");
        check(500, r#"{"schema": 1}"#, None, "unknown, failed: true");
        check(502, "", None, "unknown, failed: true");
        check(503, "", None, "unknown, failed: true");
    }

    #[test]
    fn a_request_that_never_left_wrote_nothing() {
        let check = |sent, expected: fn(&Told) -> bool| {
            let result = Err(NoAnswer { because: "gone".to_owned(), sent });
            let request = RequestRecord {
                id: String::new(),
                start_ms: 0.0,
                method: "POST",
                path: "/orders".to_owned(),
                status: None,
                release: None,
                schema: None,
                latency_ms: 0.0,
                fault: None,
                user: String::new(),
                proxy_error: None,
                failure: None,
            };
            let told = told(&result, &Value::Null, &request);
            assert!(expected(&told), "{told:?}");
            assert!(failure(&result, Some(&told), &request).is_some());
        };
        check(true, |told| matches!(told, Told::Unknown { .. }));
        check(false, |told| matches!(told, Told::Refused { .. }));
    }
}
