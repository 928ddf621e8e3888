//! Operator storms: many wishes one after the other, sensible or not, each under faults by chance.

use ripcord_core::model::CanaryStep;
use ripcord_core::run::Outcome;
use ripcord_sim::prng::Prng;
use ripcord_sim::{
    Behaviour, Denied, Operator, Rest, Schedule, Sim, SimRelease, State, Wish, judge,
};

/// How many storms there are.
const STORMS: u64 = 400;

/// How many wishes make a storm.
const WISHES: u64 = 8;

/// Faults in each run at most.
const FAULTS: u32 = 4;

/// What the next release may bring along. Columns are numbered, so that each is new.
fn next_release(state: &mut State, prng: &mut Prng, number: u64) -> String {
    let id = format!("v{number}");
    let parent = state.release(&format!("v{}", number - 1)).cloned();
    let script = match prng.below(4) {
        0 if number > 2 => format!("add orders.m{number}; drop orders.c1"),
        1 => format!("add orders.c{number}; bump"),
        2 => "bump".to_owned(),
        _ => String::new(),
    };
    let drops = script.contains("drop");
    let already_gone = drops && !state.has_column("orders.c1");
    let bad = prng.below(4) == 0;
    let traits = Behaviour { errors: if bad { 80 } else { 0 }, ..Behaviour::default() };
    let ups: Vec<&str> =
        if script.is_empty() || already_gone { Vec::new() } else { vec![script.as_str()] };
    state.add_release(SimRelease::new(&id, parent.as_ref(), &ups, traits));
    id
}

fn storm(seed: u64) -> (u32, u32) {
    let mut prng = Prng::new(seed);
    let mut state = State::default();
    state.add_release(SimRelease::new(
        "v1",
        None,
        &["add orders.id; add orders.c1"],
        Behaviour::default(),
    ));
    let steps = [CanaryStep::SetWeight(3_000), CanaryStep::Pause(Some(300))];
    match seed % 3 {
        0 => state.wishes.canary(&steps, None),
        1 => state.wishes.rolling(1, 100),
        _ => {}
    }
    let sim = Sim::of(state);
    let first = Wish::Deploy { release: "v1".into(), retry: false };
    assert!(sim.fulfil(&first, Operator::default()).is_ok(), "seed {seed}");
    let (mut newest, mut live, mut denied) = (1, 0, 0);
    for _ in 0..WISHES {
        let wish = match prng.below(6) {
            0..=2 => {
                newest += 1;
                let id = sim.with(|state| next_release(state, &mut prng, newest));
                Wish::Deploy { release: id.as_str().into(), retry: false }
            }
            3 => Wish::Rollback { release: None },
            4 => {
                let number = 1 + prng.below(newest);
                Wish::Rollback { release: Some(format!("v{number}").as_str().into()) }
            }
            _ => {
                let id = format!("v{newest}");
                Wish::Deploy { release: id.as_str().into(), retry: prng.below(2) == 0 }
            }
        };
        sim.with(ripcord_sim::State::expect_flags_loosely);
        let before = sim.with(|state| state.fingerprint());
        match sim.start_controller().begin(&wish, "ann") {
            Ok(_) => {}
            Err(Denied::Blind(why)) => panic!("seed {seed}: {why}"),
            Err(_) => {
                assert_eq!(before, sim.with(|state| state.fingerprint()), "seed {seed}: {wish:?}");
                denied += 1;
                continue;
            }
        }
        let schedule = Schedule::by_chance(prng.next_u64(), FAULTS, 25);
        sim.with(|state| state.set_schedule(schedule));
        sim.on_freeze(Box::new(Sim::one_life));
        let rest = sim.drive(Operator::default());
        let state = sim.state();
        let violations = judge(&state, &rest);
        assert!(
            violations.is_empty(),
            "seed {seed}: {wish:?}\n{violations:#?}\n{:#?}\n{}",
            state.struck(),
            state.story()
        );
        live += u32::from(rest == Rest::Over(Outcome::Live));
    }
    (live, denied)
}

#[test]
fn storms() {
    let (mut live, mut denied) = (0, 0);
    for seed in 0..STORMS {
        let (storm_live, storm_denied) = storm(seed);
        live += storm_live;
        denied += storm_denied;
    }
    assert!(live > 500, "{live} plans went live");
    assert!(denied > 100, "{denied} wishes were denied");
}
