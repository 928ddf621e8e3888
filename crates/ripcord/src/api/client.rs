//! The client side: commands talk to the controller of a state directory through this.

use crate::api::wire::{
    Contact, Created, Entries, FlagDocument, Frozen, MaintenanceRequest, PlanRequest, StartRequest,
    Started, Taken, WishKind, Wrong,
};
use crate::controller::{
    FlagAnswer, FlagRequest, FlagsView, Request, RevisionView, ServiceFlagView, Status,
};
use crate::failure::{Code, Failure};
use crate::world::Layout;
use ripcord_core::model::{Release, ReleaseId};
use ripcord_core::plan::Plan;
use ripcord_core::run::Entry;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest that one request may take; planning may read a large database.
const REQUEST_MAX: Duration = Duration::from_mins(10);

/// How long turning a flag off may take. It is a matter of milliseconds.
const OFF_MAX: Duration = Duration::from_secs(5);

/// A client of whichever controller runs on a state directory at the moment: one that follows a
/// plan outlives a controller.
pub(crate) struct Client {
    agent: ureq::Agent,
    state: PathBuf,
}

impl Client {
    /// Finds the controller by what it left in its state directory.
    pub(crate) fn of(state: &Path) -> Result<Client, Failure> {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(REQUEST_MAX))
            .timeout_connect(Some(Duration::from_secs(2)))
            .http_status_as_error(false)
            .max_redirects(0)
            .build()
            .into();
        let client = Client { agent, state: state.to_owned() };
        client.contact().map(|_| client)
    }

    /// What the controller of this moment has left in its state directory.
    fn contact(&self) -> Result<Contact, Failure> {
        let path = Layout::new(&self.state).contact();
        let unreachable = |why: String| {
            Failure::new(Code::NoController, why)
                .hint("start it with `ripcord serve`, or name its state directory with --state")
        };
        let text = fs::read(&path).map_err(|error| {
            unreachable(format!("no controller runs on {}: {error}", self.state.display()))
        })?;
        serde_json::from_slice(&text)
            .map_err(|error| unreachable(format!("{}: {error}", path.display())))
    }

    pub(crate) fn create_release(&self, release: Release) -> Result<Created, Failure> {
        self.post("releases", &Frozen { release })
    }

    pub(crate) fn releases(&self) -> Result<Vec<Release>, Failure> {
        self.get("releases")
    }

    pub(crate) fn release(&self, id: &ReleaseId) -> Result<Release, Failure> {
        self.get(&format!("releases/{id}"))
    }

    pub(crate) fn plan(&self, environment: &str, wish: &WishKind) -> Result<Plan, Failure> {
        let request = PlanRequest { wish: wish.clone() };
        self.post(&format!("environments/{environment}/plan"), &request)
    }

    pub(crate) fn start(
        &self,
        environment: &str,
        plan: Plan,
        by: String,
    ) -> Result<Started, Failure> {
        let request = StartRequest { plan: Box::new(plan), by };
        self.post(&format!("environments/{environment}/start"), &request)
    }

    pub(crate) fn request(&self, environment: &str, request: &Request) -> Result<Taken, Failure> {
        self.post(&format!("environments/{environment}/requests"), request)
    }

    pub(crate) fn maintenance<T: DeserializeOwned>(
        &self,
        environment: &str,
        request: &MaintenanceRequest,
    ) -> Result<T, Failure> {
        self.post(&format!("environments/{environment}/maintenance"), request)
    }

    pub(crate) fn flags(&self, environment: &str) -> Result<FlagsView, Failure> {
        self.get(&format!("environments/{environment}/flags"))
    }

    pub(crate) fn change_flags(
        &self,
        environment: &str,
        request: &FlagRequest,
    ) -> Result<FlagAnswer, Failure> {
        // Whoever turns something off at night is told soon that the controller hangs.
        let longest = if request.act.turns_off() { OFF_MAX } else { REQUEST_MAX };
        self.post_within(&format!("environments/{environment}/flags"), request, longest)
    }

    pub(crate) fn flag_history(&self, environment: &str) -> Result<Vec<RevisionView>, Failure> {
        self.get(&format!("environments/{environment}/flags/history"))
    }

    /// The flags of a release at services; without a release, of the one in service.
    pub(crate) fn service_flags(
        &self,
        environment: &str,
        release: Option<&ReleaseId>,
    ) -> Result<Vec<ServiceFlagView>, Failure> {
        let of = release.map(|release| format!("?release={release}")).unwrap_or_default();
        self.get(&format!("environments/{environment}/flags/services{of}"))
    }

    /// The document of a revision, without layers.
    pub(crate) fn flag_document(&self, environment: &str, number: u64) -> Result<String, Failure> {
        let path = format!("environments/{environment}/flags/revisions/{number}");
        Ok(self.get::<FlagDocument>(&path)?.document)
    }

    /// The names of all environments.
    pub(crate) fn environments(&self) -> Result<Vec<String>, Failure> {
        self.get("environments")
    }

    pub(crate) fn status(&self, environment: &str) -> Result<Status, Failure> {
        self.get(&format!("environments/{environment}/status"))
    }

    /// Entries after a sequence; waits a while for the first.
    pub(crate) fn entries(
        &self,
        environment: &str,
        after: u64,
        wait_ms: u64,
    ) -> Result<Vec<Entry>, Failure> {
        let path = format!("environments/{environment}/entries?after={after}&wait_ms={wait_ms}");
        Ok(self.get::<Entries>(&path)?.entries)
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let contact = self.contact()?;
        let request = self.agent.get(url(&contact, path)).header("authorization", bearer(&contact));
        self.read(&contact, request.call())
    }

    fn post<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, Failure> {
        self.post_within(path, body, REQUEST_MAX)
    }

    fn post_within<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
        longest: Duration,
    ) -> Result<T, Failure> {
        let contact = self.contact()?;
        let request =
            self.agent.post(url(&contact, path)).header("authorization", bearer(&contact));
        let request = request.config().timeout_global(Some(longest)).build();
        self.read(&contact, request.send_json(body))
    }

    fn read<T: DeserializeOwned>(
        &self,
        contact: &Contact,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<T, Failure> {
        let mut answer = answer.map_err(|error| {
            let (state, address) = (self.state.display(), contact.address);
            Failure::new(
                Code::NoController,
                format!("the controller of {state} at {address} does not answer: {error}"),
            )
            .hint("start it with `ripcord serve`; instances and proxy go on without it")
        })?;
        let status = answer.status();
        let mut body = answer.body_mut().with_config().limit(256 << 20).reader();
        let strange = |error: serde_json::Error| {
            Failure::new(Code::Bug, format!("the controller's answer ({status}): {error}"))
        };
        if status.is_success() {
            return serde_json::from_reader(&mut body).map_err(strange);
        }
        let wrong: Wrong = serde_json::from_reader(&mut body).map_err(strange)?;
        Err(wrong.failure)
    }
}

fn url(contact: &Contact, path: &str) -> String {
    format!("http://{}/v1/{path}", contact.address)
}

fn bearer(contact: &Contact) -> String {
    format!("Bearer {}", contact.token)
}
