//! Which request comes next: 70 % reads, 30 % writes, chosen by a seeded draw.
//!
//! Pure: the same seed, number and known rows choose the same request.

use super::record::{Change, Sent};
use crate::faults::hash;

/// Rows that the first migration seeds and that every release can read.
const SEEDED_PRODUCTS: u64 = 20;
const SEEDED_CUSTOMERS: u64 = 25;
const SEEDED_ORDERS: u64 = 100;

/// One request to make.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operation {
    Read(String),
    Write(Sent),
}

/// What the choice may use of what is known so far.
pub(super) struct Known<'a> {
    /// Ids of orders of this run.
    pub(super) orders: &'a [OwnOrder],
    /// Whether releases answering now serve reviews.
    pub(super) reviews: bool,
}

/// An order of this run.
#[derive(Clone, Debug)]
pub(super) struct OwnOrder {
    pub(super) id: i64,
    pub(super) client_key: String,
    /// Whether it may be changed: no write is open, and none is of unknown outcome.
    pub(super) settled: bool,
}

/// A run's name and seed.
pub(super) struct Mix {
    pub(super) run: String,
    pub(super) seed: u64,
}

impl Mix {
    /// The request with this number. A change of an order falls back to a new order.
    pub(super) fn choose(&self, number: u64, known: &Known<'_>) -> Operation {
        let mut draw = Draw { seed: self.seed, counter: number.wrapping_mul(16) };
        match draw.below(100) {
            0..15 => Operation::Read("/products".to_owned()),
            15..35 => Operation::Read(format!("/products/{}", draw.id(SEEDED_PRODUCTS))),
            35..55 => Operation::Read(format!("/orders/{}", draw.order(known.orders))),
            55..65 => Operation::Read("/orders?limit=20".to_owned()),
            65..70 => Operation::Read(format!("/customers/{}", draw.id(SEEDED_CUSTOMERS))),
            70..83 => Operation::Write(self.order(number, &mut draw)),
            83..92 => Operation::Write(
                self.change(number, &mut draw, known.orders)
                    .unwrap_or_else(|| self.order(number, &mut draw)),
            ),
            92..96 => Operation::Write(Sent::Customer {
                name: format!("{}-{number}", self.run),
                email: format!("Ada.{number}@Example.COM"),
            }),
            _ if known.reviews => Operation::Write(Sent::Review {
                product: draw.id(SEEDED_PRODUCTS),
                stars: draw.id(5),
                body: format!("{}-{number}", self.run),
            }),
            _ => Operation::Write(self.order(number, &mut draw)),
        }
    }

    fn order(&self, number: u64, draw: &mut Draw) -> Sent {
        Sent::Order {
            client_key: format!("{}-{number}", self.run),
            customer: draw.id(SEEDED_CUSTOMERS),
            product: draw.id(SEEDED_PRODUCTS),
            quantity: draw.id(9),
            note: (draw.below(4) > 0).then(|| format!("please ring twice, {number}")),
            gift: draw.below(3) == 0,
        }
    }

    fn change(&self, number: u64, draw: &mut Draw, orders: &[OwnOrder]) -> Option<Sent> {
        // A few draws find a settled order if most are; a scan would only matter if few are.
        let order = (0..4).filter_map(|_| draw.pick(orders)).find(|order| order.settled)?;
        let change = if draw.below(2) == 0 {
            Change::Quantity(10 + draw.id(900))
        } else {
            Change::Note(format!("changed by {}-{number}", self.run))
        };
        Some(Sent::Change { id: order.id, client_key: order.client_key.clone(), change })
    }
}

/// Consecutive draws for one request.
struct Draw {
    seed: u64,
    counter: u64,
}

impl Draw {
    fn below(&mut self, end: u64) -> u64 {
        self.counter = self.counter.wrapping_add(1);
        hash(self.seed, self.counter) % end
    }

    fn id(&mut self, last: u64) -> i64 {
        i64::try_from(self.below(last) + 1).unwrap_or(1)
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(items.len()).ok().filter(|count| *count > 0)?;
        items.get(usize::try_from(self.below(count)).ok()?)
    }

    /// Every other time an order of this run, otherwise a seeded one.
    fn order(&mut self, own: &[OwnOrder]) -> i64 {
        let seeded = self.id(SEEDED_ORDERS);
        if self.below(2) == 0 { seeded } else { self.pick(own).map_or(seeded, |order| order.id) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(orders: &[OwnOrder], reviews: bool) -> [u32; 5] {
        let mix = Mix { run: "r".to_owned(), seed: 1 };
        let mut shares = [0; 5];
        for number in 0..10_000 {
            let kind = match mix.choose(number, &Known { orders, reviews }) {
                Operation::Read(_) => 0,
                Operation::Write(Sent::Order { .. }) => 1,
                Operation::Write(Sent::Change { .. }) => 2,
                Operation::Write(Sent::Customer { .. }) => 3,
                Operation::Write(Sent::Review { .. }) => 4,
            };
            shares[kind] += 1;
        }
        shares
    }

    #[test]
    fn seven_of_ten_are_reads() {
        let settled = [OwnOrder { id: 7, client_key: "k".to_owned(), settled: true }];
        let [reads, orders, changes, customers, reviews] = shares(&settled, true);
        assert!((6800..7200).contains(&reads), "{reads} reads of 10000");
        assert!((1150..1450).contains(&orders) && (750..1050).contains(&changes));
        assert!((300..500).contains(&customers) && (300..500).contains(&reviews));
    }

    #[test]
    fn nothing_unknown_is_asked_for() {
        let open = [OwnOrder { id: 7, client_key: "k".to_owned(), settled: false }];
        let [_, _, changes, _, reviews] = shares(&open, false);
        assert_eq!((changes, reviews), (0, 0));
        assert_eq!(shares(&[], false)[2], 0);
    }
}
