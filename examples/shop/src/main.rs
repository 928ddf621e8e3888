//! The `shop` command: everything it does is in the library, so that another binary can carry it.

use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    match ripcord_shop::main_with(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A closed stderr leaves nobody to tell; the exit code still says it.
            let _ = writeln!(std::io::stderr(), "shop: {error}");
            ExitCode::FAILURE
        }
    }
}
