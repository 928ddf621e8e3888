//! Bad input: each is refused or survived with a clear message, and nothing is lost or half done.

use crate::site::{Answer, Site};
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

#[track_caller]
fn told(answer: &Answer, code: &str, words: &[&str]) {
    let text = format!("{}{}", answer.stdout, answer.stderr);
    assert!(text.contains(code), "{code}: {text}");
    for word in words {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn configurations() {
    let site = Site::new();
    let check = |text: &[u8], code: &str, words: &[&str]| {
        fs::write(site.config(), text).unwrap();
        told(&site.run(&["check"]).expect(2), code, words);
        told(&site.run(&["serve"]).expect(2), code, words);
        assert!(!site.state().join("ledger.db").exists(), "something was begun");
    };
    check(b"", "RC0006", &["service"]);
    check(&vec![b'#'; 2 << 20], "RC0003", &[]);
    check(b"service = \"shop\"\nservise = 1\n", "RC0005", &["servise", "^"]);
    check(b"service = 3\n", "RC0007", &["1 |", "^"]);
    check(b"service = \"a", "RC0004", &[]);
    check(&[0xff, 0xfe, 0x00], "RC0003", &[]);
    fs::remove_file(site.config()).unwrap();
    told(&site.run(&["check"]).expect(2), "RC0002", &["ripcord.toml"]);
}

#[test]
fn migration_folders() {
    let site = Site::open();
    let migrations = site.project().join("migrations");
    let check = |files: &[(&str, &str)], code: i32, words: &[&str]| {
        site.dress("v1-good");
        for (name, text) in files {
            fs::write(migrations.join(name), text).unwrap();
        }
        let answer = site.run(&["check"]);
        assert_eq!(answer.code, code, "{files:?}: {answer:?}");
        told(&answer, "", words);
    };
    check(&[("003_gap.up.sql", "CREATE TABLE gap(id INTEGER PRIMARY KEY);")], 0, &["warning"]);
    check(&[("001_again.up.sql", "SELECT 1;")], 2, &["001_again.up.sql"]);
    check(&[("002_alone.down.sql", "DROP TABLE x;")], 2, &["002_alone"]);
    check(&[("002_bad.up.sql", "CREATE TABEL x(id);")], 2, &["002_bad.up.sql", "TABEL"]);
    check(&[("002_commit.up.sql", "CREATE TABLE x(id);\nCOMMIT;")], 2, &["COMMIT"]);
    check(&[("002_empty.up.sql", "")], 2, &["002_empty"]);
    // No down script, or one that does not match: the way back is derived.
    let odd = [
        ("002_odd.up.sql", "ALTER TABLE orders ADD COLUMN colour TEXT;"),
        ("002_odd.down.sql", "CREATE TABLE not_what_it_was(id);"),
    ];
    site.dress("v1-good");
    let first = site.freeze();
    site.run(&["deploy", &first]).expect(0);
    let schema = site.status()["schema"].clone();
    for (name, text) in odd {
        fs::write(migrations.join(name), text).unwrap();
    }
    let second = site.freeze();
    site.run(&["deploy", &second]).expect(0);
    assert_ne!(site.status()["schema"], schema);
    site.run(&["rollback"]).expect(0);
    assert_eq!(site.status()["schema"], schema);
    site.close();
}

#[test]
fn artifacts() {
    let site = Site::open();
    let shop = site.project().join("bin/shop");
    fs::remove_file(&shop).unwrap();
    fs::write(&shop, "#!/bin/sh\nexit 0\n").unwrap();
    fs::set_permissions(&shop, fs::Permissions::from_mode(0o644)).unwrap();
    told(&site.run(&["release", "create"]).expect(2), "RC0105", &["shop"]);
    fs::remove_dir_all(site.project().join("bin")).unwrap();
    told(&site.run(&["release", "create"]).expect(2), "RC0103", &["bin"]);
    assert_eq!(site.run(&["release", "list", "--json"]).expect(0).stdout.trim(), "[]");
    site.close();
}

#[test]
fn a_port_in_use() {
    let site = Site::new();
    let taken = TcpListener::bind(site.listen).unwrap();
    told(&site.run(&["serve", "--stop-everything"]).expect(6), "RC0410", &["in use"]);
    drop(taken);
    assert!(site.processes().is_empty(), "{:?}", site.processes());
}

#[test]
fn release_names() {
    let site = Site::open();
    site.deploy("v1-good");
    for name in ["v1\u{7}", "v1\n", "../v1", "1", "v01", "", "v99999999999999999999"] {
        let answer = site.run(&["deploy", name]).expect(2);
        told(&answer, "RC0101", &[]);
        assert!(!answer.stderr.contains('\u{7}'), "a control character reached the terminal");
    }
    told(&site.run(&["deploy", "v7"]), "RC0102", &["v1"]);
    site.close();
}

#[test]
fn a_ledger_with_a_flipped_bit() {
    let mut site = Site::open();
    site.deploy("v1-good");
    site.run(&["ledger", "verify"]).expect(0);
    // Everything goes on serving while the controller is away.
    site.kill_controller();
    let flipped = ["ledger.db-wal", "ledger.db"].iter().any(|name| {
        let path = site.state().join(name);
        let Ok(mut bytes) = fs::read(&path) else { return false };
        let Some(place) = find(&bytes, b"release_created") else { return false };
        bytes[place] ^= 1;
        fs::write(&path, bytes).unwrap();
        true
    });
    assert!(flipped, "no such entry");
    told(&site.run(&["ledger", "verify"]).expect(5), "RC0407", &[]);
    told(&site.run(&["serve"]).expect(5), "RC0407", &[]);
    assert_eq!(site.answering().as_deref(), Some("v1"));
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[test]
fn a_state_directory_of_a_newer_version() {
    let mut site = Site::open();
    site.deploy("v1-good");
    site.kill_controller();
    let connection = rusqlite::Connection::open(site.state().join("ledger.db")).unwrap();
    connection.pragma_update(None, "user_version", 9_999).unwrap();
    drop(connection);
    told(&site.run(&["serve"]).expect(2), "RC0406", &["newer"]);
    assert_eq!(site.answering().as_deref(), Some("v1"));
}

/// What was materialised is made anew from the store; when the store has lost it too, that is
/// said with the name of the file, and what serves goes on serving.
#[test]
fn the_old_release_deleted_from_disk() {
    let site = Site::open();
    let a = site.deploy("v1-good");
    let b = site.deploy("v2-additive");
    fs::remove_dir_all(site.state().join("releases").join(&a)).unwrap();
    site.run(&["rollback"]).expect(0);
    assert_eq!(site.answering(), Some(a));
    site.run(&["retry", &b]).expect(0);
    fs::remove_dir_all(site.state().join("releases").join("v1")).unwrap();
    fs::remove_dir_all(site.state().join("store")).unwrap();
    let answer = site.run(&["rollback"]);
    assert_eq!(answer.code, 5, "{answer:?}");
    told(&answer, "RC0109", &["v1"]);
    assert_eq!(site.answering(), Some(b));
    site.close();
}

/// A file system of a few megabytes that is really full: a deploy is refused before anything
/// happens, and a rollback still runs.
#[test]
fn a_full_disk() {
    let mut site = Site::new();
    let disk = site.path().join("disk");
    fs::create_dir_all(&disk).unwrap();
    as_root(&["mount", "-t", "tmpfs", "-o", "size=1g,mode=1777", "tmpfs"], &disk);
    std::os::unix::fs::symlink(&disk, site.state()).unwrap();
    site.serve();
    site.deploy("v1-good");
    let b = site.deploy("v2-additive");
    site.dress_with("v2-additive", |text| {
        text.replace("SHOP_RELEASE", "ROUND = \"2\"\nSHOP_RELEASE")
    });
    let c = site.freeze();
    let ballast = fill(&disk);
    let answer = site.run(&["deploy", &c]);
    assert_eq!(answer.code, 3, "{answer:?}");
    told(&answer, "RC0216", &["MiB"]);
    assert_eq!(site.answering(), Some(b));
    site.run(&["rollback"]).expect(0);
    assert_eq!(site.answering().as_deref(), Some("v1"));
    site.run(&["ledger", "verify"]).expect(0);
    drop(fs::remove_file(ballast));
    site.close_with(|| {
        as_root(&["umount", "-l"], &disk);
    });
}

/// Mounting a small file system needs root, be it through sudo.
fn as_root(words: &[&str], path: &std::path::Path) {
    let run = |words: &[&str]| {
        let command = Command::new(words[0]).args(&words[1..]).arg(path).output();
        command.is_ok_and(|output| output.status.success())
    };
    let with_sudo: Vec<&str> = ["sudo", "-n"].iter().chain(words).copied().collect();
    assert!(run(words) || run(&with_sudo), "{words:?}: this test needs root or sudo");
}

/// Writes until not one byte is left.
fn fill(disk: &std::path::Path) -> std::path::PathBuf {
    let path = disk.join("ballast");
    let mut file = fs::File::create(&path).unwrap();
    let block = vec![7; 1 << 16];
    for size in [1 << 16, 4_096, 1] {
        while file.write_all(&block[..size]).is_ok() {}
    }
    path
}
