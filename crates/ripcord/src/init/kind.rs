//! What sort of project it is: by which name, built into what, and started how. What is compiled
//! becomes one file; what is interpreted needs a folder with all that runs.

use super::folder::Folder;
use super::procfile::{argv, can_be_written};
use super::{Build, How, Told};
use toml::Table;

/// The longest name of a service.
const NAME_LENGTH_MAX: usize = 40;

/// The most members of a workspace that are looked at.
const MEMBERS_MAX: usize = 200;

/// Name and build of a project.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) service: Told<String>,
    pub(super) build: Build,
}

/// How the project itself says that it is started, if it does.
pub(super) type Stated<'a> = Option<&'a Told<Vec<String>>>;

pub(super) fn recognise(folder: &Folder, stated: Stated<'_>) -> Kind {
    let known = [rust, go, node, python, ruby];
    known.iter().find_map(|known| known(folder, stated)).unwrap_or_else(|| {
        let name = service_name(&folder.name());
        let command = vec![format!("./{name}")];
        let command = Told::guessed(command, "nothing here tells how it is started");
        let path = Told::guessed("dist".to_owned(), "nothing here tells how it is built");
        Kind {
            service: Told::guessed(name, "the name of the folder"),
            build: Build { path, command: prefer(stated, command) },
        }
    })
}

/// The project's own word is better than what is usual.
fn prefer(stated: Stated<'_>, usual: Told<Vec<String>>) -> Told<Vec<String>> {
    match stated {
        Some(stated) if stated.how == How::Found || usual.how != How::Found => stated.clone(),
        _ => usual,
    }
}

/// One file that a compiler makes. Where the project says how it is started, the file is looked
/// for in that, since it lies beside no other file in a release.
fn compiled(path: Told<String>, stated: Stated<'_>) -> Build {
    let binary = path.value.rsplit('/').next().unwrap_or_default().to_owned();
    let own = format!("./{binary}");
    let command = stated.and_then(|stated| {
        let mut command = stated.clone();
        let first = command.value.first_mut()?;
        if first.rsplit('/').next() == Some(binary.as_str()) {
            first.clone_from(&own);
            return Some(command);
        }
        let word = command.value.iter_mut().find(|word| word.contains(&path.value))?;
        let lead = if word.contains(&format!("./{}", path.value)) { "./" } else { "" };
        *word = word.replace(&format!("{lead}{}", path.value), &own);
        Some(command)
    });
    let what = "add the arguments that make it serve, if it needs any";
    Build { path, command: command.unwrap_or_else(|| Told::guessed(vec![own], what)) }
}

/// A name that the configuration accepts, as near to this as can be.
fn service_name(text: &str) -> String {
    let text = text.rsplit('/').next().unwrap_or_default();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let name: String = text.chars().map(|c| if fits(c) { c } else { '-' }).collect();
    let name: String = name
        .trim_start_matches(|c: char| !c.is_ascii_alphanumeric())
        .chars()
        .take(NAME_LENGTH_MAX)
        .collect();
    if name.is_empty() { "service".to_owned() } else { name }
}

fn rust(folder: &Folder, stated: Stated<'_>) -> Option<Kind> {
    let manifest = table(&folder.text("Cargo.toml")?)?;
    let (package, binary) = package(folder, "", &manifest).or_else(|| member(folder, &manifest))?;
    let path = format!("target/release/{binary}");
    let what = format!("what `cargo build --release` makes of package {package}");
    Some(Kind {
        service: Told::found(service_name(&package), "the package in Cargo.toml"),
        build: compiled(Told::found(path, what), stated),
    })
}

/// The name and the binary of a package that has one.
fn package(folder: &Folder, inner: &str, manifest: &Table) -> Option<(String, String)> {
    let package = manifest.get("package")?.as_table()?;
    let name = package.get("name")?.as_str()?.to_owned();
    let chosen = package.get("default-run").and_then(|run| run.as_str());
    let listed = manifest.get("bin").and_then(|bins| bins.get(0)?.get("name")?.as_str());
    let main = folder.has_file(&format!("{inner}src/main.rs")).then_some(name.as_str());
    let binary = chosen.or(listed).or(main)?.to_owned();
    let plain = binary.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    plain.then_some((name, binary))
}

/// The first member of a workspace that has a binary.
fn member(folder: &Folder, manifest: &Table) -> Option<(String, String)> {
    let workspace = manifest.get("workspace")?.as_table()?;
    let lists = ["default-members", "members"].into_iter().filter_map(|key| workspace.get(key));
    let patterns = lists.filter_map(|list| list.as_array()).flatten().filter_map(|p| p.as_str());
    let members = patterns.flat_map(|pattern| match pattern.strip_suffix("/*") {
        Some(above) => {
            folder.names(above).into_iter().map(|name| format!("{above}/{name}")).collect()
        }
        None => vec![pattern.to_owned()],
    });
    members.take(MEMBERS_MAX).find_map(|member| {
        let manifest = table(&folder.text(&format!("{member}/Cargo.toml"))?)?;
        package(folder, &format!("{member}/"), &manifest)
    })
}

fn table(text: &str) -> Option<Table> {
    text.parse().ok()
}

fn go(folder: &Folder, stated: Stated<'_>) -> Option<Kind> {
    let text = folder.text("go.mod")?;
    let module = text.lines().find_map(|line| line.trim().strip_prefix("module "))?.trim();
    let versioned = |part: &str| {
        part.strip_prefix('v').is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
    };
    let name = module.rsplit('/').find(|part| !versioned(part)).unwrap_or(module);
    let name = service_name(name);
    let commands = folder.names("cmd");
    let (binary, source) = if folder.has_file("main.go") {
        (name.clone(), ".".to_owned())
    } else {
        let with_main = |command: &&String| folder.has_file(&format!("cmd/{command}/main.go"));
        let named = commands.iter().find(|command| **command == name).filter(with_main);
        let command = named.or_else(|| commands.iter().find(with_main))?;
        (command.clone(), format!("./cmd/{command}"))
    };
    let what = format!("build it there: `go build -o bin/{binary} {source}`");
    Some(Kind {
        service: Told::found(name, "the module in go.mod"),
        build: compiled(Told::guessed(format!("bin/{binary}"), what), stated),
    })
}

fn node(folder: &Folder, stated: Stated<'_>) -> Option<Kind> {
    let manifest: serde_json::Value = serde_json::from_str(&folder.text("package.json")?).ok()?;
    let text = |value: Option<&serde_json::Value>| Some(value?.as_str()?.to_owned());
    let script = text(manifest.pointer("/scripts/start"));
    let main = text(manifest.get("main"));
    let usual = || {
        let names = ["server.js", "index.js", "app.js", "src/server.js", "src/index.js"];
        names.into_iter().find(|name| folder.has_file(name)).map(str::to_owned)
    };
    let node = |file: String| vec!["node".to_owned(), file];
    let command = match (script, main, usual()) {
        (Some(script), _, _) => Told::found(argv(&script), "the script `start` in package.json"),
        (None, Some(main), _) => Told::found(node(main), "the main file in package.json"),
        (None, None, Some(file)) => Told::guessed(node(file), "the usual file of a service"),
        (None, None, None) => {
            let what = "package.json names neither `start` nor `main`";
            Told::guessed(node("server.js".to_owned()), what)
        }
    };
    let command = if can_be_written(&command.value) {
        command
    } else {
        let command = vec!["npm".to_owned(), "start".to_owned()];
        Told::guessed(command, "the script `start` in package.json cannot stand here as it is")
    };
    let needs = manifest.get("dependencies").and_then(|needed| needed.as_object());
    let needs_others = needs.is_some_and(|needs| !needs.is_empty());
    let name = text(manifest.get("name"));
    Some(Kind {
        service: match name {
            Some(name) => Told::found(service_name(&name), "the name in package.json"),
            None => Told::guessed(service_name(&folder.name()), "the name of the folder"),
        },
        build: interpreted(
            folder,
            prefer(stated, command),
            &["js", "mjs", "cjs", "ts"],
            needs_others,
        ),
    })
}

fn python(folder: &Folder, stated: Stated<'_>) -> Option<Kind> {
    let project = folder.text("pyproject.toml");
    let requirements = folder.text("requirements.txt");
    if project.is_none() && requirements.is_none() && !folder.has_file("manage.py") {
        return None;
    }
    let name = project.as_deref().and_then(table).and_then(|project| {
        let poetry = || project.get("tool")?.get("poetry")?.get("name")?.as_str();
        let name = project.get("project").and_then(|p| p.get("name")?.as_str()).or_else(poetry)?;
        Some(name.to_owned())
    });
    let needed = [project.unwrap_or_default(), requirements.unwrap_or_default()].concat();
    let needed = needed.to_ascii_lowercase();
    let needs_others = !needed.trim().is_empty();
    Some(Kind {
        service: match name {
            Some(name) => Told::found(service_name(&name), "the project in pyproject.toml"),
            None => Told::guessed(service_name(&folder.name()), "the name of the folder"),
        },
        build: interpreted(
            folder,
            prefer(stated, python_command(folder, &needed)),
            &["py"],
            needs_others,
        ),
    })
}

fn python_command(folder: &Folder, needed: &str) -> Told<Vec<String>> {
    let shell = |command: String, what: &str| Told::guessed(argv(&command), what);
    let django =
        folder.names("").into_iter().find(|name| folder.has_file(&format!("{name}/wsgi.py")));
    if let Some(site) = django.filter(|_| folder.has_file("manage.py")) {
        return if needed.contains("gunicorn") {
            shell(format!("gunicorn {site}.wsgi --bind 127.0.0.1:$PORT"), "Django with gunicorn")
        } else {
            let command = "python3 manage.py runserver --noreload 127.0.0.1:$PORT";
            shell(command.to_owned(), "Django without a server for production, such as gunicorn")
        };
    }
    let names =
        ["main.py", "app.py", "server.py", "asgi.py", "wsgi.py", "app/main.py", "src/main.py"];
    let file = names.into_iter().find(|name| folder.has_file(name)).unwrap_or("main.py");
    let module = file.trim_end_matches(".py").replace('/', ".");
    if needed.contains("uvicorn") || needed.contains("fastapi") {
        let command = format!("uvicorn {module}:app --host 127.0.0.1 --port $PORT");
        return shell(command, "an ASGI service with uvicorn");
    }
    if needed.contains("gunicorn") {
        let command = format!("gunicorn {module}:app --bind 127.0.0.1:$PORT");
        return shell(command, "a WSGI service with gunicorn");
    }
    Told::guessed(vec!["python3".to_owned(), file.to_owned()], "the usual file of a service")
}

fn ruby(folder: &Folder, stated: Stated<'_>) -> Option<Kind> {
    if !folder.has_file("Gemfile") {
        return None;
    }
    let command = argv("bundle exec puma --bind tcp://127.0.0.1:$PORT");
    let command = Told::guessed(command, "a Rack service with puma");
    Some(Kind {
        service: Told::guessed(service_name(&folder.name()), "the name of the folder"),
        build: interpreted(folder, prefer(stated, command), &["rb", "ru"], true),
    })
}

/// What is interpreted: the one file that there is, the folder that is built, or a folder that has
/// to be filled. The project itself is no artifact, since it holds the state of Ripcord.
fn interpreted(
    folder: &Folder,
    mut command: Told<Vec<String>>,
    endings: &[&str],
    needs_others: bool,
) -> Build {
    for built in ["dist", "build"] {
        let inside = format!("{built}/");
        let begins = |word: &&mut String| word.trim_start_matches("./").starts_with(&inside);
        if let Some(entry) = command.value.iter_mut().find(begins) {
            *entry = entry.trim_start_matches("./")[inside.len()..].to_owned();
            let what = "what is started lies there; all that it needs must lie there too";
            return Build { path: Told::guessed(built.to_owned(), what), command };
        }
    }
    let sources = folder.sources(endings);
    if let ([only], false) = (sources.as_slice(), needs_others)
        && command.value.contains(only)
        && !only.contains('/')
    {
        return Build { path: Told::found(only.clone(), "the only source file"), command };
    }
    let what = "fill it with all that runs, such as by `mkdir -p dist && git archive HEAD | tar x -C \
                dist`, and install what it needs in there";
    Build { path: Told::guessed("dist".to_owned(), what), command }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_services() {
        let check = |text: &str, expected: &str| assert_eq!(service_name(text), expected);
        check("shop", "shop");
        check("@org/web shop", "web-shop");
        check("--.", "service");
        check("", "service");
        check("ünique", "nique");
        assert_eq!(service_name(&"a".repeat(60)).len(), NAME_LENGTH_MAX);
    }
}
