//! What is counted for whoever compares releases: by the state that divided the requests.
//!
//! A period lasts while the split and the draw stay the same. A request belongs to the period by
//! whose chances it was assigned, however long it takes. Only first attempts count, and only
//! requests that a chance assigned: what a rule or the preview sent is in no period.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::arm::{Arm, ArmTally};
use crate::draw::Draw;
use crate::state::{ReleaseName, Share, State};
use crate::users::{Mint, Users};

/// The latest periods since the proxy started.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Periods {
    /// Random name of this run of the proxy. With a new one, all counts began at zero again.
    pub epoch: String,
    /// Oldest first, the one in force last; at most 16.
    pub periods: Vec<Period>,
}

/// What was counted while the requests were divided in one way.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// Grows with each period; never used twice in one epoch.
    pub number: u64,
    /// The fence of the state that began it.
    pub fence: u64,
    /// The generation of the state that began it.
    pub generation: u64,
    /// The chances.
    pub split: BTreeMap<ReleaseName, Share>,
    /// How they were drawn. Only independent and sticky draws are chance; an exact division is for
    /// people to look at.
    pub draw: Draw,
    /// Whether there were more users than are remembered. Those beyond are in `requests_all` and
    /// `errors_all` only.
    pub users_overflow: bool,
    /// The counts of each release with a share.
    pub arms: BTreeMap<ReleaseName, Arm>,
}

impl Period {
    /// The part of all requests that the release really got, to be put beside its share in the
    /// split. None as long as there were no requests.
    pub fn measured_share(&self, release: &ReleaseName) -> Option<Share> {
        let all: u64 = self.arms.values().map(|arm| arm.requests_all).sum();
        let own = self.arms.get(release).map_or(0, |arm| arm.requests_all);
        let share = u128::from(own) * u128::from(Share::ALL.0);
        u16::try_from(share.checked_div(u128::from(all))?).ok().map(Share)
    }
}

/// The live counters behind [`Period`].
pub(crate) struct PeriodTally {
    pub(crate) number: u64,
    fence: u64,
    generation: u64,
    split: BTreeMap<ReleaseName, Share>,
    draw: Draw,
    pub(crate) arms: BTreeMap<ReleaseName, Arc<ArmTally>>,
    users: Option<Arc<Users>>,
    pub(crate) mint: Mint,
}

impl PeriodTally {
    /// The period of a state: the one before, as long as requests are divided in the same way.
    pub(crate) fn of(state: &State, before: Option<&Arc<Self>>) -> Arc<Self> {
        if let Some(before) = before
            && (&before.split, &before.draw) == (&state.split, &state.draw)
        {
            return Arc::clone(before);
        }
        let number = before.map_or(0, |before| before.number + 1);
        let users = users(&state.draw, before);
        let shares = state.split.iter().filter(|(_, share)| **share > Share::NONE);
        let arm = || Arc::new(ArmTally::new(number, users.clone()));
        let arms = shares.map(|(name, _)| (name.clone(), arm()));
        Arc::new(Self {
            number,
            fence: state.fence,
            generation: state.generation,
            split: state.split.clone(),
            draw: state.draw.clone(),
            arms: arms.collect(),
            users,
            mint: Mint::new(),
        })
    }

    /// The counts at `now`, measured from when the proxy began.
    pub(crate) fn read(&self, now: Duration) -> Period {
        let arms = self.arms.iter().map(|(name, arm)| (name.clone(), arm.read(now)));
        Period {
            number: self.number,
            fence: self.fence,
            generation: self.generation,
            split: self.split.clone(),
            draw: self.draw.clone(),
            users_overflow: self.users.as_ref().is_some_and(|users| users.overflow()),
            arms: arms.collect(),
        }
    }
}

/// The users of a draw. They go on from period to period, as long as their places do.
fn users(draw: &Draw, before: Option<&Arc<PeriodTally>>) -> Option<Arc<Users>> {
    let Draw::Sticky(sticky) = draw else { return None };
    let known = before.and_then(|before| match &before.draw {
        Draw::Sticky(old) if (&old.salt, &old.key) == (&sticky.salt, &sticky.key) => {
            before.users.clone()
        }
        _ => None,
    });
    Some(known.unwrap_or_else(|| Arc::new(Users::new())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::Histogram;
    use crate::draw::Place;
    use crate::trial::{Chance, Trial, Who};
    use std::thread::ScopedJoinHandle;
    use std::time::Instant;

    fn state(draw: &str, share: u32) -> State {
        let text = format!(
            r#"{{"format":1,"fence":1,"generation":1,"split":{{"a":{},"b":{share},"c":0}},
                "preview":null,"targets":{{}},"requests":"flowing","draw":{draw}}}"#,
            10_000 - share
        );
        serde_json::from_str(&text).unwrap()
    }

    fn name(name: &str) -> ReleaseName {
        ReleaseName::new(name).unwrap()
    }

    const STICKY: &str =
        r#"{"sticky":{"canary":"b","salt":"s","key":{"header":{"name":"x-user"}}}}"#;

    struct World {
        period: Arc<PeriodTally>,
        clock: Instant,
    }

    impl World {
        fn new(draw: &str) -> Self {
            let clock = Instant::now();
            Self { period: PeriodTally::of(&state(draw, 500), None), clock }
        }

        fn next(&self, draw: &str, share: u32) -> Self {
            let period = PeriodTally::of(&state(draw, share), Some(&self.period));
            Self { period, clock: self.clock }
        }

        /// A request that the canary gets.
        fn request(&self, who: Who) -> Trial {
            let arm = self.period.arms.values().nth(1).map(Arc::clone).unwrap();
            Chance { arm, who }.begin(self.clock)
        }

        fn answer(&self, who: Who, is_well: bool) {
            let mut trial = self.request(who);
            trial.ended(Duration::from_millis(10));
            if !is_well {
                trial.failed();
            }
        }

        fn canary(&self, now: Duration) -> Arm {
            self.period.read(now).arms.into_values().nth(1).unwrap()
        }

        /// Requests, answered, errors, all requests, all errors, without a key.
        fn check(&self, expected: [u64; 6]) {
            let arm = self.canary(self.clock.elapsed());
            let found = [
                arm.requests,
                arm.answered,
                arm.errors,
                arm.requests_all,
                arm.errors_all,
                arm.keyless,
            ];
            assert_eq!(found, expected, "{arm:?}");
        }
    }

    #[test]
    fn each_request_counts_once_however_it_fails() {
        let world = World::new("\"independent\"");
        world.answer(Who::Anyone, true);
        world.answer(Who::Anyone, false);
        let mut twice = world.request(Who::Anyone);
        twice.ended(Duration::from_millis(3));
        twice.ended(Duration::from_millis(4));
        twice.failed();
        twice.failed();
        drop(twice);
        world.check([3, 3, 2, 3, 2, 0]);
        assert_eq!(world.period.arms.len(), 2, "who has no share is in no comparison");
    }

    #[test]
    fn each_user_counts_once_a_period_and_fails_once_a_rollout() {
        let world = World::new(STICKY);
        let (ada, bob) = (Who::User(Place(1)), Who::User(Place(2)));
        world.answer(ada, true);
        world.answer(ada, true);
        world.answer(ada, false);
        world.answer(ada, false);
        world.answer(bob, true);
        world.answer(Who::Keyless, false);
        world.check([2, 2, 1, 6, 3, 1]);
        assert_eq!(world.period.read(Duration::ZERO).measured_share(&name("b")), Some(Share::ALL));
        assert_eq!(world.period.read(Duration::ZERO).measured_share(&name("a")), Some(Share::NONE));
        // Who has just got a cookie comes back with it, well and badly.
        let (eve, back) = (Who::NewUser(Place(3)), Who::HeardUser(Place(3)));
        world.answer(eve, true);
        world.answer(back, true);
        world.answer(back, false);
        world.answer(back, false);
        world.check([3, 3, 2, 10, 5, 1]);
        let (new, returned) = (Who::NewUser(Place(4)), Who::User(Place(4)));
        world.answer(new, false);
        world.answer(returned, false);
        world.check([4, 4, 3, 12, 7, 1]);
        // At the next step Bob is heard again. Ada has said what she had to say.
        let next = world.next(STICKY, 1_000);
        next.answer(ada, false);
        next.answer(bob, false);
        next.check([1, 1, 1, 2, 2, 0]);
        // Another salt is another toss for everybody.
        let other = next.next(&STICKY.replace("\"s\"", "\"t\""), 1_000);
        other.answer(ada, false);
        other.check([1, 1, 1, 1, 1, 0]);
        world.check([4, 4, 3, 12, 7, 1]);
    }

    #[test]
    fn who_keeps_no_cookies_does_not_silence_the_others() {
        let world = World::new(STICKY);
        let new = (0..=crate::users::USERS as u64).map(|number| Who::NewUser(Place(number)));
        new.for_each(|who| drop(world.request(who)));
        world.answer(Who::User(Place(u64::MAX)), true);
        let arm = world.canary(Duration::ZERO);
        assert_eq!(arm.requests, crate::users::USERS as u64 + 2);
        assert!(!world.period.read(Duration::ZERO).users_overflow);
    }

    #[test]
    fn the_same_division_is_the_same_period() {
        let world = World::new("\"independent\"");
        world.answer(Who::Anyone, true);
        let same = world.next("\"independent\"", 500);
        same.check([1, 1, 0, 1, 0, 0]);
        let raised = same.next("\"independent\"", 501);
        raised.check([0; 6]);
        assert_eq!(raised.period.read(Duration::ZERO).measured_share(&name("b")), None);
        let exact = raised.next("\"exact\"", 501);
        let numbers = [&world, &same, &raised, &exact].map(|world| world.period.number);
        assert_eq!(numbers, [0, 0, 1, 2]);
    }

    #[test]
    fn what_is_not_answered_is_overdue_and_stays_so_when_given_up() {
        let world = World::new("\"independent\"");
        let seconds = |n| Duration::from_secs(n);
        let hanging = world.request(Who::Anyone);
        let bucket = u16::try_from(Histogram::bucket(Duration::from_millis(900))).unwrap();
        let late = |after| world.canary(after).overdue(bucket);
        assert_eq!(late(Duration::from_millis(300)), 0);
        assert_eq!(late(seconds(2)), 1);
        assert_eq!(world.canary(seconds(2)).overdue(270), 0, "nothing outlives the open end");
        let mut answered = world.request(Who::Anyone);
        answered.ended(seconds(2));
        drop(answered);
        assert_eq!(late(seconds(2)), 1, "what is answered is in the latencies");
        drop(hanging);
        assert_eq!(late(seconds(9)), 0, "given up at once: nobody knows that it would be late");
        // As if the clients had gone after so long.
        let canary = world.period.arms.values().nth(1).unwrap();
        canary.given_up.add(usize::from(bucket) + 3);
        canary.given_up.add(usize::from(bucket) - 1);
        assert_eq!(late(seconds(9)), 1);
        let arm = world.canary(seconds(9));
        let (low, high) = (bucket - 1, bucket + 3);
        assert_eq!(arm.overdue[arm.overdue.len() - 2..], [(low, 2), (high, 1)]);
        let at = [low - 1, low, bucket, high, high + 1].map(|bucket| arm.overdue(bucket));
        assert_eq!(at, [2, 2, 1, 1, 0]);
    }

    #[test]
    fn readers_never_see_more_ends_than_beginnings() {
        let world = World::new("\"independent\"");
        std::thread::scope(|scope| {
            let writers = [(); 2].map(|()| {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        world.answer(Who::Anyone, false);
                    }
                })
            });
            while !writers.iter().all(ScopedJoinHandle::is_finished) {
                let arm = world.canary(world.clock.elapsed() + Duration::from_secs(5));
                let late = arm.overdue(0);
                assert!(arm.errors <= arm.requests, "{arm:?}");
                assert!(arm.answered + late <= arm.requests, "{arm:?}");
            }
        });
        world.check([40_000, 40_000, 40_000, 40_000, 40_000, 0]);
    }
}
