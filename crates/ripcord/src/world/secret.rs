//! What a reference to a secret stands for: a file, or a variable of the controller's environment.

use std::fs;

/// Reads a secret for the controller's own use; that of a service is read when it starts.
///
/// # Errors
///
/// Says why it cannot be read, without the secret.
pub(crate) fn read_secret(reference: &str) -> Result<String, String> {
    match reference.split_once(':') {
        Some(("file", path)) => fs::read_to_string(path)
            .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
            .map_err(|error| format!("the secret {path} cannot be read: {error}")),
        Some(("env", name)) => std::env::var(name)
            .map_err(|_| format!("the environment variable {name} of the secret is not set")),
        _ => Err(format!("`{reference}` is no reference to a secret")),
    }
}
