//! One life of a controller in the simulated world. Each of its acts is an action with a number,
//! at which something can go wrong; once it is dead it can do nothing any more.

use crate::fault::{Fault, Protection};
use crate::flags::{THEME, TOGGLE};
use crate::lab::NAME;
use crate::state::{ACTIONS_MAX, RUN_MS_MAX, State};
use jiff::{SignedDuration, Timestamp};
use ripcord_core::model::ids::Millis;
use ripcord_core::run::{Draft, Event, Receipt, Subject};
use ripcord_engine::{Clock, Failure, Result, World, control};
use std::cell::{Cell, RefCell};

/// What a successor does while a controller is frozen.
pub type Takeover = Box<dyn FnOnce(&Sim)>;

/// How long a controller that falls silent says nothing: longer than any lease of a journey.
const SILENCE_MS: Millis = 700;

/// How long a person looks who has paused.
const LOOK_MS: Millis = 300;

/// The world and what may happen to it from outside.
#[derive(Default)]
pub struct Sim {
    state: RefCell<State>,
    takeover: RefCell<Option<Takeover>>,
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sim")
    }
}

impl Sim {
    /// A world in this state.
    pub fn of(state: State) -> Sim {
        Sim { state: RefCell::new(state), takeover: RefCell::new(None) }
    }

    /// Its state, copied.
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Reads or changes the world from outside.
    pub fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.borrow_mut())
    }

    /// What happens when a controller freezes.
    pub fn on_freeze(&self, takeover: Takeover) {
        *self.takeover.borrow_mut() = Some(takeover);
    }

    /// A controller starts: with a fence above all before.
    pub fn start_controller(&self) -> Controller<'_> {
        let fence = self.with(|state| {
            state.book.fence += 1;
            // Whoever starts it has made space before.
            state.book.full = false;
            state.book.reserve_used = 0;
            let event = Event::ControllerStarted { version: "simulated".to_owned() };
            let draft = Draft { subject: Subject::Controller, by: "ripcord".to_owned(), event };
            drop(state.write(draft, state.book.fence));
            state.advance(20);
            state.book.fence
        });
        Controller { sim: self, fence, dead: Cell::new(false) }
    }
}

/// One life of a controller.
#[derive(Debug)]
pub struct Controller<'a> {
    sim: &'a Sim,
    pub(crate) fence: u64,
    dead: Cell<bool>,
}

impl Controller<'_> {
    /// Everything that an executor acts on.
    pub fn world(&self) -> World<'_> {
        World {
            database: Some(self),
            platform: self,
            traffic: self,
            config: self,
            flags: self,
            services: self,
            resources: self,
            checks: self,
            metrics: self,
            clock: self,
        }
    }

    /// Whether it was killed.
    pub fn is_dead(&self) -> bool {
        self.dead.get()
    }

    /// Dies.
    pub fn die(&self) {
        self.dead.set(true);
    }

    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        self.sim.with(act)
    }

    pub(crate) fn protects(&self, protection: Protection) -> bool {
        self.with(|state| state.protects(protection))
    }

    /// An action is about to happen: the moment for anything to go wrong.
    pub(crate) fn point(&self, name: &'static str) -> Result<()> {
        if self.is_dead() {
            return Err(dead());
        }
        let fault = self.with(|state| {
            if state.actions >= ACTIONS_MAX {
                return Some(Fault::Kill);
            }
            state.strike_action(name)
        });
        let Some(fault) = fault else { return Ok(()) };
        match fault {
            Fault::Kill => self.die(),
            Fault::PowerCut => {
                self.with(State::lose_unsynced);
                self.die();
            }
            Fault::Freeze => {
                let takeover = self.sim.takeover.borrow_mut().take();
                if let Some(takeover) = takeover {
                    takeover(self.sim);
                }
            }
            Fault::ProxyCrash => self.with(|state| {
                state.excuse();
                state.crash_proxy();
            }),
            Fault::InstanceDies => self.with(State::kill_instance),
            // Between a look and its act nothing can be seen; that is for the keeper of instances.
            Fault::IdleGone if matches!(name, "traffic" | "swap") => {}
            Fault::IdleGone => self.with(State::lose_idle),
            Fault::DiskFull => self.with(|state| state.book.full = true),
            Fault::FlagOff => self.turn_off(&[TOGGLE, THEME]),
            Fault::FlagOffAndKill => {
                self.turn_off(&[TOGGLE, THEME]);
                self.die();
            }
            Fault::Meddle => self.with(State::meddle),
            Fault::Abort => self.ask(&Event::AbortRequested { reason: "I see errors".to_owned() }),
            Fault::AbortTwice => {
                for reason in ["first", "second"] {
                    self.ask(&Event::AbortRequested { reason: reason.to_owned() });
                }
            }
            Fault::Pause => {
                self.ask(&Event::Paused { reason: "let me look".to_owned() });
                // Where the step goes on all the same, nobody asks them whether they have seen it.
                self.with(|state| state.ask_in(LOOK_MS, Event::Resumed));
            }
            Fault::Promote => self.ask(&Event::Promoted),
            Fault::Retry => self.ask(&Event::Retried),
            Fault::Deploy => self.deploy_twice(),
            Fault::Silence => self.with(|state| state.advance(SILENCE_MS)),
            Fault::Definite
            | Fault::Transient
            | Fault::LostAck
            | Fault::LostRequest
            | Fault::Late
            | Fault::Twice => {}
        }
        if self.is_dead() { Err(dead()) } else { Ok(()) }
    }

    /// A person's request, as the API writes it, in the middle of what the executor does.
    fn ask(&self, event: &Event) {
        let (calm, actions) =
            self.with(|state| (std::mem::take(&mut state.schedule), state.actions));
        // Refused when no plan runs any more, which is an answer.
        drop(control::request(self, &NAME.into(), "ann", event.clone()));
        // What a person does is no action of the executor.
        self.with(|state| (state.schedule, state.actions) = (calm, actions));
    }

    /// A person clicks twice: the plan that runs is started again, which must be refused.
    fn deploy_twice(&self) {
        let calm = self.with(|state| std::mem::take(&mut state.schedule));
        let running = control::running_plan(self, &NAME.into());
        let environment = self.observe_environment();
        if let (Ok(Some(plan)), Ok(environment)) = (running, environment) {
            let started = control::start(&plan, &environment, self, "bob").is_ok();
            self.with(|state| state.double_starts += u32::from(started));
        }
        self.with(|state| state.schedule = calm);
    }

    /// An effect on its way to its receiver and back.
    pub(crate) fn effect(
        &self,
        name: &'static str,
        apply: impl Fn() -> Result<Receipt>,
    ) -> Result<Receipt> {
        self.point(name)?;
        match self.with(|state| state.strike_call(name)) {
            Some(Fault::Definite) => Err(Failure::definite("the receiver says no")),
            Some(Fault::Transient) => Err(Failure::transient("the receiver is busy")),
            Some(Fault::LostRequest) => Err(Failure::unknown("no answer")),
            Some(Fault::LostAck) => {
                apply()?;
                self.wait(20)?;
                Err(Failure::unknown("no answer"))
            }
            Some(Fault::Twice) => {
                apply()?;
                apply()
            }
            Some(Fault::Late) if name != "schema" => Err(Failure::unknown("no answer")),
            Some(Fault::Late) => {
                self.with(|state| state.late = true);
                let result = apply();
                self.with(|state| state.late = false);
                result
            }
            _ => apply(),
        }
    }

    /// Changes the world; takes a moment.
    pub(crate) fn change<T>(&self, act: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        if self.is_dead() {
            return Err(dead());
        }
        self.with(|state| {
            let result = act(state);
            state.advance(5);
            result
        })
    }

    /// Looks at the world.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&State) -> Result<T>) -> Result<T> {
        if self.is_dead() { Err(dead()) } else { self.with(|state| look(state)) }
    }

    /// Lets time pass.
    pub(crate) fn wait(&self, ms: Millis) -> Result<()> {
        if self.is_dead() {
            return Err(dead());
        }
        let due = self.with(|state| {
            state.advance(ms);
            if state.now_ms > state.since_ms + RUN_MS_MAX {
                state.actions = ACTIONS_MAX;
            }
            let now = state.now_ms;
            state.appointments.extract_if(.., |(at, _)| *at <= now).collect::<Vec<_>>()
        });
        for (_, event) in due {
            self.ask(&event);
        }
        if self.with(|state| state.actions >= ACTIONS_MAX) {
            self.die();
        }
        Ok(())
    }
}

fn dead() -> Failure {
    Failure::unknown("the controller is dead")
}

impl State {
    /// The wall clock, which starts at a fixed moment.
    pub(crate) fn wall_clock(&self) -> Timestamp {
        let since = SignedDuration::from_millis(i64::try_from(self.now_ms).unwrap_or(i64::MAX));
        let start = Timestamp::from_second(1_750_000_000).unwrap_or(Timestamp::UNIX_EPOCH);
        start.checked_add(since).unwrap_or(Timestamp::MAX)
    }

    pub(crate) fn is_late(&self) -> bool {
        self.late
    }
}

impl Clock for Controller<'_> {
    fn now(&self) -> Timestamp {
        self.with(|state| state.wall_clock())
    }

    fn monotonic_ms(&self) -> Millis {
        self.with(|state| state.now_ms)
    }

    fn sleep(&self, ms: Millis) {
        // A dead controller's sleep ends at once; its next act says that it is dead.
        drop(self.wait(ms));
    }
}
