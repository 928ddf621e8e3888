//! A bounded search of the source text for what a service says about itself: the path of its
//! health check, and whether it reads PORT.

use super::Told;
use super::folder::Folder;

/// The most text that is read altogether.
const BYTES_MAX: usize = 32 << 20;

/// The endings of source files.
const ENDINGS: [&str; 17] = [
    "rs", "js", "mjs", "cjs", "ts", "tsx", "jsx", "py", "rb", "go", "ex", "exs", "java", "kt",
    "php", "cs", "ru",
];

/// Usual paths of health checks. Those that say whether an instance can serve stand before those
/// that only say that it lives.
const PATHS: [&str; 13] = [
    "/up",
    "/readyz",
    "/ready",
    "/readiness",
    "/healthz",
    "/health",
    "/healthcheck",
    "/health-check",
    "/health_check",
    "/_health",
    "/livez",
    "/alive",
    "/ping",
];

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Traces {
    pub(super) health: Option<Told<String>>,
    pub(super) reads_port: bool,
}

pub(super) fn search(folder: &Folder) -> Traces {
    let mut traces = Traces::default();
    let mut best = PATHS.len();
    let mut bytes = 0;
    let start = ["Procfile", "Dockerfile", "package.json"].map(str::to_owned);
    for file in start.into_iter().chain(folder.sources(&ENDINGS)) {
        let Some(text) = folder.text(&file) else { continue };
        bytes += text.len();
        if bytes > BYTES_MAX {
            break;
        }
        traces.reads_port |= names_port(&text);
        if is_test(&file) {
            continue;
        }
        if let Some((rank, line)) = health(&text)
            && rank < best
        {
            best = rank;
            let what = format!("\"{}\" stands in {file}:{line}", PATHS[rank]);
            traces.health = Some(Told::guessed(PATHS[rank].to_owned(), what));
        }
    }
    traces
}

/// The best path that stands as a text in quotes, and its line.
fn health(text: &str) -> Option<(usize, usize)> {
    let quoted = |line: &str, path: &str| {
        ["\"", "'", "`"].iter().any(|quote| line.contains(&format!("{quote}{path}{quote}")))
            // As routers write it: `get "up" => ...`, `get("/up", ...)`.
            || (line.contains("get ") && line.contains(&format!("\"{}\"", &path[1..])))
    };
    let ranks = PATHS.iter().enumerate();
    let mut found = ranks.filter_map(|(rank, path)| {
        // Most files have none, which is quickly seen.
        if !text.contains(&path[1..]) {
            return None;
        }
        let line = text.lines().position(|line| quoted(line, path))?;
        Some((rank, line + 1))
    });
    found.next()
}

/// Whether PORT stands there as a word of its own.
fn names_port(text: &str) -> bool {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    let alone = |at: usize| {
        !part(text[..at].chars().next_back()) && !part(text[at + "PORT".len()..].chars().next())
    };
    text.match_indices("PORT").any(|(at, _)| alone(at))
}

fn is_test(file: &str) -> bool {
    file.split(['/', '.', '_', '-']).any(|part| matches!(part, "test" | "tests" | "spec" | "specs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_health_checks() {
        let check = |text: &str, expected: Option<(&str, usize)>| {
            assert_eq!(health(text).map(|(rank, line)| (PATHS[rank], line)), expected, "{text}");
        };
        check("a\nrouter.get('/healthz', f)", Some(("/healthz", 2)));
        check("\"/ping\"\n\"/ready\"", Some(("/ready", 2)));
        check("get \"up\" => \"rails/health#show\"", Some(("/up", 1)));
        check("fetch('/healthz/deep')", None);
        check("start up", None);
    }

    #[test]
    fn port_as_a_word() {
        assert!(names_port("env::var(\"PORT\")"));
        assert!(names_port("$PORT"));
        assert!(names_port("EXPORTED PORT"));
        assert!(!names_port("EXPORT PORTS MY_PORT port"));
        assert!(is_test("src/__tests__/a.test.js") && is_test("tests/a.rs"));
        assert!(!is_test("src/latest/contest.js"));
    }
}
