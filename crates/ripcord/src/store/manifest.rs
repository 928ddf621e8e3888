//! The manifest of a release: its document, for people and for the repository.

use crate::failure::{Code, Failure};
use crate::world::replace_file;
use ripcord_core::model::Release;
use std::path::{Path, PathBuf};

/// The manifest as text.
pub(super) fn manifest(release: &Release) -> Result<String, Failure> {
    let json = serde_json::to_string_pretty(release);
    json.map(|text| text + "\n").map_err(|error| Failure::new(Code::Bug, error.to_string()))
}

/// Writes the manifest as `vN.json` into a directory and says where.
pub(crate) fn write_manifest(release: &Release, directory: &Path) -> Result<PathBuf, Failure> {
    let path = directory.join(format!("{}.json", release.id));
    replace_file(&path, manifest(release)?.as_bytes()).map_err(|error| {
        Failure::new(Code::CannotWrite, format!("{}: {error}", path.display()))
            .hint("the release itself is frozen; write it elsewhere with `ripcord release show`")
    })?;
    Ok(path)
}
