//! The review as workflow commands of GitHub Actions, which appear beside the lines.

use crate::cli::db::review::{counted, place};
use ripcord_databases::review::{Level, Review};

/// The review as workflow commands.
pub(super) fn github(reviews: &[Review]) -> String {
    let mut lines = Vec::new();
    for review in reviews {
        for finding in review.loud() {
            let command = match finding.level {
                Level::Error => "error",
                Level::Warning => "warning",
                Level::Note => "notice",
            };
            let instead = finding.instead.as_ref();
            let instead = instead.map(|text| format!("\nInstead: {text}")).unwrap_or_default();
            lines.push(format!(
                "::{command} file={},line={},title={}::{}",
                property(&place(review, finding).display().to_string()),
                finding.line,
                property(finding.rule),
                data(&format!("{}{instead}", finding.message))
            ));
        }
    }
    // A line that is no command appears in the log.
    lines.push(counted(reviews));
    lines.join("\n")
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_command() {
        assert_eq!(
            property("a,b:c%\n::error::x"),
            "a%2Cb%3Cc%25%0A%3A%3Aerror%3A%3Ax".replace("%3Cc", "%3Ac")
        );
        assert_eq!(data("a\nb"), "a%0Ab");
    }
}
