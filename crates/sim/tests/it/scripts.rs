//! The scenarios: every text file in `tests/scripts` is played and must answer as recorded.
//! `UPDATE=1` records anew.

use ripcord_sim::script::Player;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The scenarios that must be there.
const NUMBERS: [u32; 40] = [
    2, 9, 10, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 35,
    36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 49, 50, 51, 53,
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scripts")
}

fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).expect("the folder of scripts is there");
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.expect("it can be listed").path()).collect();
    files.sort();
    files
}

/// Plays a script: comments and commands stay, answers are written anew below each command.
fn play(text: &str) -> String {
    let mut world = Player::default();
    let mut played = String::new();
    for line in text.lines() {
        let command = line.strip_prefix("> ");
        if !line.starts_with('#') && command.is_none() {
            continue;
        }
        if command.is_some() && !played.is_empty() && !played.ends_with("\n\n") {
            let after_comment = played.lines().last().is_some_and(|last| last.starts_with('#'));
            played.push_str(if after_comment { "" } else { "\n" });
        }
        if line.starts_with('#') && !played.is_empty() && !ends_in_comment(&played) {
            played.push('\n');
        }
        played.push_str(line);
        played.push('\n');
        if let Some(command) = command {
            played.push_str(world.play(command).trim_end());
            played.push('\n');
        }
    }
    played
}

fn ends_in_comment(played: &str) -> bool {
    played.lines().last().is_some_and(|last| last.starts_with('#'))
}

#[test]
fn every_script_answers_as_recorded() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    for file in files() {
        let recorded = std::fs::read_to_string(&file).expect("a script is text");
        let played = play(&recorded);
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if played == recorded {
            continue;
        }
        if update {
            std::fs::write(&file, played).expect("a script can be recorded");
        } else {
            let place = played.lines().zip(recorded.lines()).find(|(new, old)| new != old);
            wrong.push(format!("{name}: now, and as recorded:\n{place:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}\n(UPDATE=1 records anew)", wrong.join("\n"));
}

#[test]
fn no_script_is_forgotten_or_empty() {
    let mut numbers = BTreeSet::new();
    for file in files() {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let stem = name.strip_suffix(".txt").unwrap_or_else(|| panic!("{name} is no script"));
        let text = std::fs::read_to_string(&file).expect("a script is text");
        let commands = text.lines().filter(|line| line.starts_with("> ")).count();
        let answers = text.lines().filter(|line| !line.starts_with(['>', '#'])).count();
        assert!(commands > 2 && answers > commands, "{name} says nothing");
        assert!(text.starts_with("# "), "{name} does not say what it is about");
        for sign in ["what is `", "VIOLATION", "NO END", "BUT SOMETHING CHANGED"] {
            assert!(!text.contains(sign), "{name} has {sign}");
        }
        let number = stem.strip_prefix("scenario_").and_then(|rest| rest.get(..2));
        let other = stem.starts_with("plan_") || stem.starts_with("ctrl_");
        numbers.extend(number.and_then(|number| number.parse::<u32>().ok()));
        assert!(number.is_some() || other, "{name}: scenario_NN, ctrl_N or plan_");
    }
    let missing: Vec<u32> = NUMBERS.into_iter().filter(|one| !numbers.contains(one)).collect();
    assert!(missing.is_empty(), "no script for {missing:?}");
}
