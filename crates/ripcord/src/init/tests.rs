//! Small projects, and what is drafted for each.

use super::{How, draft};
use crate::check::{Level, check};
use expect_test::{Expect, expect};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tempfile::TempDir;

/// A project with these files; those in `bin` or without an ending can be run.
fn project(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join("shop").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        if !name.rsplit('/').next().unwrap().contains('.') {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    directory
}

/// The draft, and what `ripcord check` says of it beyond that all is well.
fn look(files: &[(&str, &str)]) -> String {
    let directory = project(files);
    let root = directory.path().join("shop");
    let draft = draft(&root).unwrap();
    fs::write(root.join("ripcord.toml"), &draft.text).unwrap();
    let mut shown = draft.text;
    for finding in check(&root.join("ripcord.toml")).unwrap() {
        // Whether `node` is installed is another matter.
        if finding.level != Level::Ok && !finding.message.contains("on the PATH") {
            let place = root.display().to_string();
            let message = finding.message.replace(&place, "DIR");
            writeln!(shown, "--- {:?} {}: {message}", finding.level, finding.subject).unwrap();
        }
    }
    shown
}

fn show(files: &[(&str, &str)], expected: &Expect) {
    expected.assert_eq(&look(files));
}

const FLAGS: &str = r#"{"flags": {"reviews": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"}}}"#;

#[test]
fn a_rust_service_with_everything() {
    show(
        &[
            ("Cargo.toml", "[package]\nname = \"shop\"\nversion = \"1.0.0\"\n"),
            (
                "src/main.rs",
                "fn main() { let p = env(\"PORT\");\n route(\"/health\");\n route(\"/up\"); }\n",
            ),
            ("src/tests/ping.rs", "get(\"/up\")"),
            ("target/release/shop", "#!/bin/sh\n"),
            (
                ".env.example",
                "PORT=3000\nLOG_LEVEL=debug\nAPI_KEY=abc\nDATABASE_URL=sqlite://data/shop.db?mode=rwc\n",
            ),
            ("migrations/001_first.up.sql", "CREATE TABLE a (b TEXT);\n"),
            ("migrations/001_first.down.sql", "DROP TABLE a;\n"),
            ("flags.json", FLAGS),
        ],
        &expect![[r#"
            # Drafted by `ripcord init`. "found": the project says so; "guessed": please look.
            # found: the package in Cargo.toml
            service = "shop"

            [artifact]
            # found: what `cargo build --release` makes of package shop
            path = "target/release/shop"
            # guessed: add the arguments that make it serve, if it needs any
            command = ["./shop"]

            [config.environment]
            # found: the example in .env.example
            LOG_LEVEL = "debug"
            # guessed: named in .env.example; read from the environment of `ripcord serve`
            API_KEY = { secret = "env:API_KEY" }
            # guessed: Ripcord says where it is; named in the .env file
            DATABASE_URL = "sqlite://{database}"
            # guessed: how the service learns where it is; name the variable that it reads
            FLAGS_FILE = "{flags}"

            [health]
            # guessed: "/up" stands in src/main.rs:3
            path = "/up"

            [database]
            # guessed: 1 migration in migrations
            engine = "sqlite"
            path = "data/shop.db"
            migrations = "migrations"

            [flags]
            # found: 1 flag in flagd's format
            file = "flags.json"

            [environments.production]
            # found: PORT in .env.example; instances get ports of their own
            listen = "127.0.0.1:3000"
            preview = "127.0.0.1:3001"
            # strategy = "canary" gives a new release a growing share of the requests and judges it.
            --- Warning secret API_KEY: the variable API_KEY is not set here
        "#]],
    );
}

#[test]
fn how_a_project_says_that_it_is_started() {
    let command = |files: &[(&str, &str)]| {
        let directory = project(files);
        let text = draft(&directory.path().join("shop")).unwrap().text;
        text.lines().find(|line| line.starts_with("command = ")).unwrap().to_owned()
    };
    let rust = ("Cargo.toml", "[package]\nname = \"shop\"\n");
    let main = ("src/main.rs", "");
    assert_eq!(
        command(&[rust, main, ("Procfile", "web: ./target/release/shop serve\n")]),
        r#"command = ["./shop", "serve"]"#
    );
    assert_eq!(
        command(&[rust, main, ("Procfile", "web: RUST_LOG=info target/release/shop -p $PORT\n")]),
        r#"command = ["sh", "-c", "RUST_LOG=info ./shop -p $PORT"]"#
    );
    assert_eq!(
        command(&[rust, main, ("Dockerfile", "CMD [\"/usr/bin/shop\", \"--quiet\"]\n")]),
        r#"command = ["./shop", "--quiet"]"#
    );
    assert_eq!(
        command(&[rust, main, ("Dockerfile", "CMD [\"/entrypoint.sh\"]\n")]),
        r#"command = ["./shop"]"#
    );
    let node = ("package.json", r#"{"scripts": {"start": "node a.js {x}"}}"#);
    assert_eq!(command(&[node]), r#"command = ["npm", "start"]"#);
    assert_eq!(
        command(&[node, ("Procfile", "web: node ./dist/b.js\n"), ("dist/b.js", "")]),
        r#"command = ["node", "b.js"]"#
    );
}

#[test]
fn a_member_of_a_workspace() {
    show(
        &[
            ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n"),
            ("crates/a/Cargo.toml", "[package]\nname = \"a\"\n"),
            ("crates/a/src/lib.rs", ""),
            (
                "crates/web/Cargo.toml",
                "[package]\nname = \"web\"\n[[bin]]\nname = \"webd\"\npath = \"x.rs\"\n",
            ),
        ],
        &expect![[r#"
            # Drafted by `ripcord init`. "found": the project says so; "guessed": please look.
            # to do: PORT: no source file names PORT; each instance must listen on 127.0.0.1 at the port in this variable
            # found: the package in Cargo.toml
            service = "web"

            [artifact]
            # found: what `cargo build --release` makes of package web
            path = "target/release/webd"
            # guessed: add the arguments that make it serve, if it needs any
            command = ["./webd"]

            [health]
            # guessed: no path of this kind was found; it must answer 200 when an instance can serve
            path = "/up"

            [environments.production]
            # guessed: a usual port of this machine alone
            listen = "127.0.0.1:8080"
            preview = "127.0.0.1:8081"
            # strategy = "canary" gives a new release a growing share of the requests and judges it.
            --- Error artifact: RC0103: the artifact DIR/target/release/webd: No such file or directory (os error 2) (build the service first; the path is relative to the configuration file)
        "#]],
    );
}

#[test]
fn a_node_service_in_one_file() {
    show(
        &[
            ("package.json", r#"{"name": "@acme/shop", "scripts": {"start": "node server.js"}}"#),
            ("server.js", "app.get('/healthz', ok); listen(process.env.PORT)\n"),
            (".env", "CART_SEED=abc\nPORT=80\n"),
        ],
        &expect![[r#"
            # Drafted by `ripcord init`. "found": the project says so; "guessed": please look.
            # found: the name in package.json
            service = "shop"

            [artifact]
            # found: the only source file
            path = "server.js"
            # found: the script `start` in package.json
            command = ["node", "server.js"]

            [config.environment]
            # guessed: named in .env; read from the environment of `ripcord serve`
            CART_SEED = { secret = "env:CART_SEED" }

            [health]
            # guessed: "/healthz" stands in server.js:1
            path = "/healthz"

            [environments.production]
            # guessed: a usual port of this machine alone
            listen = "127.0.0.1:8080"
            preview = "127.0.0.1:8081"
            # strategy = "canary" gives a new release a growing share of the requests and judges it.
            --- Warning secret CART_SEED: the variable CART_SEED is not set here
        "#]],
    );
}

#[test]
fn a_node_service_that_is_built() {
    show(
        &[
            (
                "package.json",
                r#"{"name": "shop", "main": "dist/server.js", "dependencies": {"express": "5"}}"#,
            ),
            ("src/server.ts", "// PORT"),
            ("dist/server.js", ""),
            (
                "Dockerfile",
                "FROM node\nEXPOSE 3000\nHEALTHCHECK CMD curl http://localhost:3000/live\nCMD [\"node\", \"x.js\"]\n",
            ),
        ],
        &expect![[r#"
            # Drafted by `ripcord init`. "found": the project says so; "guessed": please look.
            # found: the name in package.json
            service = "shop"

            [artifact]
            # guessed: what is started lies there; all that it needs must lie there too
            path = "dist"
            # found: the main file in package.json
            command = ["node", "server.js"]

            [health]
            # found: `HEALTHCHECK` in Dockerfile
            path = "/live"

            [environments.production]
            # found: `EXPOSE` in Dockerfile
            listen = "127.0.0.1:3000"
            preview = "127.0.0.1:3001"
            # strategy = "canary" gives a new release a growing share of the requests and judges it.
        "#]],
    );
}

#[test]
fn a_python_service() {
    show(
        &[
            ("requirements.txt", "fastapi\nuvicorn\n"),
            ("app/main.py", "@app.get(\"/readyz\")\n"),
            ("alembic/versions/1_a.py", ""),
        ],
        &expect![[r#"
            # Drafted by `ripcord init`. "found": the project says so; "guessed": please look.
            # to do: database: alembic/versions holds migrations in Python; Ripcord reads NNN_name.up.sql and NNN_name.down.sql
            # guessed: the name of the folder
            service = "shop"

            [artifact]
            # guessed: fill it with all that runs, such as by `mkdir -p dist && git archive HEAD | tar x -C dist`, and install what it needs in there
            path = "dist"
            # guessed: an ASGI service with uvicorn
            command = ["sh", "-c", "exec uvicorn app.main:app --host 127.0.0.1 --port $PORT"]

            [health]
            # guessed: "/readyz" stands in app/main.py:1
            path = "/readyz"

            [environments.production]
            # guessed: a usual port of this machine alone
            listen = "127.0.0.1:8080"
            preview = "127.0.0.1:8081"
            # strategy = "canary" gives a new release a growing share of the requests and judges it.
            --- Error artifact: RC0103: the artifact DIR/dist: No such file or directory (os error 2) (build the service first; the path is relative to the configuration file)
        "#]],
    );
}

#[test]
fn a_django_service() {
    show(
        &[
            (
                "pyproject.toml",
                "[project]\nname = \"books\"\ndependencies = [\"django\", \"gunicorn\"]\n",
            ),
            ("manage.py", ""),
            ("books/wsgi.py", ""),
        ],
        &expect![[r#"
            # Drafted by `ripcord init`. "found": the project says so; "guessed": please look.
            # found: the project in pyproject.toml
            service = "books"

            [artifact]
            # guessed: fill it with all that runs, such as by `mkdir -p dist && git archive HEAD | tar x -C dist`, and install what it needs in there
            path = "dist"
            # guessed: Django with gunicorn
            command = ["sh", "-c", "exec gunicorn books.wsgi --bind 127.0.0.1:$PORT"]

            [health]
            # guessed: no path of this kind was found; it must answer 200 when an instance can serve
            path = "/up"

            [environments.production]
            # guessed: a usual port of this machine alone
            listen = "127.0.0.1:8080"
            preview = "127.0.0.1:8081"
            # strategy = "canary" gives a new release a growing share of the requests and judges it.
            --- Error artifact: RC0103: the artifact DIR/dist: No such file or directory (os error 2) (build the service first; the path is relative to the configuration file)
        "#]],
    );
}

#[test]
fn a_rails_service_with_a_worker() {
    show(
        &[
            ("Gemfile", "gem \"rails\"\n"),
            (
                "Procfile",
                "web: bundle exec puma -C config/puma.rb\nworker: bundle exec sidekiq -c ${CONCURRENCY}\nclock: bundle exec clockwork clock.rb\nrelease: rails db:migrate\n# x: y\n",
            ),
            ("config/puma.rb", "port ENV.fetch(\"PORT\")\n"),
            ("config/routes.rb", "get \"up\" => \"rails/health#show\"\n"),
            ("db/migrate/20240101_a.rb", ""),
            (
                ".env.example",
                "RAILS_ENV=production\nSECRET_KEY_BASE=abc\nREDIS_URL=redis://localhost:6379\n",
            ),
        ],
        &expect![[r#"
            # Drafted by `ripcord init`. "found": the project says so; "guessed": please look.
            # to do: release: `rails db:migrate` of the Procfile is not run: the plan itself migrates, backs up and checks; use `checks` or [[infrastructure]] for what else it does
            # to do: database: db/migrate holds migrations of Rails; Ripcord reads NNN_name.up.sql and NNN_name.down.sql
            # guessed: the name of the folder
            service = "shop"

            [artifact]
            # guessed: fill it with all that runs, such as by `mkdir -p dist && git archive HEAD | tar x -C dist`, and install what it needs in there
            path = "dist"
            # found: `web` in Procfile
            command = ["bundle", "exec", "puma", "-C", "config/puma.rb"]

            [roles.clock]
            # found: `clock` in Procfile
            command = ["bundle", "exec", "clockwork", "clock.rb"]

            [roles.worker]
            # found: `worker` in Procfile
            command = ["sh", "-c", "exec bundle exec sidekiq -c $CONCURRENCY"]

            [config.environment]
            # found: the example in .env.example
            RAILS_ENV = "production"
            # guessed: named in .env.example; read from the environment of `ripcord serve`
            SECRET_KEY_BASE = { secret = "env:SECRET_KEY_BASE" }
            # found: the example in .env.example
            REDIS_URL = "redis://localhost:6379"

            [health]
            # guessed: "/up" stands in config/routes.rb:1
            path = "/up"

            [environments.production]
            # guessed: a usual port of this machine alone
            listen = "127.0.0.1:8080"
            preview = "127.0.0.1:8081"
            # strategy = "canary" gives a new release a growing share of the requests and judges it.
            --- Error artifact: RC0103: the artifact DIR/dist: No such file or directory (os error 2) (build the service first; the path is relative to the configuration file)
            --- Warning secret SECRET_KEY_BASE: the variable SECRET_KEY_BASE is not set here
        "#]],
    );
}

#[test]
fn a_go_service() {
    show(
        &[
            ("go.mod", "module example.com/acme/shop/v2\n\ngo 1.24\n"),
            ("cmd/tool/main.go", "package main"),
            ("cmd/shop/main.go", "os.Getenv(\"PORT\"); http.HandleFunc(\"/ping\", f)"),
            ("bin/shop", "#!/bin/sh\n"),
            ("db/migrations/000001_first.up.sql", "CREATE TABLE a (b TEXT);\n"),
            (".env.example", "DATABASE_URL=postgres://u:p@localhost/shop\n"),
        ],
        &expect![[r#"
            # Drafted by `ripcord init`. "found": the project says so; "guessed": please look.
            # found: the module in go.mod
            service = "shop"

            [artifact]
            # guessed: build it there: `go build -o bin/shop ./cmd/shop`
            path = "bin/shop"
            # guessed: add the arguments that make it serve, if it needs any
            command = ["./shop"]

            [config.environment]
            # guessed: Ripcord says where it is; named in the .env file
            DATABASE_URL = "{database}"

            [health]
            # guessed: "/ping" stands in cmd/shop/main.go:1
            path = "/ping"

            [database]
            # guessed: 1 migration in db/migrations, as plain has them; the address is that of DATABASE_URL
            engine = "postgres"
            url = { secret = "env:DATABASE_URL" }
            migrations = "db/migrations"

            [environments.production]
            # guessed: a usual port of this machine alone
            listen = "127.0.0.1:8080"
            preview = "127.0.0.1:8081"
            # strategy = "canary" gives a new release a growing share of the requests and judges it.
            --- Warning secret of the database: the variable DATABASE_URL is not set here
            --- Warning migrations: 000001_first.up.sql:1: no migration here has a script that takes it back
        "#]],
    );
}

#[test]
fn nothing_that_is_known() {
    show(
        &[("notes.txt", "x"), ("flags.json", "{\"flags\": 3}")],
        &expect![[r#"
            # Drafted by `ripcord init`. "found": the project says so; "guessed": please look.
            # to do: flags: flags.json is not taken over: line 1, column 11: `flags` is a number instead of an object
            # to do: PORT: no source file names PORT; each instance must listen on 127.0.0.1 at the port in this variable
            # guessed: the name of the folder
            service = "shop"

            [artifact]
            # guessed: nothing here tells how it is built
            path = "dist"
            # guessed: nothing here tells how it is started
            command = ["./shop"]

            [health]
            # guessed: no path of this kind was found; it must answer 200 when an instance can serve
            path = "/up"

            [environments.production]
            # guessed: a usual port of this machine alone
            listen = "127.0.0.1:8080"
            preview = "127.0.0.1:8081"
            # strategy = "canary" gives a new release a growing share of the requests and judges it.
            --- Error artifact: RC0103: the artifact DIR/dist: No such file or directory (os error 2) (build the service first; the path is relative to the configuration file)
        "#]],
    );
}

/// Whatever stands in a project, the draft is a valid configuration.
#[test]
fn strange_projects_do_no_harm() {
    let quotes = "a\"b'c\\d\u{1}\u{7f}é{flags}{x}";
    let files = [
        ("Cargo.toml", format!("[package]\nname = {}\n", toml::Value::from(quotes))),
        ("src/main.rs", String::new()),
        (
            "Procfile",
            format!(
                "web: {quotes} ${{port}} {{release}} {{nope}}\nw: a\nweb-2: {{x}}\nworker-{}: a\n",
                "x".repeat(50)
            ),
        ),
        (
            ".env.example",
            format!("A={quotes}\nB=\u{0}\nC={}\nD=secret:x\nRIPCORD_X=1\n", "y".repeat(9_000)),
        ),
        ("package.json", "[1, 2".to_owned()),
        ("Dockerfile", "CMD [\"\"]\nEXPOSE 65535\nHEALTHCHECK http://a\n".to_owned()),
        ("flags.json", "\u{feff}[]".to_owned()),
    ];
    for skipped in 0..=files.len() {
        let kept = files.iter().enumerate().filter(|(index, _)| *index != skipped);
        let kept: Vec<(&str, &str)> =
            kept.map(|(_, (name, text))| (*name, text.as_str())).collect();
        let directory = project(&kept);
        fs::create_dir_all(directory.path().join("shop")).unwrap();
        let draft = draft(&directory.path().join("shop"));
        assert!(draft.is_ok(), "without {skipped}: {}", draft.unwrap_err());
    }
}

#[test]
fn notes_say_how_sure_each_part_is() {
    let directory = project(&[("Cargo.toml", "[package]\nname = \"shop\"\n"), ("src/main.rs", "")]);
    let notes = draft(&directory.path().join("shop")).unwrap().notes;
    let how = |about: &str| notes.iter().find(|note| note.about == about).map(|note| note.how);
    assert_eq!(how("service"), Some(How::Found));
    assert_eq!(how("health.path"), Some(How::Guessed));
    assert_eq!(how("PORT"), Some(How::Missing));
}

/// The value of a real `.env` is nowhere in the draft.
#[test]
fn secrets_are_not_copied() {
    let directory = project(&[
        (".env", "COLOUR=hunter2\nTOKEN=hunter2\n"),
        (".env.example", "API_TOKEN=hunter2\nDSN=hunter2\n"),
    ]);
    let draft = draft(&directory.path().join("shop")).unwrap();
    assert!(!format!("{draft:?}").contains("hunter2"), "{}", draft.text);
    assert!(draft.text.contains("COLOUR = { secret = \"env:COLOUR\" }"));
}

#[test]
fn links_out_of_the_project_are_not_followed() {
    let directory = project(&[("a.txt", "")]);
    let root = directory.path().join("shop");
    let outside = directory.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let manifest = "[package]\nname = \"other\"\n[[bin]]\nname = \"other\"\n";
    fs::write(outside.join("Cargo.toml"), manifest).unwrap();
    fs::write(outside.join("a.rs"), "\"/healthz\"").unwrap();
    std::os::unix::fs::symlink(outside.join("Cargo.toml"), root.join("Cargo.toml")).unwrap();
    std::os::unix::fs::symlink(&outside, root.join("src")).unwrap();
    let text = draft(&root).unwrap().text;
    assert!(!text.contains("other") && !text.contains("healthz"), "{text}");
}

#[test]
fn what_cannot_be_read_is_said() {
    let failure = draft(Path::new("/nonexistent/project")).unwrap_err();
    assert_eq!(failure.exit_code(), 2);
}
