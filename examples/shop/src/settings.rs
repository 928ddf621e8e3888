//! What the service is told from outside: environment variables and the configuration file.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Faults, Place, Schema, ShopError};

/// Everything the service needs to run, parsed whole before anything is opened.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Generation of the code, from `--schema`.
    pub schema: Schema,
    /// `PORT`; 0 takes any free one.
    pub port: u16,
    /// `DATABASE_URL` of a `PostgreSQL` database, or else the file of `DATABASE_PATH`, which must
    /// exist.
    pub database: Place,
    /// Contents of `CONFIG_FILE`, or the defaults.
    pub config: ShopConfig,
    /// Where flags are asked for, if `OFREP_ENDPOINT` says so.
    pub flag_server: Option<FlagServer>,
    /// `FLAGS_FILE`, in the flagd format; read where no server is named.
    pub flags_file: Option<PathBuf>,
    /// `SHOP_RELEASE`, shown in every answer.
    pub release: String,
    /// `FAULT_LOG`, which receives the id of every fault answer.
    pub fault_log: Option<PathBuf>,
}

/// A flag server, as a deploy names it to its instances.
#[derive(Clone, Debug)]
pub struct FlagServer {
    /// `OFREP_ENDPOINT`, a base address.
    pub endpoint: String,
    /// `OFREP_HEADERS`: `NAME=VALUE`, several with commas between them.
    pub headers: String,
}

/// The configuration file, as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShopConfig {
    /// Greeting shown by `GET /version`.
    pub banner: String,
    /// Rows in a list where the client names no limit.
    pub page_size: u32,
    /// How this release is bad, if it is.
    pub faults: Faults,
}

impl Default for ShopConfig {
    fn default() -> Self {
        Self { banner: "welcome".to_owned(), page_size: 20, faults: Faults::default() }
    }
}

impl Settings {
    /// Reads the variables through `variable`, so that tests need no process environment.
    ///
    /// # Errors
    /// When a variable is missing or wrong, or the configuration file cannot be read.
    pub fn from_environment(
        schema: Schema,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ShopError> {
        let required = |name: &'static str| {
            variable(name).ok_or(ShopError::Setting { name, problem: "is not set".to_owned() })
        };
        let port = required("PORT")?;
        let port = port.parse().map_err(|_| ShopError::Setting {
            name: "PORT",
            problem: format!("is {port:?}, not a port number"),
        })?;
        let release = variable("SHOP_RELEASE").unwrap_or_else(|| "unnamed".to_owned());
        if !release.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(ShopError::Setting {
                name: "SHOP_RELEASE",
                problem: format!("is {release:?}, which cannot stand in a header"),
            });
        }
        Ok(Self {
            schema,
            port,
            database: match variable("DATABASE_URL").map(|url| Place::named(&url)) {
                Some(server @ Place::Server(_)) => server,
                Some(Place::File(_)) | None => Place::File(required("DATABASE_PATH")?.into()),
            },
            config: match variable("CONFIG_FILE") {
                Some(path) => ShopConfig::read(Path::new(&path))?,
                None => ShopConfig::default(),
            },
            flag_server: variable("OFREP_ENDPOINT").map(|endpoint| FlagServer {
                endpoint,
                headers: variable("OFREP_HEADERS").unwrap_or_default(),
            }),
            flags_file: variable("FLAGS_FILE").map(PathBuf::from),
            release,
            fault_log: variable("FAULT_LOG").map(PathBuf::from),
        })
    }
}

impl ShopConfig {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// When it cannot be read or holds anything unknown.
    pub fn read(path: &Path) -> Result<Self, ShopError> {
        let text = fs::read_to_string(path).map_err(|source| ShopError::File {
            doing: "read",
            path: path.to_owned(),
            source,
        })?;
        serde_json::from_str(&text).map_err(|source| ShopError::Json {
            what: "shop configuration",
            path: path.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variables: &[(&str, &str)], expected: Result<(u16, &str), &str>) {
        let settings = Settings::from_environment(Schema::V1, |name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        });
        match (settings, expected) {
            (Ok(settings), Ok((port, release))) => {
                assert_eq!((settings.port, settings.release.as_str()), (port, release));
            }
            (Err(error), Err(part)) => {
                assert!(error.to_string().contains(part), "{error} lacks {part}");
            }
            (settings, expected) => panic!("{settings:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn variables_are_checked_before_anything_is_opened() {
        check(&[("PORT", "80"), ("DATABASE_PATH", "/x")], Ok((80, "unnamed")));
        check(&[("PORT", "0"), ("DATABASE_PATH", "/x"), ("SHOP_RELEASE", "v41")], Ok((0, "v41")));
        check(&[("DATABASE_PATH", "/x")], Err("PORT is not set"));
        check(&[("PORT", "80")], Err("DATABASE_PATH is not set"));
        check(&[("PORT", "http"), ("DATABASE_PATH", "/x")], Err("not a port number"));
        check(
            &[("PORT", "1"), ("DATABASE_PATH", "/x"), ("SHOP_RELEASE", "a\nb")],
            Err("cannot stand in a header"),
        );
        check(
            &[("PORT", "1"), ("DATABASE_PATH", "/x"), ("CONFIG_FILE", "/nowhere/shop.json")],
            Err("cannot read /nowhere/shop.json"),
        );
    }

    #[test]
    fn a_misspelt_field_is_refused() {
        let text = r#"{"banner": "hi", "page_sise": 3}"#;
        let error = serde_json::from_str::<ShopConfig>(text).expect_err("must be refused");
        assert!(error.to_string().contains("page_sise"), "{error}");
    }
}
