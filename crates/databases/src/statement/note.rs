//! What authors tell Ripcord in comments: `-- ripcord: destroy REASON`, `-- ripcord: keep`,
//! `-- ripcord: hide`, `-- ripcord: defer` and `-- ripcord: ignore RULE REASON`.

use serde::Serialize;

/// One annotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Note {
    /// What the next statement destroys is to be destroyed.
    Destroy {
        /// Why.
        reason: String,
    },
    /// What the next statement destroys is to be copied aside, whatever is usual.
    Keep,
    /// What the next statement drops is to be hidden.
    Hide,
    /// The next statement is to wait.
    Defer,
    /// A rule is not to speak about the next statement.
    Ignore {
        /// Which rule.
        rule: String,
        /// Why not.
        reason: String,
    },
    /// It looks like an annotation and is none.
    Wrong {
        /// What is the matter.
        why: String,
    },
}

impl Note {
    /// Reads a comment; none when it is not for Ripcord.
    pub(crate) fn read(comment: &str) -> Option<Note> {
        let text = comment.strip_prefix("--")?.trim_start();
        let order = text.strip_prefix("ripcord:")?.trim();
        let (word, rest) = order.split_once(char::is_whitespace).unwrap_or((order, ""));
        let rest = rest.trim();
        Some(match word {
            "destroy" if rest.is_empty() => {
                wrong("«destroy» needs a reason: -- ripcord: destroy REASON")
            }
            "destroy" => Note::Destroy { reason: rest.to_owned() },
            "keep" => Note::Keep,
            "hide" => Note::Hide,
            "defer" => Note::Defer,
            "ignore" => match rest.split_once(char::is_whitespace) {
                Some((rule, reason)) => {
                    Note::Ignore { rule: rule.to_owned(), reason: reason.trim().to_owned() }
                }
                None => wrong("«ignore» needs a rule and a reason: -- ripcord: ignore RULE REASON"),
            },
            _ => {
                let shown: String = order.chars().take(40).collect();
                wrong(&format!(
                    "«{shown}» is no annotation; known are: keep, hide, defer, destroy REASON, ignore \
                     RULE REASON"
                ))
            }
        })
    }
}

fn wrong(why: &str) -> Note {
    Note::Wrong { why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_annotations() {
        let check = |text: &str, expected: Option<Note>| {
            assert_eq!(Note::read(text), expected, "{text}");
        };
        check("-- a remark about ripcord: none", None);
        check("/* ripcord: destroy x */", None);
        check(
            "--ripcord:  destroy  legal duty",
            Some(Note::Destroy { reason: "legal duty".into() }),
        );
        check(
            "-- ripcord: ignore drop-column nobody reads it",
            Some(Note::Ignore { rule: "drop-column".into(), reason: "nobody reads it".into() }),
        );
        check("-- ripcord: keep", Some(Note::Keep));
        check("-- ripcord: hide too large to copy", Some(Note::Hide));
        check("--ripcord:defer", Some(Note::Defer));
        for text in ["-- ripcord: destroy", "-- ripcord: ignore drop-column", "-- ripcord: burn"] {
            assert!(matches!(Note::read(text), Some(Note::Wrong { .. })), "{text}");
        }
    }
}
