//! Users who keep their release, a few of whom ask for far more than all others, and a few of whom
//! meet an error with every request in either release. Their requests are no independent draws.

use crate::bench::random::{Law, Random};
use crate::bench::stream::{Step, Tally};
use crate::bench::subject::Subject;

/// How many users there are.
const USERS: u64 = 20_000;

/// The tail of how much they ask for (Pareto): with 1.2, a hundredth of them, 0.01^(1 - 1/1.2),
/// make nearly half of all requests.
const TAIL: f64 = 1.2;

/// The share of users for whom nothing works, whichever release they have.
const BROKEN: f64 = 0.005;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    /// Every request, as if each were a draw of its own.
    EveryRequest,
    /// The first request of each user, as the proxy does for users who keep their release.
    FirstOfUser,
}

/// One run of so many requests: when the judge took the release back.
pub(crate) fn watch(
    mut judge: Subject,
    weight: u16,
    requests: u64,
    count: Count,
    seed: u64,
) -> Option<u64> {
    let mut random = Random::new(seed);
    let share = f64::from(weight) / 10_000.0;
    let demand: Vec<f64> = (0..USERS).map(|_| libm::pow(random.open(), -1.0 / TAIL)).collect();
    let user_of = Law::new(&demand);
    let mut users: Vec<User> = (0..USERS)
        .map(|_| User { canary: random.chance(share), broken: random.chance(BROKEN), seen: false })
        .collect();
    let mut step = Step::nothing(0, weight);
    for at in 1..=requests {
        let user = &mut users[user_of.draw(&mut random)];
        if user.seen && count == Count::FirstOfUser {
            continue;
        }
        user.seen = true;
        step.at = at;
        let arm = if user.canary { &mut step.canary } else { &mut step.stable };
        arm.add(Tally { requests: 1, errors: u64::from(user.broken) });
        if user.broken {
            judge.step(&step);
            step = Step::nothing(at, weight);
            if judge.goes_back(at) {
                return Some(at);
            }
        }
    }
    None
}

struct User {
    canary: bool,
    broken: bool,
    seen: bool,
}
