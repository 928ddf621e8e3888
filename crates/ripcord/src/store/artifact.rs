//! Reading an artifact: a file or a directory, whole, within bounds, and startable.

use crate::config::{Command, Config};
use crate::failure::{Code, Failure};
use crate::store::listing::{Content, Listed, Listing, stays_inside};
use ripcord_core::model::Digest;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use toml::Spanned;

/// The most entries of an artifact.
const ENTRIES_MAX: usize = 50_000;

/// The most bytes of an artifact.
const BYTES_MAX: u64 = 8 << 30;

/// The bits of a mode that are frozen. Set-user-id and the like are not taken along.
const MODE_MASK: u32 = 0o777;

/// The artifact on disk: where it lies, and its entries in order.
#[derive(Debug)]
pub(crate) struct Found {
    /// The directory that the paths are relative to.
    root: PathBuf,
    entries: Vec<(String, Metadata)>,
    /// How many bytes there are.
    pub(crate) bytes: u64,
}

/// Looks at the configured artifact without reading its files: that it exists, that nothing in
/// it leads outside, and that its commands can be started.
pub(crate) fn inspect(config: &Config) -> Result<Found, Failure> {
    let artifact = &config.document().artifact;
    let path = config.resolve(artifact.path.get_ref().as_path());
    let shown = || config.show(artifact.path.span());
    let metadata = fs::metadata(&path).map_err(|error| {
        Failure::new(Code::ArtifactMissing, format!("the artifact {}: {error}", path.display()))
            .at(shown())
            .hint("build the service first; the path is relative to the configuration file")
    })?;
    let found = if metadata.is_dir() { walk(&path) } else { single(&path, metadata) };
    let found = found.map_err(|failure| failure.at(shown()))?;
    startable(config, &found, &artifact.command)?;
    for role in config.document().roles.values() {
        startable(config, &found, &role.get_ref().command)?;
    }
    Ok(found)
}

impl Found {
    /// How many files, directories and links there are.
    pub(crate) fn count(&self) -> usize {
        self.entries.len()
    }

    /// Reads all files through `put` and makes the listing.
    pub(super) fn listing(
        &self,
        put: &dyn Fn(&mut File) -> io::Result<(Digest, u64)>,
    ) -> Result<Listing, Failure> {
        let mut entries = Vec::with_capacity(self.entries.len());
        for (path, metadata) in &self.entries {
            let place = self.root.join(path);
            let content = content(&place, metadata, put)
                .map_err(|error| unusable(&place, format!("cannot be read: {error}")))?;
            entries.push(Listed { path: path.clone(), content });
        }
        Ok(Listing { format: Listing::FORMAT, entries })
    }
}

fn content(
    place: &Path,
    metadata: &Metadata,
    put: &dyn Fn(&mut File) -> io::Result<(Digest, u64)>,
) -> io::Result<Content> {
    if metadata.is_dir() {
        return Ok(Content::Directory);
    }
    if metadata.is_symlink() {
        let target = fs::read_link(place)?;
        return Ok(Content::Link { target: target.to_string_lossy().into_owned() });
    }
    let (digest, size) = put(&mut File::open(place)?)?;
    Ok(Content::File { mode: metadata.permissions().mode() & MODE_MASK, size, digest })
}

fn unusable(place: &Path, why: impl Into<String>) -> Failure {
    Failure::new(Code::ArtifactUnusable, format!("{} {}", place.display(), why.into()))
}

fn single(path: &Path, metadata: Metadata) -> Result<Found, Failure> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| unusable(path, "has a name that is not UTF-8"))?.to_owned();
    if !metadata.is_file() {
        return Err(unusable(path, "is neither a file nor a directory"));
    }
    let bytes = metadata.len();
    bounded(path, 1, bytes)?;
    let root = path.parent().unwrap_or(Path::new("/")).to_owned();
    Ok(Found { root, entries: vec![(name, metadata)], bytes })
}

fn walk(root: &Path) -> Result<Found, Failure> {
    let mut found = Found { root: root.to_owned(), entries: Vec::new(), bytes: 0 };
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let wrong = |error: io::Error| unusable(&folder, format!("cannot be read: {error}"));
        for entry in fs::read_dir(&folder).map_err(wrong)? {
            let place = entry.map_err(wrong)?.path();
            let metadata = fs::symlink_metadata(&place).map_err(wrong)?;
            let path = inner(root, &place)?;
            acceptable(&place, &path, &metadata)?;
            if metadata.is_dir() {
                folders.push(place.clone());
            } else if metadata.is_file() {
                found.bytes += metadata.len();
            }
            found.entries.push((path, metadata));
            bounded(root, found.entries.len(), found.bytes)?;
        }
    }
    if !found.entries.iter().any(|(_, metadata)| metadata.is_file()) {
        return Err(unusable(root, "has no file in it").hint("build the service first"));
    }
    found.entries.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

fn inner(root: &Path, place: &Path) -> Result<String, Failure> {
    let path = place.strip_prefix(root).ok().and_then(Path::to_str);
    let path = path.ok_or_else(|| unusable(place, "has a name that is not UTF-8"))?;
    if path.chars().any(char::is_control) {
        return Err(unusable(place, "has a control character in its name"));
    }
    Ok(path.to_owned())
}

fn acceptable(place: &Path, path: &str, metadata: &Metadata) -> Result<(), Failure> {
    let kind = metadata.file_type();
    if kind.is_socket() || kind.is_fifo() || kind.is_block_device() || kind.is_char_device() {
        return Err(unusable(place, "is neither a file nor a directory nor a link"));
    }
    if !metadata.is_symlink() {
        return Ok(());
    }
    let target = fs::read_link(place)
        .map_err(|error| unusable(place, format!("cannot be read: {error}")))?;
    if target.to_str().is_none() {
        return Err(unusable(place, "leads to a name that is not UTF-8"));
    }
    if stays_inside(Path::new(path), &target) {
        return Ok(());
    }
    let why = format!("is a link out of the artifact, to {}", target.display());
    Err(unusable(place, why)
        .hint("copy what it leads to into the artifact: a release must be whole"))
}

fn bounded(root: &Path, count: usize, bytes: u64) -> Result<(), Failure> {
    if count <= ENTRIES_MAX && bytes <= BYTES_MAX {
        return Ok(());
    }
    let why = format!("has more than {ENTRIES_MAX} entries or {} GiB", BYTES_MAX >> 30);
    Err(unusable(root, why).hint("point `path` at the build's result alone"))
}

/// The program of the command exists and may be run.
fn startable(config: &Config, found: &Found, command: &Spanned<Command>) -> Result<(), Failure> {
    let program = command.get_ref().program();
    let wrong = |what: String, hint: &str| {
        let failure = Failure::new(Code::CommandNotExecutable, what);
        Err(failure.at(config.show(command.span())).hint(hint))
    };
    if !program.contains('/') {
        if in_search_path(program) {
            return Ok(());
        }
        let inside = found.entries.iter().any(|(path, _)| path == program);
        let hint = if inside {
            format!("write \"./{program}\" for the one in the artifact")
        } else {
            "write \"./NAME\" for a program in the artifact".to_owned()
        };
        return wrong(format!("there is no program `{program}` on the PATH"), &hint);
    }
    // A configured path may have placeholders, which stand for nothing yet.
    if program.contains('{') {
        return Ok(());
    }
    let place = if Path::new(program).is_absolute() {
        PathBuf::from(program)
    } else {
        let inner = program.trim_start_matches("./");
        let listed = found.entries.iter().any(|(path, _)| path == inner);
        if !listed {
            let what = format!("there is no `{program}` in the artifact");
            return wrong(what, "the command runs in the artifact's directory");
        }
        found.root.join(inner)
    };
    match fs::metadata(&place) {
        Ok(metadata) if is_executable(&metadata) => Ok(()),
        Ok(_) => wrong(
            format!("{} is not executable", place.display()),
            "run `chmod +x` on it, or name another program",
        ),
        Err(error) => wrong(format!("{}: {error}", place.display()), "name another program"),
    }
}

fn is_executable(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.permissions().mode() & 0o111 != 0
}

fn in_search_path(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&paths);
    folders
        .any(|folder| fs::metadata(folder.join(program)).is_ok_and(|found| is_executable(&found)))
}
