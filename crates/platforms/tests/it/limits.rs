//! What a process gets to know and to use.

use crate::support::{World, ensure, get};
use ripcord_engine::Failure;
use ripcord_platforms::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Not a word that stands in any file by chance.
const SECRET: &str = "correct-horse-battery-staple";

fn with_secret(mode: &str, directory: &Path) -> (World, PathBuf) {
    let path = directory.join("secret");
    fs::write(&path, format!("{SECRET}\n")).unwrap();
    let value = Value::SecretFile(path.clone());
    let world = World::with(mode, |template| {
        template.environment.insert("PASSWORD".to_owned(), value);
    });
    (world, path)
}

/// Every file of an environment that has a text in it.
fn files_with(directory: &Path, text: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_with(&path, text, found);
        } else if String::from_utf8_lossy(&fs::read(&path).unwrap()).contains(text) {
            found.push(path);
        }
    }
}

#[test]
fn a_secret_reaches_the_process_and_no_file() {
    let elsewhere = tempfile::tempdir().unwrap();
    let (world, path) = with_secret("ok", elsewhere.path());
    world.ensure(1).unwrap();
    assert_eq!(get(world.address(), "/env/PASSWORD"), SECRET);
    let mut found = Vec::new();
    files_with(world.directory.path(), SECRET, &mut found);
    assert_eq!(found, Vec::<PathBuf>::new());
    // The search would find it: the reference is there.
    files_with(world.directory.path(), path.to_str().unwrap(), &mut found);
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn a_secret_that_a_process_tells_its_log_is_blotted_out_in_failures() {
    let elsewhere = tempfile::tempdir().unwrap();
    let (world, _) = with_secret("tell", elsewhere.path());
    let failure = world.ensure(1).unwrap_err().to_string();
    assert!(failure.contains("the password is ***"), "{failure}");
    assert!(!failure.contains(SECRET), "{failure}");
}

#[test]
fn a_missing_secret_is_named_and_definite() {
    for value in [
        Value::SecretFile("/no/such/secret".into()),
        Value::SecretEnv("RIPCORD_TEST_NO_SUCH_VARIABLE".to_owned()),
    ] {
        let world = World::with("ok", |template| {
            template.environment.insert("PASSWORD".to_owned(), value);
        });
        let failure = world.ensure(1).unwrap_err();
        let Failure::Definite(text) = &failure else { panic!("{failure:?}") };
        assert!(text.contains("PASSWORD cannot be set: the secret"), "{text}");
    }
}

#[test]
fn the_environment_of_the_controller_stays_with_it() {
    let world = World::new("ok");
    world.ensure(1).unwrap();
    let address = world.address();
    let names = get(address, "/env/ALL");
    for name in names.lines() {
        let known = ["PATH", "HOME", "LANG", "TZ", "TMPDIR", "PORT", "MODE", "MARK"];
        assert!(known.contains(&name) || name == crate::child::ROLE, "{name} was passed on");
    }
    // Cargo sets this for the tests, and so for the shim.
    assert!(std::env::var("CARGO_MANIFEST_DIR").is_ok());
    assert_eq!(get(address, "/env/CARGO_MANIFEST_DIR"), "unset");
    assert_eq!(get(address, "/env/PORT"), address.port().to_string());
}

#[test]
fn memory_is_limited() {
    let free = World::new("fat");
    free.ensure(1).unwrap();
    let limited = World::with("fat", |template| {
        template.limits.memory_bytes = Some(1024 * 1024 * 1024);
    });
    let failure = ensure(&limited.platform, 1, 1, 10_000).unwrap_err();
    assert!(failure.to_string().contains("memory allocation"), "{failure}");
}

#[test]
fn limits_are_those_of_the_process() {
    let world = World::with("ok", |template| {
        template.limits.open_files = Some(77);
        template.limits.processes = Some(3_333);
    });
    world.ensure(1).unwrap();
    let limits = fs::read_to_string(format!("/proc/{}/limits", world.pids()[0])).unwrap();
    let of = |name: &str| -> Vec<String> {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().take(2).map(str::to_owned).collect()
    };
    assert_eq!(of("Max open files"), ["77", "77"]);
    assert_eq!(of("Max processes"), ["3333", "3333"]);
    assert_eq!(of("Max core file size"), ["0", "0"], "no core file holds secrets");
    assert_eq!(of("Max address space"), ["unlimited", "unlimited"]);
}
