//! Flags at other people's services, acted out: what is there is written into the journal before
//! it is changed, and what somebody else changed since is theirs. The services know no fence and
//! no plan, so that all of this rests on the journal and on reading again.

use crate::execute::{ExecuteError, Runner};
use crate::failure::{Failure, Result};
use crate::ticket::Ticket;
use ripcord_core::flag::{
    FlagImage, ServiceChange, ServiceFlag, ServiceMoment, ServiceSeen, ServiceTrace, ServiceWish,
};
use ripcord_core::model::ids::Millis;
use ripcord_core::plan::Effect;
use ripcord_core::run::{Event, Observation, Progress, Receipt};

/// What came of it, or what stops the executor itself.
type Outcome = std::result::Result<Result<Receipt>, ExecuteError>;

/// How often a wait looks whether somebody asks to stop.
const SLICE_MS: Millis = 100;

impl Runner<'_> {
    /// Acts out an effect at services; none: it is no such effect.
    pub(crate) fn at_services(
        &self,
        effect: &Effect,
        ticket: &Ticket<'_>,
        progress: &Progress,
    ) -> Option<Outcome> {
        match effect {
            Effect::RecordServiceFlags { flags, moment } => {
                Some(self.record(flags, *moment, ticket))
            }
            Effect::EnsureServiceFlag(change) => Some(self.ensure_flag(change, ticket, progress)),
            Effect::SettleServiceFlags { wait_ms } => {
                let changed = progress.services.values().any(|trace| trace.found.is_some());
                Some(Ok(self.settle(*wait_ms, changed, ticket)))
            }
            _ => None,
        }
    }

    /// What cannot be read is not recorded, and said so: no release fails for that.
    fn record(&self, flags: &[ServiceFlag], moment: ServiceMoment, ticket: &Ticket<'_>) -> Outcome {
        let mut said = Vec::new();
        for flag in flags {
            if (ticket.stop)() {
                return Ok(Err(Failure::Interrupted));
            }
            match self.world.services.read(flag, ticket) {
                Ok(image) => {
                    self.note(flag, moment, image, ticket)?;
                    said.push(format!("{flag} is recorded"));
                }
                Err(failure @ (Failure::Interrupted | Failure::Fenced { .. })) => {
                    return Ok(Err(failure));
                }
                Err(failure) => said.push(format!("{flag} could not be read: {failure}")),
            }
        }
        Ok(Ok(Receipt::of(said.join("; "))))
    }

    fn ensure_flag(
        &self,
        change: &ServiceChange,
        ticket: &Ticket<'_>,
        progress: &Progress,
    ) -> Outcome {
        let service = &change.flag.service;
        if !change.insists && self.silent.borrow().contains(service) {
            let what = format!("not yet, a later step insists: {service} did not answer just now");
            return Ok(Ok(Receipt::of(what)));
        }
        let trace = progress.services.get(&change.flag.name());
        let result = match (change.undoes, trace) {
            (false, trace) => self.change_flag(change, trace, ticket)?,
            (true, None) => Ok(Receipt::of(format!("{} was not changed", change.flag))),
            (true, Some(trace)) => self.take_back(change, trace, ticket),
        };
        Ok(match result {
            Err(failure @ (Failure::Interrupted | Failure::Fenced { .. })) => Err(failure),
            Err(failure) if !change.insists => {
                self.silent.borrow_mut().insert(service.clone());
                Ok(Receipt::of(format!("not yet, a later step insists: {failure}")))
            }
            other => other,
        })
    }

    fn change_flag(
        &self,
        change: &ServiceChange,
        trace: Option<&ServiceTrace>,
        ticket: &Ticket<'_>,
    ) -> Outcome {
        let (flag, wish) = (&change.flag, &change.wish);
        let now = match self.world.services.read(flag, ticket) {
            Ok(now) => now,
            Err(failure) => return Ok(Err(failure)),
        };
        let found = trace.and_then(|trace| trace.found.as_ref());
        if wish.is_met(&now) {
            // Whatever else is otherwise than this plan leaves it is somebody's.
            let ours = found.is_some_and(|found| wish.applied_to(found).state == now.state);
            if ours && trace.is_none_or(|trace| trace.left.is_none()) {
                self.note(flag, ServiceMoment::Left, now, ticket)?;
            }
            return Ok(Ok(Receipt::of(format!("{flag} is so"))));
        }
        let expected = change.expected.as_deref();
        if let Some(expected) = expected.filter(|expected| expected.state != now.state) {
            let changes = expected.differences(&now).join(", ");
            let what = format!("somebody changed {flag} since ({changes}); it stays so");
            return Ok(Ok(Receipt::of(what)));
        }
        if found.is_none_or(|found| found.state != now.state)
            || trace.is_some_and(|trace| trace.left.is_some())
        {
            self.note(flag, ServiceMoment::Found, now.clone(), ticket)?;
        }
        match self.world.services.write(flag, &now, wish, &change.reason, ticket) {
            Ok(left) => {
                let said = now.differences(&left).join(", ");
                self.note(flag, ServiceMoment::Left, left, ticket)?;
                Ok(Ok(Receipt::of(format!("{flag}: {said}"))))
            }
            Err(failure) => Ok(Err(failure)),
        }
    }

    /// Brings a flag back to how this plan found it, if it is still as the plan alone left it.
    /// Whether the change came through, where that is in doubt, shows in the flag itself.
    fn take_back(
        &self,
        change: &ServiceChange,
        trace: &ServiceTrace,
        ticket: &Ticket<'_>,
    ) -> Result<Receipt> {
        let flag = &change.flag;
        let Some(found) = &trace.found else {
            return Ok(Receipt::of(format!("{flag} was not changed")));
        };
        let now = self.world.services.read(flag, ticket)?;
        if now.state == found.state {
            return Ok(Receipt::of(format!("{flag} is as before")));
        }
        let left = change.wish.applied_to(found);
        if now.state != left.state {
            if change.requires.is_some() && found.is_off() && !now.is_off() {
                // Whatever else somebody made of it, it must not be on without its ground.
                let wish = ServiceWish::Off;
                let then = self.world.services.write(flag, &now, &wish, &change.reason, ticket)?;
                let said = now.differences(&then).join(", ");
                return Ok(Receipt::of(format!("{flag}: {said}, since its schema goes")));
            }
            let changes = left.differences(&now).join(", ");
            return Ok(Receipt::of(format!(
                "somebody changed {flag} since ({changes}); it stays so"
            )));
        }
        let wish = ServiceWish::As(Box::new(found.clone()));
        let then = self.world.services.write(flag, &now, &wish, &change.reason, ticket)?;
        Ok(Receipt::of(format!("{flag}: {}", now.differences(&then).join(", "))))
    }

    fn settle(&self, wait_ms: Millis, changed: bool, ticket: &Ticket<'_>) -> Result<Receipt> {
        if !changed {
            return Ok(Receipt::of("nothing changed there"));
        }
        let mut left = wait_ms;
        while left > 0 {
            if (ticket.stop)() {
                return Err(Failure::Interrupted);
            }
            let slice = left.min(SLICE_MS);
            self.world.clock.sleep(slice);
            left -= slice;
        }
        Ok(Receipt::of(format!("waited {wait_ms} ms")))
    }

    fn note(
        &self,
        flag: &ServiceFlag,
        moment: ServiceMoment,
        image: FlagImage,
        ticket: &Ticket<'_>,
    ) -> std::result::Result<(), ExecuteError> {
        let seen = Box::new(ServiceSeen { flag: flag.clone(), moment, image });
        let observation = Observation::ServiceFlag { seen };
        self.append(ticket.step, Event::Observed { observation })
    }
}
