//! The second stage: it prepares itself and becomes the process that the unit is for. It is apart
//! from the shim because limits and the tie to the parent can only be set by a process for itself.

use crate::files::{self, Lasting};
use crate::shim::{PARENT_VARIABLE, REFUSED_FILE};
use crate::unit::{Limits, Unit, UnitSpec, Value};
use rustix::process::{Resource, Rlimit, Signal, getppid, setrlimit};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What every process may know of the environment of its shim. All else is kept from it.
const INHERITED: [&str; 5] = ["PATH", "HOME", "LANG", "TZ", "TMPDIR"];

/// Becomes the process of a unit. Returns only when that fails, with the code to exit with; why
/// stands in the unit's directory.
pub fn run_exec(directory: &Path) -> i32 {
    let why = become_process(directory);
    // When not even this can be written, the exit code still says that it did not work.
    drop(files::replace(&directory.join(REFUSED_FILE), &why, Lasting::UntilBoot));
    127
}

/// Returns why it did not work.
fn become_process(directory: &Path) -> String {
    let Some(spec) = Unit::at(directory).spec() else {
        return format!("{} is no unit", directory.display());
    };
    if let Err(why) = tie_to_parent() {
        return why;
    }
    let environment = match environment(&spec) {
        Ok(environment) => environment,
        Err(why) => return why,
    };
    let Some((program, arguments)) = spec.command.split_first() else {
        return "the command is empty".to_owned();
    };
    if !spec.working_directory.is_dir() {
        return format!("the working directory {} is missing", spec.working_directory.display());
    }
    let mut command = Command::new(resolve(program, &spec.working_directory));
    command.args(arguments).current_dir(&spec.working_directory).env_clear().envs(environment);
    if let Err(error) = limit(&spec.limits) {
        return format!("the limits cannot be set: {error}");
    }
    let error = command.exec();
    format!("`{program}` cannot be started in {}: {error}", spec.working_directory.display())
}

/// From here on the kernel kills this process when its shim ends, however that happens. Whether
/// it has ended before that is asked afterwards.
fn tie_to_parent() -> Result<(), String> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| format!("cannot be tied to its shim: {error}"))?;
    let expected = std::env::var(PARENT_VARIABLE).ok();
    let parent = getppid().map(|pid| pid.as_raw_nonzero().get().to_string());
    if parent.is_some() && parent == expected {
        Ok(())
    } else {
        Err("the shim ended before its process began".to_owned())
    }
}

fn environment(spec: &UnitSpec) -> Result<BTreeMap<OsString, OsString>, String> {
    let mut environment = BTreeMap::new();
    for name in INHERITED {
        if let Some(value) = std::env::var_os(name) {
            environment.insert(name.into(), value);
        }
    }
    for (name, value) in &spec.environment {
        let value = resolve_value(value).map_err(|why| format!("{name} cannot be set: {why}"))?;
        environment.insert(name.into(), value);
    }
    if let Some(port) = spec.port {
        environment.insert("PORT".into(), port.to_string().into());
    }
    Ok(environment)
}

fn resolve_value(value: &Value) -> Result<OsString, String> {
    match value {
        Value::Plain(text) => Ok(text.into()),
        Value::SecretFile(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("the secret file {}: {error}", path.display()))?;
            let text = text.strip_suffix('\n').unwrap_or(&text);
            Ok(text.strip_suffix('\r').unwrap_or(text).into())
        }
        Value::SecretEnv(name) => std::env::var_os(name)
            .ok_or_else(|| format!("the secret variable {name} is not set for ripcord")),
    }
}

/// The secrets of a unit as they are now, where they can be read. Short ones are left out: every
/// text has them by chance.
pub(crate) fn secrets(spec: &UnitSpec) -> Vec<String> {
    let secret = |value: &&Value| !matches!(value, Value::Plain(_));
    let values = spec.environment.values().filter(secret).filter_map(|v| resolve_value(v).ok());
    values.filter_map(|v| v.into_string().ok()).filter(|text| text.len() >= 4).collect()
}

/// A program with a slash is found from the working directory, one without along the `PATH`.
fn resolve(program: &str, working_directory: &Path) -> PathBuf {
    if program.contains('/') { working_directory.join(program) } else { program.into() }
}

/// No core file is ever written: it would hold the secrets.
fn limit(limits: &Limits) -> rustix::io::Result<()> {
    let wanted = [
        (Resource::Core, Some(0)),
        (Resource::As, limits.memory_bytes),
        (Resource::Nproc, limits.processes),
        (Resource::Nofile, limits.open_files),
    ];
    for (resource, most) in wanted {
        if most.is_some() {
            setrlimit(resource, Rlimit { current: most, maximum: most })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs() {
        let check = |program: &str, expected: &str| {
            assert_eq!(resolve(program, Path::new("/srv/v1")), Path::new(expected), "{program}");
        };
        check("./serve", "/srv/v1/./serve");
        check("bin/serve", "/srv/v1/bin/serve");
        check("/bin/sh", "/bin/sh");
        check("python3", "python3");
    }

    #[test]
    fn secrets() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        let check = |content: &str, expected: &str| {
            std::fs::write(&path, content).unwrap();
            let value = resolve_value(&Value::SecretFile(path.clone()));
            assert_eq!(value, Ok(expected.into()), "{content:?}");
        };
        check("abc", "abc");
        check("abc\n", "abc");
        check("abc\r\n", "abc");
        check("a\nb\n\n", "a\nb\n");
        assert!(resolve_value(&Value::SecretFile(directory.path().join("none"))).is_err());
        assert!(resolve_value(&Value::SecretEnv("RIPCORD_NO_SUCH_VARIABLE".into())).is_err());
    }
}
