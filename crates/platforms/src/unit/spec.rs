//! What a unit runs, as written into its directory. Secrets stand here as references only.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What a unit runs, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitSpec {
    /// Program and arguments. A program with a slash is found from the working directory.
    pub command: Vec<String>,
    /// Where it runs.
    pub working_directory: PathBuf,
    /// Its environment, besides the few variables that every process needs.
    pub environment: BTreeMap<String, Value>,
    /// The port of the loopback address that is its own, given as `PORT`; none for no port.
    pub port: Option<u16>,
    /// How it says that it is ready; none when nobody asks.
    pub health: Option<Health>,
    /// How long it may take to end when asked to.
    pub stop_ms: u64,
    /// What it may use.
    pub limits: Limits,
    /// Where its output goes.
    pub log: PathBuf,
    /// The size at which the log is put aside and begun anew; two are kept.
    pub log_bytes_max: u64,
    /// The file with the highest fence; none when nobody can be replaced.
    pub fence_file: Option<PathBuf>,
}

/// The value of an environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// The value itself; never a secret.
    Plain(String),
    /// The content of this file, without one line end, read when the process starts.
    SecretFile(PathBuf),
    /// This variable of whoever started the shim.
    SecretEnv(String),
}

/// How a process says that it is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The path of a GET request that is answered with a status between 200 and 299.
    pub path: String,
}

/// What a process may use; none for what the system allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Address space, in bytes.
    pub memory_bytes: Option<u64>,
    /// Open files.
    pub open_files: Option<u64>,
    /// Processes and threads of the same user.
    pub processes: Option<u64>,
}
