//! The waiting room for requests that are held back: bounded in number, bytes and time.
//!
//! The order of waiting is the gate's; this only counts who is in the room. A body is not read
//! while its request waits (the client is not even told to go on), but its announced length
//! counts, because it will come all at once when the gate opens.

use std::sync::atomic::{AtomicU64, Ordering};

use hyper::Request;
use hyper::body::{Body, Incoming};

/// Who waits now.
#[derive(Default)]
pub(crate) struct WaitingRoom {
    requests: AtomicU64,
    bytes: AtomicU64,
}

/// A place in the room, until dropped: when the request goes on, gives up or loses its client.
pub(crate) struct Place<'a> {
    room: &'a WaitingRoom,
    bytes: u64,
}

impl WaitingRoom {
    /// Takes a place, if neither bound would be exceeded by it.
    pub(crate) fn enter(&self, bytes: u64, max_requests: u32, max_bytes: u64) -> Option<Place<'_>> {
        let requests = self.requests.fetch_add(1, Ordering::AcqRel) + 1;
        let total = self.bytes.fetch_add(bytes, Ordering::AcqRel).saturating_add(bytes);
        let place = Place { room: self, bytes };
        (requests <= u64::from(max_requests) && total <= max_bytes).then_some(place)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Acquire)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.room.requests.fetch_sub(1, Ordering::AcqRel);
        self.room.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// What a request weighs while it waits: its head, roughly, and its body as announced. A body of
/// unknown length weighs what a connection may buffer of it.
pub(crate) fn weight(request: &Request<Incoming>) -> u64 {
    const UNKNOWN_BODY: u64 = 64 * 1024;
    let line = request.method().as_str().len() + request.uri().to_string().len();
    let headers = request.headers().iter();
    let headers: usize = headers.map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    (line + headers) as u64 + request.body().size_hint().upper().unwrap_or(UNKNOWN_BODY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_and_places_come_free() {
        let room = WaitingRoom::default();
        let first = room.enter(60, 2, 100).unwrap();
        assert!(room.enter(41, 2, 100).is_none(), "bytes");
        let second = room.enter(40, 2, 100).unwrap();
        assert!(room.enter(0, 2, 100).is_none(), "requests");
        assert_eq!(room.requests(), 2);
        drop((first, second));
        assert_eq!((room.requests(), room.bytes.load(Ordering::Relaxed)), (0, 0));
    }
}
