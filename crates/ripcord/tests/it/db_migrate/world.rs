//! A folder of migrations, a database of its own, and the binary.

use crate::cluster::{Database, cluster, database};
use crate::site::{Answer, RIPCORD};
use std::fs;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A folder and a database.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) database: Database,
    /// The tool that the folder is for.
    pub(crate) format: &'static str,
}

impl World {
    pub(crate) fn new(format: &'static str) -> World {
        World { folder: tempfile::tempdir().unwrap(), database: database(), format }
    }

    /// Writes a file of the folder.
    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A verb on the folder and the database.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(RIPCORD);
        command.arg("db").args(words).args(["--url", &self.database.url]);
        command.arg("--dir").arg(self.folder.path()).args(["--format", self.format]);
        command.env_remove("RIPCORD_CRASH").env("RIPCORD_BY", "ann").stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Answer {
        answer(&mut self.command(words))
    }

    /// A verb on the database alone.
    pub(crate) fn bare(&self, words: &[&str]) -> Answer {
        let mut command = Command::new(RIPCORD);
        command.arg("db").args(words).args(["--url", &self.database.url]).env("RIPCORD_BY", "ann");
        answer(&mut command)
    }

    /// What one value is, as text.
    pub(crate) fn value(&self, sql: &str) -> String {
        let rows = self.database.client().simple_query(sql).unwrap();
        let row = rows.iter().find_map(|message| match message {
            postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("NULL").to_owned()),
            _ => None,
        });
        row.unwrap_or_default()
    }

    /// How each migration stands: `1 applied, 2 pending`, remarks in brackets.
    pub(crate) fn stands(&self) -> String {
        let answer = self.run(&["status", "--json"]);
        assert!([0, 3].contains(&answer.code), "{answer:?}");
        let document: serde_json::Value = serde_json::from_str(&answer.stdout).unwrap();
        let one = |one: &serde_json::Value| {
            let text = |key: &str| one[key].as_str().unwrap().to_owned();
            let remarks = one["remarks"].as_array().unwrap().iter();
            let mut words = vec![text("version"), text("stand")];
            words.extend(remarks.map(|remark| format!("[{}]", remark.as_str().unwrap())));
            words.join(" ")
        };
        let all = document["migrations"].as_array().unwrap().iter().map(one);
        all.collect::<Vec<_>>().join(", ")
    }

    /// The schema as `pg_dump` writes it, without Ripcord's own.
    pub(crate) fn schema(&self) -> Vec<String> {
        let mut dump = self.database.dump();
        dump.retain(|statement| {
            !statement.contains("ripcord.") && !statement.contains("SCHEMA ripcord")
        });
        dump
    }

    /// The schema after plain `psql` ran these scripts on a database of its own.
    pub(crate) fn twin(&self, scripts: &[&str]) -> Vec<String> {
        let twin = database();
        for script in scripts {
            let path = self.folder.path().join(script);
            let output = cluster()
                .program("psql")
                .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &twin.url, "-f"])
                .arg(&path)
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        twin.dump()
    }
}

pub(crate) fn answer(command: &mut Command) -> Answer {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap_or(-1);
    Answer { code, stdout: text(output.stdout), stderr: text(output.stderr) }
}
