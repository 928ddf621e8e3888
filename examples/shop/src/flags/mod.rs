//! Feature flags: from the flag server of the environment where one is named and the shop is built
//! with a client (feature `openfeature`), else from a file.
//!
//! The rest of the service asks whether a flag is on for somebody and does not know from where.

mod file;
#[cfg(feature = "openfeature")]
mod server;
#[cfg(not(feature = "openfeature"))]
#[path = "without.rs"]
mod server;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use self::file::FlagFile;
use self::server::FlagClient;
use crate::ShopError;
use crate::settings::FlagServer;

/// Values by flag key.
pub(crate) type FlagValues = BTreeMap<String, Value>;

/// The flags that this service knows. A client of a flag server asks for each by its name.
const KNOWN: [&str; 2] = ["express-checkout", "reviews"];

/// Where flags come from.
pub(crate) enum Flags {
    /// A server that is asked for each flag and each user.
    Server(FlagClient),
    /// A file, the same for everybody.
    File(FlagFile),
}

impl Flags {
    /// Reads the file, or prepares the client; the server need not run yet.
    pub(crate) async fn open(
        server: Option<&FlagServer>,
        file: Option<PathBuf>,
    ) -> Result<Self, ShopError> {
        let client = match server {
            Some(server) => FlagClient::new(server).await?,
            None => None,
        };
        match client {
            Some(client) => Ok(Self::Server(client)),
            None => FlagFile::open(file).map(Self::File),
        }
    }

    /// Whether a boolean flag is on for a user; off, where nobody can say.
    pub(crate) async fn is_on(&self, key: &str, user: Option<&str>) -> bool {
        match self {
            Self::Server(client) => client.is_on(key, user).await == Some(true),
            Self::File(file) => file.values().get(key) == Some(&Value::Bool(true)),
        }
    }

    /// The values that are known for a user.
    pub(crate) async fn values(&self, user: Option<&str>) -> FlagValues {
        let client = match self {
            Self::Server(client) => client,
            Self::File(file) => return file.values(),
        };
        let mut values = FlagValues::new();
        for key in KNOWN {
            if let Some(is_on) = client.is_on(key, user).await {
                values.insert(key.to_owned(), Value::Bool(is_on));
            }
        }
        values
    }
}
