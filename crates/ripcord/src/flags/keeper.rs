//! Keeps the flags of one environment: makes revisions and lets the served file follow. The order
//! is always the same: documents into the store, the new file beside the old one, the entry into
//! the ledger, and only then the one step that puts the file in force. What fails before the entry
//! has changed nothing; what dies after it is caught up with.

use crate::failure::{Code, Failure};
use crate::flags::parts::parts;
use crate::store::Store;
use crate::world::{EnvironmentLayout, FenceFile, Staged, stage_file};
use ripcord_core::flag::{FlagCause, FlagRevision, FlagSource, FlagState, OffLayer, Parts, words};
use ripcord_core::model::{Digest, EnvironmentName, ReleaseId};
use ripcord_core::run::{Draft, Event, Subject};
use ripcord_engine::{Failure as Trouble, Ledger};
use ripcord_flags::Document;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// The ledger, however it is shared.
pub(crate) type SharedLedger = Arc<dyn Ledger + Send + Sync>;

/// The flags of one environment.
pub(crate) struct FlagKeeper {
    environment: EnvironmentName,
    layout: EnvironmentLayout,
    fence: FenceFile,
    store: Store,
    ledger: SharedLedger,
    /// Held while a revision is made, so that none is made from what is no longer so.
    seen: Mutex<Seen>,
}

/// The ledger as far as it was read.
#[derive(Default)]
struct Seen {
    sequence: u64,
    state: FlagState,
    /// The file that was last seen to be what the ledger says, and in which revision.
    followed: Option<(u64, Stamp)>,
}

/// By what a file is known to be the same: its number, when it was written, and its length.
type Stamp = (u64, SystemTime, u64);

/// How flags are to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The document without layers; none: no flags.
    pub(crate) document: Option<String>,
    /// What is off.
    pub(crate) layers: BTreeMap<ReleaseId, OffLayer>,
}

/// Who revises, and why.
#[derive(Debug, Clone)]
pub(crate) struct Revise {
    pub(crate) by: String,
    pub(crate) reason: String,
    pub(crate) source: FlagSource,
    pub(crate) release: Option<ReleaseId>,
    pub(crate) cause: Option<FlagCause>,
}

impl FlagKeeper {
    pub(crate) fn new(
        environment: EnvironmentName,
        layout: EnvironmentLayout,
        fence: FenceFile,
        store: Store,
        ledger: SharedLedger,
    ) -> FlagKeeper {
        FlagKeeper { environment, layout, fence, store, ledger, seen: Mutex::default() }
    }

    /// The present revision.
    pub(crate) fn now(&self) -> Result<FlagState, Failure> {
        Ok(self.seen()?.state.clone())
    }

    /// The text of a document; empty where there is none.
    pub(crate) fn text(&self, document: Option<&Digest>) -> Result<String, Failure> {
        let Some(digest) = document else { return Ok(String::new()) };
        String::from_utf8(self.store.read(digest)?).map_err(|error| {
            Failure::new(Code::StoreDamaged, format!("a flags document is not text: {error}"))
        })
    }

    /// The parts of a document.
    pub(crate) fn parts(&self, document: Option<&Digest>) -> Result<Parts, Failure> {
        match document {
            Some(_) => parts(&self.text(document)?),
            None => Ok(Parts::new()),
        }
    }

    /// Keeps a document that is going to be wanted.
    pub(crate) fn put(&self, text: &str) -> Result<Digest, Failure> {
        self.store.put(text.as_bytes())
    }

    /// Makes a revision of what `wanted` makes of the present one, and puts it in force. None when
    /// that is what is so already.
    pub(crate) fn revise(
        &self,
        revise: &Revise,
        wanted: &dyn Fn(&FlagState) -> Result<Option<Wanted>, Failure>,
    ) -> Result<Option<FlagRevision>, Failure> {
        let mut seen = self.seen()?;
        let now = &seen.state;
        let Some(wanted) = wanted(now)? else { return Ok(None) };
        let document = wanted.document.as_deref().map(|text| self.put(text)).transpose()?;
        if (&document, &wanted.layers) == (&now.document, &now.layers) {
            return Ok(None);
        }
        let served = rendered(&wanted)?;
        let in_force = served.as_deref().map(|text| self.put(text)).transpose()?;
        let revision = FlagRevision {
            number: now.revision + 1,
            parent: now.revision,
            changed: self.changed(now, document.as_ref(), &wanted.layers)?,
            document,
            in_force,
            layers: wanted.layers,
            reason: revise.reason.clone(),
            source: revise.source,
            release: revise.release.clone(),
            cause: revise.cause.clone(),
        };
        // A full disk shows here, where nothing has happened yet.
        let staged = self.stage(served.as_deref())?;
        let event = Event::FlagsRevised { revision: Box::new(revision.clone()) };
        let subject = Subject::Flags(self.environment.clone());
        let entry = self.ledger.append(Draft { subject, by: revise.by.clone(), event })?;
        seen.sequence = entry.sequence;
        seen.state.take(&revision);
        self.fence.pass(self.ledger.fence()).map_err(|error| unserved(&error))?;
        staged.put_in_force().map_err(|error| unserved(&Trouble::transient(error)))?;
        Ok(Some(revision))
    }

    /// Serves what the ledger says, where something else is served. Says whether it was so.
    pub(crate) fn follow(&self) -> Result<bool, Failure> {
        let mut seen = self.seen()?;
        if seen.state.revision == 0 {
            return Ok(false);
        }
        let stamp = self.stamp().map(|stamp| (seen.state.revision, stamp));
        if stamp.is_some() && stamp == seen.followed {
            return Ok(false);
        }
        if self.served()? == seen.state.in_force {
            seen.followed = stamp;
            return Ok(false);
        }
        let text = self.text(seen.state.in_force.as_ref())?;
        self.fence.pass(self.ledger.fence()).map_err(|error| unserved(&error))?;
        let staged = self.stage(seen.state.in_force.as_ref().map(|_| text.as_str()))?;
        staged.put_in_force().map_err(|error| unserved(&Trouble::transient(error)))?;
        Ok(true)
    }

    /// Takes over a document that was put in force before there were revisions.
    pub(crate) fn adopt(&self) -> Result<(), Failure> {
        if self.now()?.revision > 0 {
            return Ok(());
        }
        let Ok(text) = fs::read_to_string(self.layout.flags()) else { return Ok(()) };
        let revise = Revise {
            by: "ripcord".to_owned(),
            reason: "what was in force before there were revisions".to_owned(),
            source: FlagSource::Import,
            release: None,
            cause: None,
        };
        let wanted = Wanted { document: Some(text), layers: BTreeMap::new() };
        self.revise(&revise, &|_| Ok(Some(wanted.clone()))).map(drop)
    }

    /// The digest of what is served.
    pub(crate) fn served(&self) -> Result<Option<Digest>, Failure> {
        match fs::read(self.layout.flags()) {
            Ok(bytes) => Ok(Some(Digest::of_bytes(&bytes))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unserved(&Trouble::transient(error))),
        }
    }

    fn stamp(&self) -> Option<Stamp> {
        let file = fs::metadata(self.layout.flags()).ok()?;
        Some((file.ino(), file.modified().ok()?, file.len()))
    }

    fn seen(&self) -> Result<MutexGuard<'_, Seen>, Failure> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in self.ledger.entries(&self.environment, seen.sequence)? {
            seen.sequence = entry.sequence;
            match &entry.event {
                Event::FlagsRevised { revision } => seen.state.take(revision),
                Event::PlanStarted { .. } => seen.state.plan_begins(),
                _ => {}
            }
        }
        Ok(seen)
    }

    fn stage(&self, text: Option<&str>) -> Result<Staged, Failure> {
        stage_file(&self.layout.flags(), text.map(str::as_bytes)).map_err(|error| {
            let code = match error.kind() {
                ErrorKind::StorageFull => Code::DiskFull,
                _ => Code::StoreUnusable,
            };
            let path = self.layout.flags();
            Failure::new(code, format!("{}: {error}", path.display()))
                .hint("nothing has changed: what was served before is served")
        })
    }

    fn changed(
        &self,
        now: &FlagState,
        document: Option<&Digest>,
        layers: &BTreeMap<ReleaseId, OffLayer>,
    ) -> Result<Vec<String>, Failure> {
        let mut changed = Vec::new();
        for (release, layer) in layers {
            if now.layers.get(release) != Some(layer) {
                let flags: Vec<&str> = layer.flags.iter().map(String::as_str).collect();
                changed.push(format!("off with {release}: {}", flags.join(", ")));
            }
        }
        let lifted = now.layers.keys().filter(|release| !layers.contains_key(*release));
        changed.extend(lifted.map(|release| format!("{release} is lifted")));
        if document != now.document.as_ref() {
            let (old, new) = (self.parts(now.document.as_ref())?, self.parts(document)?);
            changed.extend(words::differences(&old, &new));
        }
        Ok(words::bounded(changed))
    }
}

/// The document with what the layers turn off.
pub(crate) fn rendered(wanted: &Wanted) -> Result<Option<String>, Failure> {
    let Some(text) = &wanted.document else { return Ok(None) };
    let off = |(release, layer): (&ReleaseId, &OffLayer)| ripcord_flags::OffLayer {
        release: release.to_string(),
        flags: layer.flags.iter().cloned().collect(),
        reason: layer.reason.clone(),
    };
    let layers: Vec<ripcord_flags::OffLayer> = wanted.layers.iter().map(off).collect();
    if layers.is_empty() {
        return Ok(Some(text.clone()));
    }
    let document = Document::parse(text.as_bytes()).map_err(invalid)?;
    Ok(Some(document.with_off(&layers).map_err(invalid)?.text().to_owned()))
}

/// The document cannot be what is wanted.
pub(crate) fn invalid(error: impl std::fmt::Display) -> Failure {
    Failure::new(Code::FlagRefused, error.to_string())
}

/// The ledger has the revision, and the file does not follow yet.
fn unserved(error: &Trouble) -> Failure {
    Failure::new(Code::StoreUnusable, format!("the flags in force cannot be replaced: {error}"))
        .hint("the revision stands in the ledger; it is put in force as soon as that works again")
}
