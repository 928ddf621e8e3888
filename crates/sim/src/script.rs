//! The language of scenarios: one command per line against one simulated world, each with an
//! answer in plain text, so that a new scenario is a new text file and no code.

use crate::controller::Sim;
use crate::fault::{Fault, Schedule};
use crate::lab::{Answers, NAME, Operator, Wish};
use crate::metrics::Source;
use crate::release::{Behaviour, SimRelease};
use crate::state::State;
use crate::wishes::Wishes;
use crate::{checker, tell};
use ripcord_core::analysis::{JudgeMode, MetricKind, MetricSpec, OnBlind, Thresholds};
use ripcord_core::model::ids::Millis;
use ripcord_core::model::{CanaryStep, Match, Pattern, ReleaseId, Share, StickyKey, Strategy};
use ripcord_core::run::Event;
use ripcord_engine::control;

/// What a script can say.
pub const HELP: &str = "\
release ID [errors N] [takes DURATION] [one-by-one] [never-ready] [dies-after DURATION]
           [checks-fail] [worker N] [value N] [harms N] [with SCRIPT]
policy approve | ask-on-deadline | no-checks | resource NAME
       bake, ready, window, keep, lease, blind, outage DURATION | keep-for-good | instances N
       canary [N% | pause [DURATION] | analysis DURATION | route NAME | no-route]... | sticky
       rolling BATCH DURATION | blue-green | metric NAME from SOURCE | gauge NAME from SOURCE
       blind-goes-back
       threshold N% in N windows of DURATION | judge act, observe, off
plan deploy ID | plan rollback [ID]
deploy ID [retry] | rollback [ID]
at ACTION FAULT     strikes in the next run
run                 until everything is at rest
abort | pause | resume | promote | promote-fully | retry | jump STEP
in DURATION REQUEST   one of these, while it runs
heal ID | break ID | stop ID | never-ready ID | break-resource NAME | mend-resource
outage N% in DURATION for DURATION
source NAME up | down | silent | slow | nonsense | forgetful
turn-off FLAG...    a person turns flags off; releases bring theme, toggle and of-ID
advance DURATION | alone DURATION
status | who | ledger";

/// One world and the script that plays in it.
#[derive(Debug, Default)]
pub struct Player {
    sim: Sim,
    last: Option<ReleaseId>,
    faults: Vec<(u64, Fault)>,
    shown: u64,
}

impl Player {
    /// Does what one line says and answers.
    pub fn play(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["release", id, rest @ ..] => self.release(id, rest),
            ["policy", rest @ ..] => self.policy(rest),
            ["plan", wish @ ..] => self.plan(wish),
            ["deploy" | "rollback", ..] => self.begin(&words),
            ["at", action, fault] => self.at(action, fault),
            ["run"] => self.run(),
            ["in", after, request @ ..] => self.ask_in(after, request),
            ["outage", percent, "in", after, "for", time] => self.outage(percent, after, time),
            ["advance", duration] => self.advance(duration, true),
            ["alone", duration] => self.advance(duration, false),
            ["status"] => self.sim.with(|state| tell::status(state)),
            ["who"] => self.sim.with(tell::who),
            ["ledger"] => self.sim.with(|state| tell::ledger(state, 0)),
            ["turn-off", flags @ ..] => self.turn_off(flags),
            ["source", name, behaves] => self.source(name, behaves),
            [verb, what @ ..] => match request(&words) {
                Some(event) => self.ask(event),
                None => self.world(verb, what),
            },
            [] => String::new(),
        }
    }

    fn release(&mut self, id: &str, rest: &[&str]) -> String {
        let mut traits = Behaviour::default();
        let (mut ups, mut workers) = (Vec::new(), 0);
        let mut words = rest.iter();
        while let Some(word) = words.next() {
            match *word {
                "errors" => {
                    traits.errors = words.next().and_then(|n| n.parse().ok()).unwrap_or(100);
                }
                "never-ready" => traits.ready_ms = None,
                "one-by-one" => traits.one_by_one = true,
                "takes" => traits.ready_ms = words.next().and_then(|text| duration(text)),
                "dies-after" => traits.lives_ms = words.next().and_then(|text| duration(text)),
                "checks-fail" => traits.checks_pass = false,
                "worker" => workers = words.next().and_then(|n| n.parse().ok()).unwrap_or(1),
                "harms" => traits.harms = words.next().and_then(|n| n.parse().ok()).unwrap_or(0),
                "value" => traits.value = words.next().and_then(|n| n.parse().ok()).unwrap_or(0),
                "with" => {
                    ups.push(words.by_ref().copied().collect::<Vec<_>>().join(" "));
                }
                other => return format!("release: what is `{other}`?"),
            }
        }
        let ups: Vec<&str> = ups.iter().map(String::as_str).collect();
        let parent = self.last.replace(id.into());
        self.sim.with(|state| {
            let parent = parent.and_then(|parent| state.releases.get(&parent).cloned());
            let release = SimRelease::new(id, parent.as_ref(), &ups, traits);
            let release = if workers > 0 { release.with_role("worker", workers) } else { release };
            state.add_release(release);
        });
        format!("{id} is there")
    }

    fn policy(&mut self, words: &[&str]) -> String {
        let known = self.sim.with(|state| wants(&mut state.wishes, words));
        match known {
            Some(()) => "so be it".to_owned(),
            None => format!("policy: what is `{}`?", words.join(" ")),
        }
    }

    fn turn_off(&self, flags: &[&str]) -> String {
        self.sim.start_controller().turn_off(flags);
        let served = self.sim.with(|state| state.flags.served());
        let told = |key: &&str| {
            format!("{key} {}", served.get(*key).map_or("is not there", String::as_str))
        };
        flags.iter().map(told).collect::<Vec<_>>().join(", ")
    }

    fn source(&self, name: &str, behaves: &str) -> String {
        let source = match behaves {
            "up" => Source::Up,
            "down" => Source::Down,
            "silent" => Source::Silent,
            "slow" => Source::Slow,
            "nonsense" => Source::Nonsense,
            "forgetful" => Source::Forgetful,
            other => return format!("source: what is `{other}`?"),
        };
        self.sim.with(|state| state.set_source(name, source));
        format!("{name} is {behaves}")
    }

    fn outage(&self, percent: &str, after: &str, time: &str) -> String {
        let percent = percent.strip_suffix('%').and_then(|number| number.parse().ok());
        let (Some(percent), Some(after), Some(ms)) = (percent, duration(after), duration(time))
        else {
            return "outage: what is that?".to_owned();
        };
        self.sim.with(|state| {
            let from = state.now_ms + after;
            state.outages.push((from, from + ms, percent));
        });
        "something will be down".to_owned()
    }

    fn ask_in(&self, after: &str, words: &[&str]) -> String {
        match (duration(after), request(words)) {
            (Some(ms), Some(event)) => {
                self.sim.with(|state| state.ask_in(ms, event));
                "ann will".to_owned()
            }
            _ => format!("in: what is `{after} {}`?", words.join(" ")),
        }
    }

    fn plan(&self, words: &[&str]) -> String {
        let Some(wish) = wish(words) else { return "plan what?".to_owned() };
        match self.sim.start_controller().plan(&wish) {
            Ok((_, plan)) => tell::redacted(&plan.to_string(), &plan.id),
            Err(denied) => format!("refused: {denied}"),
        }
    }

    fn begin(&self, words: &[&str]) -> String {
        let Some(wish) = wish(words) else { return "what?".to_owned() };
        let before = self.sim.with(|state| state.fingerprint());
        match self.sim.start_controller().begin(&wish, "ann") {
            Ok(_) => "begun".to_owned(),
            Err(denied) => {
                let plan = self.sim.with(|state| tell::last_plan_id(state));
                let refused = format!("refused: {denied}");
                let same = self.sim.with(|state| state.fingerprint()) == before;
                let changed = if same { "nothing changed" } else { "BUT SOMETHING CHANGED" };
                format!(
                    "{}\n{changed}",
                    plan.map_or(refused.clone(), |plan| { tell::redacted(&refused, &plan) })
                )
            }
        }
    }

    fn at(&mut self, action: &str, fault: &str) -> String {
        let found = Fault::ANYTIME.into_iter().find(|known| {
            known.to_string().to_lowercase() == fault.replace('-', "").to_lowercase()
        });
        match (action.parse(), found) {
            (Ok(action), Some(fault)) => {
                self.faults.push((action, fault));
                "it will".to_owned()
            }
            _ => format!("`{action} {fault}` is no moment and fault"),
        }
    }

    fn run(&mut self) -> String {
        let schedule = Schedule::at(&std::mem::take(&mut self.faults));
        self.shown = self.sim.with(|state| {
            state.set_schedule(schedule);
            state.entries()
        });
        self.sim.on_freeze(Box::new(Sim::one_life));
        let operator = Operator { answers: Answers::Nothing, ..Operator::default() };
        let rest = self.sim.drive(operator);
        self.sim.with(|state| {
            let mut answer = tell::ledger(state, self.shown);
            if !answer.is_empty() {
                answer.push('\n');
            }
            answer.push_str(&tell::rest(&rest));
            let violations = checker::judge(state, &rest);
            answer.extend(violations.iter().map(|violation| format!("\nVIOLATION {violation}")));
            answer
        })
    }

    fn ask(&self, event: Event) -> String {
        let controller = self.sim.start_controller();
        match control::request(&controller, &NAME.into(), "ann", event) {
            Ok(()) => "asked".to_owned(),
            Err(error) => format!("refused: {error}"),
        }
    }

    fn advance(&self, text: &str, watched: bool) -> String {
        let Some(ms) = duration(text) else { return format!("`{text}` is no time") };
        if !watched {
            self.sim.with(|state| state.leave_alone(ms));
            return format!("{text} later, and nobody watched");
        }
        let running = self.sim.with(|state| tell::is_running(state));
        if running {
            self.sim.start_controller().attend(ms);
        } else {
            self.sim.with(|state| state.advance(ms));
        }
        format!("{text} later")
    }

    fn world(&self, verb: &str, what: &[&str]) -> String {
        self.sim.with(|state| match (verb, what) {
            ("heal", [id]) => state.behave(&(*id).into(), Behaviour::default()),
            ("break", [id]) => {
                state.behave(&(*id).into(), Behaviour { errors: 100, ..Behaviour::default() })
            }
            ("stop", [id]) => {
                state.stop_all(&(*id).into());
                format!("no instance of {id} runs any more")
            }
            ("never-ready", [id]) => {
                state.never_ready_again(&(*id).into());
                format!("no instance of {id} becomes ready any more")
            }
            ("break-resource", [name]) => {
                state.break_resource(name);
                format!("{name} fails from now on")
            }
            ("mend-resource", []) => {
                state.mend_resources();
                "mended".to_owned()
            }
            _ => format!("what is `{verb}`?\n{HELP}"),
        })
    }
}

impl State {
    fn behave(&mut self, id: &ReleaseId, traits: Behaviour) -> String {
        match self.releases.get_mut(id) {
            Some(release) => {
                release.traits = traits;
                format!("{id} behaves otherwise from now on")
            }
            None => format!("there is no release {id}"),
        }
    }
}

/// A request that a person can make of what runs.
fn request(words: &[&str]) -> Option<Event> {
    Some(match words {
        ["abort", reason @ ..] => Event::AbortRequested { reason: reason.join(" ") },
        ["pause", reason @ ..] => Event::Paused { reason: reason.join(" ") },
        ["resume"] => Event::Resumed,
        ["promote"] => Event::Promoted,
        ["promote-fully"] => Event::PromotedFully,
        ["retry"] => Event::Retried,
        ["jump", to] => Event::JumpedBack { to: to.parse().ok()? },
        _ => return None,
    })
}

/// Changes what the owner wants; none if that is not understood.
fn wants(wishes: &mut Wishes, words: &[&str]) -> Option<()> {
    let policy = &mut wishes.policy;
    match words {
        ["approve"] => policy.approve = true,
        ["ask-on-deadline"] => policy.abort_on_deadline = false,
        ["no-checks"] => policy.checks.clear(),
        ["resource", name] => wishes.add_resource(name),
        ["canary", steps @ ..] => wishes.canary(&steps_of(steps)?, None),
        ["rolling", batch, pause] => wishes.rolling(batch.parse().ok()?, duration(pause)?),
        ["blue-green"] => policy.strategy = Strategy::BlueGreen,
        ["sticky"] => {
            let Strategy::Canary(canary) = &mut policy.strategy else { return None };
            canary.sticky = Some(StickyKey::Cookie { name: "release".to_owned() });
        }
        ["lease", text] => match &mut policy.strategy {
            Strategy::Canary(canary) => canary.lease_ms = duration(text)?,
            Strategy::Rolling(rolling) => rolling.lease_ms = duration(text)?,
            Strategy::BlueGreen => return None,
        },
        ["instances", count] => policy.instances = count.parse().ok()?,
        ["keep-for-good"] => policy.abort_keep_ms = None,
        ["judge", mode] => {
            policy.judge.mode = match *mode {
                "act" => JudgeMode::Act,
                "observe" => JudgeMode::Observe,
                "off" => JudgeMode::Off,
                _ => return None,
            }
        }
        ["blind-goes-back"] => policy.judge.on_blind = OnBlind::GoBack,
        // Limits alone: without them the comparison would be sooner.
        ["threshold", percent, "in", windows, "windows", "of", text] => {
            policy.judge.errors = false;
            policy.judge.thresholds = Some(Thresholds {
                max_error_rate_ppm: Some(percent.strip_suffix('%')?.parse::<u32>().ok()? * 10_000),
                max_p99_ms: None,
                consecutive: windows.parse().ok()?,
                window_ms: duration(text)?,
                slo_ppm: None,
            });
        }
        ["metric", name, "from", source] => policy.judge.external.push(MetricSpec {
            name: (*name).to_owned(),
            source: (*source).to_owned(),
            kind: MetricKind::Counters {
                errors: "errors".to_owned(),
                requests: "requests".to_owned(),
            },
            every_ms: 200,
        }),
        ["gauge", name, "from", source] => policy.judge.external.push(MetricSpec {
            name: (*name).to_owned(),
            source: (*source).to_owned(),
            kind: MetricKind::Gauge { value: "value".to_owned(), higher_is_worse: true },
            every_ms: 200,
        }),
        [what, text] => {
            let ms = duration(text)?;
            match *what {
                "bake" => policy.bake_ms = ms,
                "ready" => policy.ready_ms_max = ms,
                "window" => policy.rollback_window_ms = ms,
                "keep" => policy.abort_keep_ms = Some(ms),
                "blind" => policy.judge.blind_ms_max = ms,
                "outage" => policy.judge.outage_ms_max = ms,
                _ => return None,
            }
        }
        _ => return None,
    }
    Some(())
}

/// The steps of a canary.
fn steps_of(words: &[&str]) -> Option<Vec<CanaryStep>> {
    let mut steps = Vec::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        steps.push(match *word {
            "pause" => {
                let ms = words.peek().and_then(|text| duration(text));
                if ms.is_some() {
                    words.next();
                }
                CanaryStep::Pause(ms)
            }
            "analysis" => CanaryStep::Analysis(duration(words.next()?)?),
            "route" => {
                let (name, value) = ((*words.next()?).to_owned(), Pattern::Present);
                let when = if name.starts_with("x-") {
                    Match::Header { name, value }
                } else {
                    Match::Cookie { name, value }
                };
                CanaryStep::SetHeaderRoute(Some(when))
            }
            "no-route" => CanaryStep::SetHeaderRoute(None),
            share => {
                let percent: Share = share.strip_suffix('%')?.parse().ok()?;
                CanaryStep::SetWeight(percent * 100)
            }
        });
    }
    Some(steps)
}

fn wish(words: &[&str]) -> Option<Wish> {
    match words {
        ["deploy", id] => Some(Wish::Deploy { release: (*id).into(), retry: false }),
        ["deploy", id, "retry"] => Some(Wish::Deploy { release: (*id).into(), retry: true }),
        ["rollback"] => Some(Wish::Rollback { release: None }),
        ["rollback", id] => Some(Wish::Rollback { release: Some((*id).into()) }),
        _ => None,
    }
}

fn duration(text: &str) -> Option<Millis> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: Millis = digits.parse().ok()?;
    match &text[digits.len()..] {
        "ms" => Some(number),
        "s" => Some(number * 1_000),
        "m" => Some(number * 60_000),
        _ => None,
    }
}
