//! What stands around a database: encryption, poolers, replicas, disks, roles, and copies of it.
//! Each works, or is refused with words that say what to do, before anything happened.
//!
//! Some of these start servers of their own, which takes some seconds.

use super::cluster::{Cluster, Database, REPLICATING, cluster, database, other_user};
use super::upward::{climb, data, folder, history, limits};
use postgres::{Client, NoTls};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use ripcord_databases::postgres::{Connection, PostgresError, Session, Terms, down, preview_up};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SETUP: &str = "CREATE TABLE t (id int PRIMARY KEY, note text); INSERT INTO t VALUES (1, 'a')";

const SCRIPT: &str = "ALTER TABLE t DROP COLUMN note; CREATE TABLE u (id int)";

fn opened(url: &str) -> Result<Connection, PostgresError> {
    Connection::open(url, "test", &limits())
}

/// There and back at an address, and what is there is what was there.
fn there_and_back(url: &str, seen: &Database) {
    let before = (seen.dump(), data(seen));
    let set = folder(&[SCRIPT]);
    let history = history(&set, url);
    let mut session = Session::open(url, history.key(), &limits()).unwrap();
    super::upward::climb_in(&mut session, url, &set, &Terms::default(), &mut |_| {}).unwrap();
    assert!(data(seen).iter().any(|row| row == "t: (1)"));
    down(&mut session, 1, None, &history, &Terms::default(), &mut |_| {}).unwrap();
    assert_eq!((seen.dump(), data(seen)), before);
}

#[test]
fn tls_as_far_as_it_is_asked_for() {
    let server = Cluster::own();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let place = |name: &str| server.folder().join(name).display().to_string();
    let mut client = Client::connect(&server.url("postgres"), NoTls).unwrap();
    // The server's own user has to own the key.
    for (name, text) in [("server.crt", cert.pem()), ("server.key", signing_key.serialize_pem())] {
        let write = format!(
            "COPY (SELECT line FROM regexp_split_to_table('{}', E'\\n') AS line) \
             TO PROGRAM 'cat > {name} && chmod 600 {name}'",
            text.trim_end(),
            name = place(name)
        );
        client.batch_execute(&write).unwrap();
    }
    for (name, value) in [
        ("ssl_cert_file", place("server.crt")),
        ("ssl_key_file", place("server.key")),
        ("ssl", "on".to_owned()),
    ] {
        client.batch_execute(&format!("ALTER SYSTEM SET {name} = '{value}'")).unwrap();
    }
    client.batch_execute("SELECT pg_reload_conf()").unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while client.query_one("SHOW ssl", &[]).unwrap().get::<_, String>(0) != "on" {
        assert!(Instant::now() < until, "the server takes no certificate");
        std::thread::sleep(Duration::from_millis(20));
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), cert.pem()).unwrap();
    let known = file.path().display();
    let port = server.address().port();
    let at = |host: &str, rest: &str| {
        format!("postgresql://postgres@{host}:{port}/postgres?sslmode={rest}")
    };
    let mut encrypted = |url: &str| -> bool {
        let open = opened(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        let sql = "SELECT s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE \
                   a.application_name = 'ripcord/test' ORDER BY a.backend_start DESC LIMIT 1";
        let found = client.query_one(sql, &[]).unwrap().get(0);
        drop(open);
        found
    };
    assert!(!encrypted(&at("127.0.0.1", "disable")));
    for rest in [
        "require".to_owned(),
        format!("verify-full&sslrootcert={known}"),
        format!("verify-ca&sslrootcert={known}"),
    ] {
        assert!(encrypted(&at("localhost", &rest)), "{rest}");
    }
    // The certificate is not for this name, which only verify-full cares for.
    assert!(encrypted(&at("127.0.0.1", &format!("verify-ca&sslrootcert={known}"))));
    let refused = |url: &str, word: &str| {
        let why = opened(url).unwrap_err().to_string();
        assert!(why.contains(word), "{url}: {why}");
    };
    refused(&at("127.0.0.1", &format!("verify-full&sslrootcert={known}")), "name");
    refused(&at("localhost", "verify-full"), "certificate");
    refused(&at("localhost", "verify-full&sslrootcert=/nowhere.pem"), "/nowhere.pem");
    // Scripts run over it as well.
    let database = Database { url: server.url("postgres"), name: "postgres".to_owned() };
    database.run(SETUP);
    let url = at("localhost", &format!("verify-full&sslrootcert={known}"));
    climb(&url, &folder(&[SCRIPT]), &Terms::default()).unwrap();
    assert!(data(&database).iter().any(|row| row == "t: (1)"));
    std::mem::forget(database);
}

#[test]
fn a_server_without_tls_is_not_spoken_to_in_clear() {
    let database = database();
    let url = format!("{}?sslmode=require", cluster().tcp("postgres", &database.name));
    let why = opened(&url).unwrap_err().to_string();
    assert!(why.contains("does not support TLS"), "{why}");
}

/// A pooler in front of the shared cluster.
struct Pooler {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Pooler {
    fn start(mode: &str) -> Pooler {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let file = folder.path().join("pgbouncer.ini");
        let server = cluster().address().port();
        std::fs::write(
            &file,
            format!(
                "[databases]\n* = host=127.0.0.1 port={server} user=postgres\n[pgbouncer]\n\
                 listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
                 auth_type = any\npool_mode = {mode}\nadmin_users = nobody_at_all\n"
            ),
        )
        .unwrap();
        // Debian puts it where not everybody looks.
        let usual = "/usr/sbin/pgbouncer";
        let program = if Path::new(usual).exists() { usual } else { "pgbouncer" };
        let mut command = match other_user() {
            Some(user) => {
                let all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
                std::fs::set_permissions(folder.path(), all).unwrap();
                let mut command = Command::new("setpriv");
                command.args([&format!("--reuid={user}"), "--clear-groups", program]);
                command
            }
            None => Command::new(program),
        };
        command.arg("-q").arg(&file).stdin(Stdio::null());
        let process = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("PgBouncer is installed: apt-get install pgbouncer");
        let until = Instant::now() + Duration::from_secs(30);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "PgBouncer does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Pooler { process, port, _folder: folder }
    }

    fn url(&self, database: &str) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[test]
fn a_pooler_that_keeps_sessions_together_works() {
    let database = database();
    database.run(SETUP);
    let pooler = Pooler::start("session");
    there_and_back(&pooler.url(&database.name), &database);
}

#[test]
fn a_pooler_that_tears_sessions_apart_is_refused() {
    let database = database();
    database.run(SETUP);
    let pooler = Pooler::start("transaction");
    let url = pooler.url(&database.name);
    let why = opened(&url).unwrap_err();
    assert!(matches!(why, PostgresError::Pooled { .. }), "{why}");
    assert!(why.to_string().contains("pool_mode = session"), "{why}");
    assert!(Session::open(&url, "ripcord", &limits()).is_err());
    // And nothing was left set for whoever gets the session next.
    let mut next = Client::connect(&url, NoTls).unwrap();
    let shown = next.simple_query("SHOW search_path").unwrap();
    let shown = shown.iter().find_map(|message| match message {
        postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    assert_eq!(shown.as_deref(), Some("\"$user\", public"));
    assert!(!database.dump().concat().contains("ripcord"));
}

#[test]
fn a_replica_is_looked_at_and_left_alone() {
    let primary = Cluster::set(REPLICATING);
    let mut client = Client::connect(&primary.url("postgres"), NoTls).unwrap();
    client.batch_execute(SETUP).unwrap();
    let applied = folder(&["CREATE TABLE made (id int)"]);
    climb(&primary.url("postgres"), &applied, &Terms::default()).unwrap();
    let replica = primary.replica();
    let url = replica.url("postgres");
    let set = folder(&["CREATE TABLE made (id int)", SCRIPT]);
    let mut connection = opened(&url).unwrap();
    let standings = history(&set, &url).standing(&set, &mut connection).unwrap();
    assert_eq!(standings.len(), 2);
    let forecast = preview_up(&mut connection, &set.migrations[1..], &Terms::default()).unwrap();
    assert_eq!(forecast.kept[0].to_string(), "1 value of t.note");
    let why = Session::open(&url, "ripcord", &limits()).unwrap_err();
    assert!(matches!(why, PostgresError::Replica { .. }), "{why}");
    assert!(why.to_string().contains("go to the primary"), "{why}");
}

/// A small file system of its own, unmounted at the end.
struct Disk(tempfile::TempDir);

impl Disk {
    fn small(mebibytes: u32) -> Disk {
        let folder = tempfile::tempdir().unwrap();
        let user = other_user().expect("a small disk is mounted by root");
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m,mode=777"), "tmpfs"])
            .arg(folder.path())
            .status()
            .unwrap();
        assert!(done.success(), "mount a tmpfs");
        let inner = folder.path().join("space");
        std::fs::create_dir(&inner).unwrap();
        assert!(Command::new("chown").arg(user).arg(&inner).status().unwrap().success());
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), all).unwrap();
        Disk(folder)
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("space")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0.path()).status());
    }
}

/// Where what is kept goes fills up: a real small disk when root may mount one, or else a server
/// that may write no file larger than the table.
#[test]
fn a_full_disk_leaves_nothing_half_done() {
    let fill =
        "INSERT INTO t SELECT i, repeat(md5(i::text), 8) FROM generate_series(2, 60000) AS i";
    let root = other_user().is_some();
    let server = Cluster::own();
    let database = Database { url: server.url("postgres"), name: "postgres".to_owned() };
    database.run(SETUP);
    database.run(fill);
    let disk = root.then(|| Disk::small(8));
    match &disk {
        Some(disk) => {
            database.run(&format!("CREATE TABLESPACE small LOCATION '{}'", disk.path().display()));
            database.run("ALTER DATABASE postgres SET default_tablespace = small");
        }
        None => limit_files(&server.folder().join("data/postmaster.pid"), 8 << 20),
    }
    let before = data(&database);
    let script = "ALTER TABLE t DROP COLUMN note";
    let why = climb(&database.url, &folder(&[script]), &Terms::default()).unwrap_err();
    let shown = why.to_string();
    assert!(shown.contains("no room") && shown.contains("hide"), "{shown}");
    assert!(matches!(why, PostgresError::Refused { .. }), "{why:?}");
    assert_eq!(data(&database), before);
    let one = |sql: &str| -> i64 { database.client().query_one(sql, &[]).unwrap().get(0) };
    assert_eq!(
        one("SELECT count(*) FROM ripcord.kept") + one("SELECT count(*) FROM ripcord.applied"),
        0
    );
    // What the message says helps.
    let hide = format!("-- ripcord: hide\n{script}");
    climb(&database.url, &folder(&[&hide]), &Terms::default()).unwrap();
    std::mem::forget(database);
    drop(server);
    drop(disk);
}

/// From now on the server's new processes write no larger file.
fn limit_files(pid: &Path, bytes: u64) {
    let text = std::fs::read_to_string(pid).unwrap();
    let pid = text.lines().next().unwrap();
    let done = Command::new("prlimit").args(["--pid", pid, &format!("--fsize={bytes}")]).status();
    assert!(done.unwrap().success(), "prlimit");
}

#[test]
fn a_copy_is_told_from_what_it_was_copied_from() {
    let first = database();
    first.run(SETUP);
    let session = Session::open(&first.url, "ripcord", &limits()).unwrap();
    assert_eq!(session.restored(), None);
    drop(session);
    assert_eq!(Session::open(&first.url, "ripcord", &limits()).unwrap().restored(), None);
    climb(&first.url, &folder(&[SCRIPT]), &Terms::default()).unwrap();
    let incarnation = |database: &Database| -> String {
        let sql = "SELECT incarnation FROM ripcord.database";
        database.client().query_one(sql, &[]).unwrap().get(0)
    };
    // Yesterday's dump, in a database of its own.
    let copy = database();
    let file = tempfile::NamedTempFile::new().unwrap();
    for (program, url, rest) in [("pg_dump", &first.url, "-f"), ("psql", &copy.url, "-f")] {
        let mut command = cluster().program(program);
        let done = command.args(["-d", url, rest]).arg(file.path()).stdout(Stdio::null()).status();
        assert!(done.unwrap().success(), "{program}");
    }
    let session = Session::open(&copy.url, "ripcord", &limits()).unwrap();
    assert!(session.restored().is_some_and(|what| what.contains("restored")), "{session:?}");
    drop(session);
    assert_ne!(incarnation(&copy), incarnation(&first));
    // It goes on there: what ran can be taken back.
    let set = folder(&[SCRIPT]);
    let history = history(&set, &copy.url);
    let mut session = Session::open(&copy.url, history.key(), &limits()).unwrap();
    assert_eq!(session.restored(), None);
    down(&mut session, 1, None, &history, &Terms::default(), &mut |_| {}).unwrap();
    assert_eq!(data(&copy), ["t: (1,a)"]);
}

#[test]
fn a_server_that_took_over_is_noticed() {
    let primary = Cluster::set(REPLICATING);
    climb(&primary.url("postgres"), &folder(&["CREATE TABLE made (id int)"]), &Terms::default())
        .unwrap();
    let replica = primary.replica();
    let mut client = Client::connect(&replica.url("postgres"), NoTls).unwrap();
    client.batch_execute("SELECT pg_promote()").unwrap();
    let session = Session::open(&replica.url("postgres"), "ripcord", &limits()).unwrap();
    assert!(session.restored().is_some_and(|what| what.contains("took over")), "{session:?}");
}
