//! The listing of an artifact: every path with its mode and digest. Its own digest names the
//! artifact.

use ripcord_core::model::Digest;
use serde::{Deserialize, Serialize};
use std::path::{Component, Path};

/// An artifact as a document. Entries are sorted by path, directories before what is in them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    /// The version of this document's shape.
    pub(super) format: u32,
    /// What there is.
    pub(super) entries: Vec<Listed>,
}

/// One path, relative to the artifact's directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listed {
    /// Where.
    pub(super) path: String,
    /// What.
    pub(super) content: Content,
}

/// What can lie in an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Content {
    /// A directory.
    Directory,
    /// A file.
    File {
        /// Its permission bits.
        mode: u32,
        /// Its size in bytes.
        size: u64,
        /// Its content.
        digest: Digest,
    },
    /// A link that stays inside the artifact.
    Link {
        /// Where it leads, relative to its own directory.
        target: String,
    },
}

impl Listing {
    /// The version of the document's shape that this code writes.
    pub(super) const FORMAT: u32 = 1;
}

/// Whether a link at `link` (relative) to `target` stays inside.
pub(super) fn stays_inside(link: &Path, target: &Path) -> bool {
    let mut depth = link.components().count().saturating_sub(1);
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

/// Whether a path of a document is relative and leads nowhere else.
pub(super) fn is_inner(path: &str) -> bool {
    let parts = Path::new(path).components();
    !path.is_empty() && parts.into_iter().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links() {
        let check = |link: &str, target: &str, expected: bool| {
            assert_eq!(stays_inside(link.as_ref(), target.as_ref()), expected, "{link} {target}");
        };
        check("a", "b", true);
        check("a", "./b/../c", true);
        check("lib/a", "../b", true);
        check("a", "../b", false);
        check("lib/a", "../../b", false);
        check("a", "/etc/passwd", false);
        check("a", "b/../../c", false);
    }

    #[test]
    fn inner_paths() {
        assert!(is_inner("a/b") && is_inner("a"));
        for path in ["", "/a", "../a", "a/../../b", "."] {
            assert!(!is_inner(path), "{path}");
        }
    }
}
