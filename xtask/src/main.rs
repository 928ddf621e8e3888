//! The project's own tools: `cargo xtask test`, `bench`, `soak`, `tidy`.

mod bench;
mod clients;
mod new_rule;
mod soak;
mod system;
mod test;
mod tidy;

use anyhow::{Result, bail};
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask test [--no-install]   everything that must hold: format, lints, tidy, all tests
cargo xtask tidy                  only the rules about imports, lengths and forgotten files
cargo xtask bench cutover         how fast traffic leaves a bad release
cargo xtask bench flags [--quick] evaluations, and how soon a change is served and told
cargo xtask bench database [--quick]
                                 what keeping destroyed data costs, and how fast it is back
cargo xtask bench detection       how fast a failing canary is gone, at 10,000 requests a second
cargo xtask bench judge [--quick] how soon the judge finds a bad release, and how rarely it errs
cargo xtask bench proxy [--quick] what being watched costs, and how fast a split moves
cargo xtask clients               install the clients with which the flags server is tested
cargo xtask new-rule NAME         begin a rule of `ripcord db review`, with its page
cargo xtask soak [--minutes N]    all kills and many deploys in a row, for longer";

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            system::say(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["test"] => test::run(test::Install::Allowed),
        ["test", "--no-install"] => test::run(test::Install::Refused),
        ["tidy"] => {
            let broken = tidy::check(&system::root())?;
            for line in &broken {
                system::say(line);
            }
            Ok(broken.is_empty())
        }
        ["bench", "cutover"] => bench::cutover(),
        ["bench", "detection"] => bench::detection(),
        ["bench", "proxy"] => bench::proxy(false),
        ["bench", "proxy", "--quick"] => bench::proxy(true),
        ["bench", "flags"] => Ok(bench::flags(false)),
        ["bench", "flags", "--quick"] => Ok(bench::flags(true)),
        ["bench", "database"] => Ok(bench::database(false)),
        ["bench", "database", "--quick"] => Ok(bench::database(true)),
        ["bench", "judge"] => bench::judge(bench::Effort::Full),
        ["bench", "judge", "--quick"] => bench::judge(bench::Effort::Quick),
        ["clients"] => clients::install(test::Install::Allowed).map(|()| true),
        ["new-rule", name] => new_rule::run(name).map(|()| true),
        ["soak"] => soak::run(10),
        ["soak", "--minutes", minutes] => soak::run(minutes.parse()?),
        [] | ["help" | "--help" | "-h"] => {
            system::say(HELP);
            Ok(true)
        }
        _ => bail!("unknown command `{}`\n{HELP}", words.join(" ")),
    }
}
