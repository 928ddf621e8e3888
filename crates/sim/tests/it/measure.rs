use crate::sweep::{length, run};
use ripcord_sim::{Schedule, journeys};
#[test]
fn measure() {
    for journey in journeys() {
        let begun = journey.begun();
        let (actions, calls) = length(&journey, &begun);
        let at = std::time::Instant::now();
        for _ in 0..5 { run(&begun, Schedule::default(), journey.operator); }
        println!("{:40} {actions} {calls} {:?}", journey.name, at.elapsed() / 5);
    }
}
