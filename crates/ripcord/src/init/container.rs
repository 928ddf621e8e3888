//! Dockerfiles, as a hint only: which command, port and health check the image has. Ripcord runs
//! processes of this machine, not the image.

use super::folder::Folder;
use super::procfile::{argv, can_be_written};
use super::{Note, Told};

/// What a Dockerfile says about its last stage.
#[derive(Debug, Default)]
pub(super) struct Container {
    pub(super) command: Option<Told<Vec<String>>>,
    pub(super) port: Option<Told<u16>>,
    pub(super) health: Option<Told<String>>,
}

pub(super) fn read(folder: &Folder, missing: &mut Vec<Note>) -> Container {
    let mut container = folder.text("Dockerfile").map(|text| parse(&text)).unwrap_or_default();
    if container.command.as_ref().is_some_and(|command| !can_be_written(&command.value)) {
        let what = "the command of the Dockerfile has braces or strange characters in it";
        missing.push(Note::missing("Dockerfile", what));
        container.command = None;
    }
    container
}

fn parse(text: &str) -> Container {
    let text = text.replace("\\\r\n", " ").replace("\\\n", " ");
    let (mut entrypoint, mut command) = (Vec::new(), Vec::new());
    let mut container = Container::default();
    for line in text.lines() {
        let Some((word, rest)) = line.trim().split_once(char::is_whitespace) else { continue };
        let rest = rest.trim();
        match word.to_ascii_uppercase().as_str() {
            "FROM" => {
                (entrypoint, command) = (Vec::new(), Vec::new());
                container = Container::default();
            }
            "ENTRYPOINT" => entrypoint = words(rest),
            "CMD" => command = words(rest),
            "EXPOSE" => {
                let port = rest.split(['/', ' ']).next().and_then(|port| port.parse().ok());
                let port = port.filter(|port: &u16| *port > 1_023 && *port < u16::MAX);
                container.port = port.map(|port| Told::found(port, "`EXPOSE` in Dockerfile"));
            }
            "HEALTHCHECK" => {
                container.health =
                    path_of_url(rest).map(|path| Told::found(path, "`HEALTHCHECK` in Dockerfile"));
            }
            _ => {}
        }
    }
    entrypoint.extend(command);
    if !entrypoint.is_empty() {
        let what =
            "the command of Dockerfile; here it runs as a process, in the artifact's directory";
        container.command = Some(Told::guessed(entrypoint, what));
    }
    container
}

/// `["a", "b"]`, or a line for a shell.
fn words(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|_| argv(text))
}

/// The path of the first URL in a line.
fn path_of_url(text: &str) -> Option<String> {
    let after = text.split_once("http://").or_else(|| text.split_once("https://"))?.1;
    let url = after.split(|c: char| c.is_whitespace() || "\"'|;)],".contains(c)).next()?;
    let path = &url[url.find('/')?..];
    path.chars().all(|c| c.is_ascii_graphic()).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_stage_counts() {
        let found = parse(
            "FROM rust AS build\nCMD [\"cargo\"]\nEXPOSE 1\nFROM debian\nENTRYPOINT [\"./serve\"]\n\
             CMD [\"--release\"]\nEXPOSE 9000/tcp\n\
             HEALTHCHECK --interval=5s \\\n  CMD curl -f http://localhost:9000/ready || exit 1\n",
        );
        assert_eq!(found.command.unwrap().value, ["./serve", "--release"]);
        assert_eq!(found.port.unwrap().value, 9_000);
        assert_eq!(found.health.unwrap().value, "/ready");
        let found = parse("from a\ncmd node server.js --port $PORT\nEXPOSE 80\n");
        assert_eq!(found.command.unwrap().value, ["sh", "-c", "exec node server.js --port $PORT"]);
        assert!(found.port.is_none() && found.health.is_none());
        assert!(parse("").command.is_none());
    }
}
