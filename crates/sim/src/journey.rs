//! Journeys: a world in which something is about to be asked for, and what should come of it.

use crate::controller::Sim;
use crate::lab::{Answers, Operator, Rest, Wish};
use crate::release::{Behaviour, SimRelease};
use crate::state::State;
use crate::wishes::Wishes;
use ripcord_core::model::{CanaryStep, Match, Pattern, StickyKey};
use ripcord_core::run::Event;

/// A world, a wish, and how it ends when nothing goes wrong.
#[derive(Debug, Clone)]
pub struct Journey {
    /// Its name.
    pub name: &'static str,
    /// The world before.
    pub state: State,
    /// What is asked for.
    pub wish: Wish,
    /// How the person behaves who is asked.
    pub operator: Operator,
    /// Whether the target serves in the end, when nothing goes wrong.
    pub goes_live: bool,
}

impl Journey {
    /// The world with the plan begun.
    ///
    /// # Panics
    ///
    /// When the wish is denied: a journey is one that can begin.
    pub fn begun(&self) -> State {
        let sim = Sim::of(self.state.clone());
        let begun = sim.start_controller().begin(&self.wish, "ann");
        assert!(begun.is_ok(), "{}: {begun:?}", self.name);
        sim.state()
    }
}

/// A release, as journeys describe it.
#[derive(Clone, Copy)]
struct Spec<'a> {
    ups: &'a [&'a str],
    traits: Behaviour,
    /// Whether a worker runs beside the web, in this release and the one before.
    worker: bool,
}

const ADDITIVE: &[&str] = &["add orders.gift; bump"];
const BREAKING: &[&str] = &["add orders.memo; drop orders.note; bump"];
const GOOD: Behaviour = Behaviour {
    errors: 0,
    ready_ms: Some(100),
    one_by_one: false,
    lives_ms: None,
    checks_pass: true,
    value: 100,
    harms: 0,
};
const BAD: Behaviour = Behaviour { errors: 60, ..GOOD };

/// All journeys.
///
/// # Panics
///
/// When the world before a journey cannot be set up.
pub fn journeys() -> Vec<Journey> {
    let mut all = forward();
    all.extend(taken_back());
    all.extend(rollbacks());
    all.extend(shared());
    all.extend(abroad());
    all
}

/// Those in which two releases share the requests.
fn shared() -> Vec<Journey> {
    use CanaryStep::{Analysis, Pause, SetHeaderRoute, SetWeight};
    let good = Spec { ups: ADDITIVE, traits: GOOD, worker: true };
    let bad = Spec { traits: BAD, ..good };
    let plain = Spec { ups: &[], traits: GOOD, worker: false };
    let by_share = |wishes: &mut Wishes| {
        let steps = [SetWeight(2_500), Pause(Some(100)), SetWeight(5_000), Analysis(5_000)];
        wishes.canary(&steps, None);
    };
    let by_user = |wishes: &mut Wishes| {
        let steps = [SetHeaderRoute(Some(tester())), SetWeight(3_000), Pause(None)];
        wishes.canary(&steps, Some(StickyKey::Cookie { name: "release".to_owned() }));
    };
    let by_instance = |wishes: &mut Wishes| wishes.rolling(1, 100);
    let back = |wishes: &mut Wishes| {
        wishes.canary(&[SetWeight(5_000), Pause(Some(100))], None);
        wishes.policy.rollback_window_ms = 0;
    };
    let mut declined = deploy_spec("canary, declined", plain, by_user, false);
    declined.state.ask_in(600, Event::AbortRequested { reason: "I do not like it".to_owned() });
    declined.operator.answers = Answers::Abort;
    let worker = Spec { ups: BREAKING, ..good };
    vec![
        deploy_spec("canary", good, by_share, true),
        deploy_spec("canary, found bad", bad, by_share, false),
        declined,
        rollback_spec("canary, back outside its window", plain, back, true),
        deploy_spec("rolling", good, by_instance, true),
        deploy_spec("rolling, found bad", Spec { traits: BAD, ..plain }, by_instance, false),
        rollback_spec("rolling back", plain, by_instance, true),
        deploy_spec("breaking, with a worker", worker, |_| {}, true),
        rollback_spec("not fitting, with a worker", worker, |_| {}, true),
    ]
}

/// Those with flags at somebody else's service.
fn abroad() -> Vec<Journey> {
    let spec = |ups, traits| Spec { ups, traits, worker: false };
    let deploy = |name, ups, traits, goes_live| {
        let mut journey = deploy_spec(name, spec(ups, traits), |_| {}, goes_live);
        journey.state.open_service();
        journey
    };
    let rollback = |name, ups| {
        let deployed = deploy(name, ups, GOOD, true);
        let sim = Sim::of(deployed.state.with_flags_abroad());
        let rest = sim.fulfil(&deployed.wish, Operator::default());
        assert!(matches!(rest, Ok(Rest::Over(_))), "{name}: v2 is deployed: {rest:?}");
        let wish = Wish::Rollback { release: Some("v1".into()) };
        Journey { name, state: sim.state(), wish, operator: Operator::default(), goes_live: true }
    };
    let with = |mut journey: Journey| {
        journey.state = journey.state.with_flags_abroad();
        journey
    };
    vec![
        with(deploy("flags at a service", ADDITIVE, GOOD, true)),
        with(deploy("flags at a service, found bad", ADDITIVE, BAD, false)),
        with(deploy("flags at a service, breaking, found bad", BREAKING, BAD, false)),
        rollback("flags at a service, back", ADDITIVE),
        rollback("flags at a service, back, not fitting", BREAKING),
    ]
}

/// What testers send.
fn tester() -> Match {
    Match::Header { name: "x-tester".to_owned(), value: Pattern::Is("yes".to_owned()) }
}

fn forward() -> Vec<Journey> {
    let approve = |wishes: &mut Wishes| wishes.policy.approve = true;
    let queue = |wishes: &mut Wishes| wishes.add_resource("queue");
    let mut window = deploy("breaking, in a downtime window", BREAKING, GOOD, |_| {}, true);
    window.state.open_window();
    vec![
        first(),
        window,
        deploy("additive", ADDITIVE, GOOD, |_| {}, true),
        deploy("breaking", BREAKING, GOOD, |_| {}, true),
        deploy("plain, approved", &[], GOOD, approve, true),
        deploy("with a queue", ADDITIVE, GOOD, queue, true),
    ]
}

fn taken_back() -> Vec<Journey> {
    let queue = |wishes: &mut Wishes| wishes.add_resource("queue");
    let never = Behaviour { ready_ms: None, ..GOOD };
    let fails = Behaviour { checks_pass: false, ..GOOD };
    let mortal = Behaviour { lives_ms: Some(60), ..GOOD };
    let mut broken = deploy("resource fails", ADDITIVE, GOOD, queue, false);
    broken.state.break_resource("queue");
    let mut declined = deploy(
        "declined",
        ADDITIVE,
        GOOD,
        |wishes: &mut Wishes| wishes.policy.approve = true,
        false,
    );
    declined.operator.answers = Answers::Abort;
    vec![
        deploy("additive, found bad", ADDITIVE, BAD, queue, false),
        deploy("breaking, found bad", BREAKING, BAD, |_| {}, false),
        deploy("approved, found bad", &[], BAD, |wishes| wishes.policy.approve = true, false),
        deploy("checks fail", ADDITIVE, fails, |_| {}, false),
        deploy("never ready", ADDITIVE, never, |_| {}, false),
        deploy("crash loop", ADDITIVE, mortal, |_| {}, false),
        deploy("migration fails", &["add orders.gift; bump; fail"], GOOD, |_| {}, false),
        broken,
        declined,
    ]
}

fn rollbacks() -> Vec<Journey> {
    let queue = |wishes: &mut Wishes| wishes.add_resource("queue");
    let mut cold = rollback("to a release that died", BREAKING, |_| {}, true);
    cold.state.stop_all(&"v1".into());
    let mut fails = rollback("that fails itself", ADDITIVE, |_| {}, false);
    fails.state.stop_all(&"v1".into());
    fails.state.never_ready_again(&"v1".into());
    let mut window = rollback("not fitting, in a downtime window", BREAKING, |_| {}, true);
    window.state.open_window();
    let outside = |wishes: &mut Wishes| wishes.policy.rollback_window_ms = 0;
    vec![
        rollback("fitting", ADDITIVE, queue, true),
        rollback("not fitting", BREAKING, |_| {}, true),
        rollback("outside its window", ADDITIVE, outside, true),
        cold,
        window,
        fails,
    ]
}

fn first() -> Journey {
    first_of(SimRelease::new("v1", None, &["add orders.id; add orders.note"], GOOD))
}

fn first_of(release: SimRelease) -> Journey {
    let mut state = State::default();
    state.add_release(release);
    state.advance(100);
    Journey {
        name: "first deploy",
        state,
        wish: Wish::Deploy { release: "v1".into(), retry: false },
        operator: Operator::default(),
        goes_live: true,
    }
}

/// A world in which v1 serves and v2 is ready to be deployed.
fn served(spec: Spec<'_>, wishes: impl Fn(&mut Wishes)) -> State {
    let employ = |release: SimRelease| {
        if spec.worker { release.with_role("worker", 2) } else { release }
    };
    let v1 = SimRelease::new("v1", None, &["add orders.id; add orders.note"], GOOD);
    let first = first_of(employ(v1));
    let sim = Sim::of(first.state);
    sim.with(|state| wishes(&mut state.wishes));
    let rest = sim.fulfil(&first.wish, Operator { answers: Answers::GoOn, ..Operator::default() });
    assert!(matches!(rest, Ok(Rest::Over(_))), "the first deploy ends: {rest:?}");
    let mut state = sim.state();
    let second = SimRelease::new("v2", state.release("v1"), spec.ups, spec.traits);
    state.add_release(employ(second));
    state
}

fn deploy(
    name: &'static str,
    ups: &[&str],
    traits: Behaviour,
    wishes: impl Fn(&mut Wishes),
    goes_live: bool,
) -> Journey {
    deploy_spec(name, Spec { ups, traits, worker: false }, wishes, goes_live)
}

fn deploy_spec(
    name: &'static str,
    spec: Spec<'_>,
    wishes: impl Fn(&mut Wishes),
    goes_live: bool,
) -> Journey {
    let state = served(spec, wishes);
    let wish = Wish::Deploy { release: "v2".into(), retry: false };
    Journey { name, state, wish, operator: Operator::default(), goes_live }
}

fn rollback(
    name: &'static str,
    ups: &[&str],
    wishes: impl Fn(&mut Wishes),
    goes_live: bool,
) -> Journey {
    rollback_spec(name, Spec { ups, traits: GOOD, worker: false }, wishes, goes_live)
}

fn rollback_spec(
    name: &'static str,
    spec: Spec<'_>,
    wishes: impl Fn(&mut Wishes),
    goes_live: bool,
) -> Journey {
    let deployed = deploy_spec(name, spec, wishes, true);
    let sim = Sim::of(deployed.state);
    let rest = sim.fulfil(&deployed.wish, Operator::default());
    assert!(matches!(rest, Ok(Rest::Over(_))), "{name}: v2 is deployed: {rest:?}");
    let wish = Wish::Rollback { release: Some("v1".into()) };
    Journey { name, state: sim.state(), wish, operator: Operator::default(), goes_live }
}
