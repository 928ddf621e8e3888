//! Freezing and recreating releases, and what happens when something was damaged.

use super::*;
use crate::config::Config;
use crate::failure::{Code, Failure};
use expect_test::{Expect, expect};
use ripcord_core::model::{Digest, Release, ReleaseId};
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const CONFIG: &str = r#"
service = "shop"
artifact = { path = "bin", command = ["./shop", "{config}"] }
flags = { file = "flags.json" }
[config]
files = ["conf/shop.json"]
environment = { A = "{state}", KEY = { secret = "file:/etc/key" } }
[database]
engine = "sqlite"
path = "shop.db"
migrations = "migrations"
[environments.production]
listen = "127.0.0.1:8080"
"#;

const FLAGS: &str = r#"{"flags": {"reviews": {"state": "ENABLED",
    "variants": {"on": true, "off": false}, "defaultVariant": "on"}}}"#;

struct World {
    root: tempfile::TempDir,
    store: Store,
}

impl World {
    fn new() -> World {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(&root.path().join("state")).unwrap();
        let world = World { root, store };
        world.write("ripcord.toml", CONFIG);
        world.write("bin/shop", "#!/bin/sh\necho 1\n");
        world.executable("bin/shop");
        world.write("bin/assets/deep/a.txt", "a");
        fs::create_dir(world.path("bin/empty")).unwrap();
        symlink("../shop", world.path("bin/assets/link")).unwrap();
        world.write("conf/shop.json", "{\"page\": 1}");
        world.write("flags.json", FLAGS);
        world.write("migrations/001_first.up.sql", "CREATE TABLE a (b TEXT);\n");
        world.write("migrations/001_first.down.sql", "DROP TABLE a;\n");
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("project").join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn executable(&self, name: &str) {
        fs::set_permissions(self.path(name), Permissions::from_mode(0o755)).unwrap();
    }

    fn freeze(&self) -> Result<Release, Failure> {
        let config = Config::load(&self.path("ripcord.toml"))?;
        let frozen = self.store.freeze(&config, "ann")?;
        Ok(Release { id: ReleaseId::numbered(1), ..frozen })
    }

    fn place(&self) -> PathBuf {
        self.root.path().join("state/releases/v1")
    }

    fn materialise(&self, release: &Release) -> Result<(), Failure> {
        self.store.materialise(release, &self.place())
    }

    fn object(&self, digest: &Digest) -> PathBuf {
        let digits = digest.as_str().strip_prefix("sha256:").unwrap();
        self.root.path().join("state/store/sha256").join(&digits[..2]).join(&digits[2..])
    }

    fn refused(&self, expected: &Expect) {
        let failure = self.freeze().expect_err("must be refused").to_string();
        expected.assert_eq(&failure.replace(&self.root.path().display().to_string(), "DIR"));
    }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn everything_belongs_to_the_release() {
    let world = World::new();
    let release = world.freeze().unwrap();
    assert_eq!(release.command, ["./shop", "{config}"]);
    assert_eq!(release.environment["KEY"], "secret:file:/etc/key");
    assert_eq!(release.environment["A"], "{state}");
    assert_eq!(release.flags.defaults["reviews"], "on");
    assert_eq!(release.config["conf/shop.json"], Digest::of_bytes(b"{\"page\": 1}"));
    assert_eq!(release.migrations.len(), 1);
    let migration = &release.migrations[0];
    assert_eq!(migration.down, Some(Digest::of_bytes(b"DROP TABLE a;\n")));
    assert_eq!(
        world.store.read(&migration.migration.checksum).unwrap(),
        b"CREATE TABLE a (b TEXT);\n"
    );
    let document = release.flags.document.as_ref().unwrap();
    assert_eq!(world.store.read(document).unwrap(), FLAGS.as_bytes());
}

#[test]
fn roles_belong_to_the_release() {
    let world = World::new();
    let without = world.freeze().unwrap();
    let with = |more: &str| {
        world.write("ripcord.toml", &format!("{CONFIG}[roles.worker]\n{more}"));
        world.freeze()
    };
    let one = with("command = [\"./shop\", \"work\", \"{release}\"]\n").unwrap();
    assert_eq!(one.roles["worker"].command, ["./shop", "work", "{release}"]);
    assert_eq!(one.roles["worker"].instances, 1);
    assert_ne!(one.content_digest(), without.content_digest());
    let two = with("command = [\"./shop\", \"work\"]\ninstances = 2\n").unwrap();
    assert_eq!(two.roles["worker"].instances, 2);
    world.write("ripcord.toml", &format!("{CONFIG}[roles.worker]\ncommand = [\"./worker\"]\n"));
    world.refused(&expect![[r#"
        error[RC0105]: there is no `./worker` in the artifact
           --> DIR/project/ripcord.toml:15:11
            |
         15 | command = ["./worker"]
            |           ^^^^^^^^^^^^
        hint: the command runs in the artifact's directory"#]]);
}

#[test]
fn equal_content_is_the_same_release_and_a_changed_mode_is_not() {
    let world = World::new();
    let first = world.freeze().unwrap();
    assert_eq!(world.freeze().unwrap().content_digest(), first.content_digest());
    world.executable("bin/assets/deep/a.txt");
    assert_ne!(world.freeze().unwrap().artifact, first.artifact);
}

#[test]
fn comes_back_when_the_project_is_gone() {
    let world = World::new();
    let release = world.freeze().unwrap();
    fs::remove_dir_all(world.path("")).unwrap();
    world.materialise(&release).unwrap();
    let place = world.place();
    assert_eq!(text(&place.join("artifact/shop")), "#!/bin/sh\necho 1\n");
    let mode = fs::metadata(place.join("artifact/shop")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
    assert_eq!(text(&place.join("artifact/assets/deep/a.txt")), "a");
    assert!(place.join("artifact/empty").is_dir());
    let link = fs::read_link(place.join("artifact/assets/link")).unwrap();
    assert_eq!(link, Path::new("../shop"));
    assert_eq!(text(&place.join("config/conf/shop.json")), "{\"page\": 1}");
    let manifest: Release = serde_json::from_str(&text(&place.join("release.json"))).unwrap();
    assert_eq!(manifest, release);
}

#[test]
fn a_single_file_is_an_artifact() {
    let world = World::new();
    world.write("ripcord.toml", &CONFIG.replace("\"bin\"", "\"bin/shop\""));
    let release = world.freeze().unwrap();
    world.materialise(&release).unwrap();
    assert_eq!(text(&world.place().join("artifact/shop")), "#!/bin/sh\necho 1\n");
    assert!(!world.place().join("artifact/assets").exists());
}

#[test]
fn what_is_sound_is_left_alone_and_what_is_not_is_rebuilt() {
    let world = World::new();
    let release = world.freeze().unwrap();
    world.materialise(&release).unwrap();
    let added = world.place().join("artifact/cache");
    fs::write(&added, "the service wrote this").unwrap();
    world.materialise(&release).unwrap();
    assert!(added.exists(), "a sound directory was rebuilt");
    let damages: [&dyn Fn(&Path); 5] = [
        &|place| fs::write(place.join("artifact/shop"), "other").unwrap(),
        &|place| fs::remove_file(place.join("artifact/assets/link")).unwrap(),
        &|place| fs::remove_dir(place.join("artifact/empty")).unwrap(),
        &|place| fs::remove_file(place.join("config/conf/shop.json")).unwrap(),
        &|place| {
            let path = place.join("artifact/shop");
            fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
        },
    ];
    for (index, damage) in damages.iter().enumerate() {
        damage(&world.place());
        world.materialise(&release).unwrap();
        let place = world.place();
        assert_eq!(text(&place.join("artifact/shop")), "#!/bin/sh\necho 1\n", "damage {index}");
        let mode = fs::metadata(place.join("artifact/shop")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755, "damage {index}");
        assert!(fs::read_link(place.join("artifact/assets/link")).is_ok(), "damage {index}");
        assert!(place.join("artifact/empty").is_dir(), "damage {index}");
        assert!(place.join("config/conf/shop.json").exists(), "damage {index}");
    }
    let names = fs::read_dir(world.place().parent().unwrap()).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["v1"], "something was left behind");
}

#[test]
fn a_damaged_store_is_found_and_mended_by_freezing_again() {
    let world = World::new();
    let release = world.freeze().unwrap();
    let digest = Digest::of_bytes(b"a");
    let check = |what: &str| {
        let failure = world.materialise(&release).expect_err(what);
        assert_eq!(failure.code, Code::StoreDamaged);
        let object = world.object(&digest).display().to_string();
        assert!(failure.error.contains("release v1"), "{failure}");
        assert!(failure.error.contains(&object), "{failure}");
        assert!(failure.error.contains(what), "{failure}");
        assert!(!world.place().exists(), "half a release was left");
        assert_eq!(world.store.read(&digest).expect_err(what).code, Code::StoreDamaged);
    };
    fs::write(world.object(&digest), "b").unwrap();
    check("is not what was written");
    fs::remove_file(world.object(&digest)).unwrap();
    check("is missing");
    world.freeze().unwrap();
    world.materialise(&release).unwrap();
    fs::write(world.object(&digest), "b").unwrap();
    world.freeze().unwrap();
    assert_eq!(world.store.read(&digest).unwrap(), b"a");
}

#[test]
fn what_is_no_digest_names_nothing() {
    let world = World::new();
    world.freeze().unwrap();
    let objects = world.root.path().join("state/store/sha256");
    fs::create_dir_all(objects.join("aa")).unwrap();
    fs::write(objects.join("aa/outside"), "o").unwrap();
    let outside = format!("sha256:aa{}/outside", "/.".repeat(27));
    for text in ["", "sha256:", "sha256:a", "sha256:ü", "md5:aa", "sha256:aaoutside", &outside] {
        let failure = world.store.read(&Digest(text.into())).expect_err(text);
        assert!(failure.error.contains("is missing"), "{failure}");
    }
}

#[test]
fn a_damaged_listing_is_found() {
    let world = World::new();
    let release = world.freeze().unwrap();
    fs::write(world.object(&release.artifact), "{}").unwrap();
    let failure = world.materialise(&release).expect_err("damaged");
    assert_eq!((failure.code, failure.exit_code()), (Code::StoreDamaged, 5));
}

#[test]
fn a_manifest_cannot_lead_out_of_its_directory() {
    let world = World::new();
    let good = world.freeze().unwrap();
    let listing = |path: &str, content: &str| {
        let text =
            format!(r#"{{"format": 1, "entries": [{{"path": "{path}", "content": {content}}}]}}"#);
        Release { artifact: world.store.put(text.as_bytes()).unwrap(), ..good.clone() }
    };
    let file = format!(
        r#"{{"file": {{"mode": 420, "size": 1, "digest": "{}"}}}}"#,
        Digest::of_bytes(b"a")
    );
    let link = r#"{"link": {"target": "../../x"}}"#;
    for bad in [
        listing("../escaped", &file),
        listing("/tmp/escaped", &file),
        listing("a", link),
        Release { artifact: Digest("sha256:../../../x".into()), ..good.clone() },
        Release { config: [("../escaped".into(), Digest::of_bytes(b"a"))].into(), ..good.clone() },
    ] {
        let failure = world.materialise(&bad).expect_err("leads outside");
        assert_eq!(failure.code, Code::StoreDamaged, "{failure}");
    }
    assert!(!world.place().parent().unwrap().join("escaped").exists());
    assert!(world.materialise(&listing("inside", &file)).is_ok());
}

#[test]
fn an_artifact_that_cannot_be_started() {
    let world = World::new();
    world.write("ripcord.toml", &CONFIG.replace("\"bin\"", "\"dist\""));
    world.refused(&expect![[r#"
        error[RC0103]: the artifact DIR/project/dist: No such file or directory (os error 2)
          --> DIR/project/ripcord.toml:3:21
           |
         3 | artifact = { path = "dist", command = ["./shop", "{config}"] }
           |                     ^^^^^^
        hint: build the service first; the path is relative to the configuration file"#]]);

    let world = World::new();
    fs::set_permissions(world.path("bin/shop"), Permissions::from_mode(0o644)).unwrap();
    world.refused(&expect![[r#"
        error[RC0105]: DIR/project/bin/shop is not executable
          --> DIR/project/ripcord.toml:3:38
           |
         3 | artifact = { path = "bin", command = ["./shop", "{config}"] }
           |                                      ^^^^^^^^^^^^^^^^^^^^^^
        hint: run `chmod +x` on it, or name another program"#]]);

    let world = World::new();
    world.write("ripcord.toml", &CONFIG.replace("./shop", "shop"));
    world.refused(&expect![[r#"
        error[RC0105]: there is no program `shop` on the PATH
          --> DIR/project/ripcord.toml:3:38
           |
         3 | artifact = { path = "bin", command = ["shop", "{config}"] }
           |                                      ^^^^^^^^^^^^^^^^^^^^
        hint: write "./shop" for the one in the artifact"#]]);

    let world = World::new();
    world.write("ripcord.toml", &CONFIG.replace("./shop", "./shpo"));
    world.refused(&expect![[r#"
        error[RC0105]: there is no `./shpo` in the artifact
          --> DIR/project/ripcord.toml:3:38
           |
         3 | artifact = { path = "bin", command = ["./shpo", "{config}"] }
           |                                      ^^^^^^^^^^^^^^^^^^^^^^
        hint: the command runs in the artifact's directory"#]]);
}

#[test]
fn what_does_not_belong_into_an_artifact() {
    let world = World::new();
    symlink("/etc/passwd", world.path("bin/users")).unwrap();
    world.refused(&expect![[r#"
        error[RC0104]: DIR/project/bin/users is a link out of the artifact, to /etc/passwd
          --> DIR/project/ripcord.toml:3:21
           |
         3 | artifact = { path = "bin", command = ["./shop", "{config}"] }
           |                     ^^^^^
        hint: copy what it leads to into the artifact: a release must be whole"#]]);

    let world = World::new();
    drop(std::os::unix::net::UnixListener::bind(world.path("bin/socket")).unwrap());
    world.refused(&expect![[r#"
        error[RC0104]: DIR/project/bin/socket is neither a file nor a directory nor a link
          --> DIR/project/ripcord.toml:3:21
           |
         3 | artifact = { path = "bin", command = ["./shop", "{config}"] }
           |                     ^^^^^"#]]);

    // It has no blocks on the disk; only its size is looked at.
    let world = World::new();
    fs::File::create(world.path("bin/huge")).unwrap().set_len(9 << 30).unwrap();
    let failure = inspect(&Config::load(&world.path("ripcord.toml")).unwrap()).unwrap_err();
    assert_eq!(failure.code, Code::ArtifactUnusable);
    assert!(failure.error.contains("8 GiB"), "{failure}");

    let world = World::new();
    world.write("bin/a\u{7}b", "");
    world.refused(&expect![[r#"
        error[RC0104]: DIR/project/bin/a\u{7}b has a control character in its name
          --> DIR/project/ripcord.toml:3:21
           |
         3 | artifact = { path = "bin", command = ["./shop", "{config}"] }
           |                     ^^^^^"#]]);

    let world = World::new();
    fs::remove_dir_all(world.path("bin")).unwrap();
    fs::create_dir(world.path("bin")).unwrap();
    world.refused(&expect![[r#"
        error[RC0104]: DIR/project/bin has no file in it
          --> DIR/project/ripcord.toml:3:21
           |
         3 | artifact = { path = "bin", command = ["./shop", "{config}"] }
           |                     ^^^^^
        hint: build the service first"#]]);
}

#[test]
fn what_else_cannot_be_frozen() {
    let world = World::new();
    fs::remove_file(world.path("conf/shop.json")).unwrap();
    world.refused(&expect![[r#"
        error[RC0106]: DIR/project/conf/shop.json cannot be read: No such file or directory (os error 2)
          --> DIR/project/ripcord.toml:6:10
           |
         6 | files = ["conf/shop.json"]
           |          ^^^^^^^^^^^^^^^^
        hint: the path is relative to the configuration file of Ripcord"#]]);

    let world = World::new();
    world.write("flags.json", "{}");
    world.refused(&expect![[r#"
        error[RC0107]: DIR/project/flags.json: the document has no member `flags`
          --> DIR/project/flags.json:1:1
           |
         1 | {}
           | ^^
        hint: the format is flagd's: { "flags": { "NAME": { "state": ..., "variants": ... } } }"#]]);

    let world = World::new();
    world.write("migrations/001_second.up.sql", "SELECT 1;");
    let failure = world.freeze().expect_err("two with one number");
    assert_eq!(failure.code, Code::MigrationsInvalid);
    assert!(failure.report.is_some_and(|report| report.contains("migrations = ")));
}

#[test]
fn only_what_nobody_needs_is_cleared_away() {
    let world = World::new();
    let old = world.freeze().unwrap();
    world.write("conf/shop.json", "{\"page\": 2}");
    fs::remove_dir_all(world.path("migrations")).unwrap();
    fs::create_dir(world.path("migrations")).unwrap();
    let new = Release { id: ReleaseId::numbered(2), ..world.freeze().unwrap() };
    assert!(!old.migrations.is_empty() && new.migrations.is_empty());
    let releases = [old.clone(), new.clone()];
    let keep = BTreeSet::from([new.id.clone()]);
    let now = SystemTime::now();
    let young = world.store.prune(&releases, &keep, &BTreeSet::new(), now, &|| false).unwrap();
    assert_eq!(young.objects, 0, "an object of a release that is being frozen was removed");
    let later = now + Duration::from_hours(2);
    let pruned = world.store.prune(&releases, &keep, &BTreeSet::new(), later, &|| false).unwrap();
    assert_eq!((pruned.objects, pruned.bytes), (1, 11), "the old configuration alone");
    for migration in &old.migrations {
        world.store.read(&migration.migration.checksum).expect("a later way back may need it");
    }
    world.store.materialise(&new, &world.place()).unwrap();
    assert_eq!(
        world.store.read(&old.config["conf/shop.json"]).unwrap_err().code,
        Code::StoreDamaged
    );
    fs::remove_file(world.object(&new.artifact)).unwrap();
    let all = world.store.prune(&releases, &keep, &BTreeSet::new(), later, &|| false);
    assert!(all.is_err(), "what the kept release needs is not known any more");
    assert!(world.store.read(&new.config["conf/shop.json"]).is_ok());
}

#[test]
fn the_manifest_is_for_the_repository() {
    let world = World::new();
    let release = world.freeze().unwrap();
    let path = write_manifest(&release, &world.path("releases")).unwrap();
    assert_eq!(path, world.path("releases/v1.json"));
    assert_eq!(serde_json::from_str::<Release>(&text(&path)).unwrap(), release);
    assert!(!text(&path).contains("/project"), "paths of this machine in a manifest");
}

#[test]
fn the_commit_of_a_release() {
    let world = World::new();
    let git = |arguments: &[&str]| {
        let output = std::process::Command::new("git")
            .arg("-C")
            .arg(world.path(""))
            .args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "--quiet"]);
    assert_eq!(world.freeze().unwrap().source.commit, None);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "first"]);
    git(&["config", "user.name", "a"]);
    git(&["config", "user.email", "a@b"]);
    let release = world.freeze().unwrap();
    assert_eq!(release.source.commit, Some(git(&["rev-parse", "HEAD"])));
    assert!(!release.source.dirty);
    world.write("conf/shop.json", "{}");
    assert!(world.freeze().unwrap().source.dirty);
    git_tag(&world.path(""), &release).unwrap();
    assert_eq!(git(&["tag", "--list"]), "shop-v1");
    let failure = git_tag(&world.path(""), &release).expect_err("the tag exists");
    assert_eq!(failure.code, Code::TagFailed);
}
