//! Encrypted connections: what `sslmode` and `sslrootcert` of an address ask for, as `libpq` reads
//! them, and the client side of TLS that does it.
//!
//! An address without `sslmode` is not encrypted: by a unix socket or a loopback address that is
//! right, and for the rest a server that insists says so.

use crate::postgres::trouble::PostgresError;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use std::path::PathBuf;
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;

/// How far the server has to prove who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// Not at all: only what is sent is hidden from others.
    Nothing,
    /// Its certificate comes from somebody who is trusted.
    Chain,
    /// And it is for the name under which it was called.
    Name,
}

/// What an address asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    /// The address without what the driver does not know.
    pub(crate) address: String,
    proof: Option<Proof>,
    roots: Option<PathBuf>,
}

impl Wish {
    /// Reads an address, of either form.
    pub(crate) fn read(address: &str) -> Result<Wish, PostgresError> {
        let mut wish = Wish { address: String::new(), proof: None, roots: None };
        let url = address.starts_with("postgres://") || address.starts_with("postgresql://");
        let (head, options, between) = match address.split_once('?') {
            Some((head, options)) if url => (format!("{head}?"), options, '&'),
            None if url => {
                address.clone_into(&mut wish.address);
                return Ok(wish);
            }
            _ => (String::new(), address, ' '),
        };
        let mut rest = Vec::new();
        for option in options.split(between) {
            match option.split_once('=') {
                Some(("sslmode", mode)) => wish.proof = proof(mode.trim_matches('\''))?,
                Some(("sslrootcert", path)) => {
                    wish.roots = Some(PathBuf::from(decoded(path.trim_matches('\''))));
                }
                _ => rest.push(option),
            }
        }
        let mode = if wish.proof.is_some() { "sslmode=require" } else { "sslmode=disable" };
        rest.push(mode);
        // As libpq: whoever names what to trust wants it looked at.
        if wish.roots.is_some() && wish.proof == Some(Proof::Nothing) {
            wish.proof = Some(Proof::Chain);
        }
        wish.address = format!("{head}{}", rest.join(&between.to_string()));
        Ok(wish)
    }

    /// The client side of TLS; none when the connection is not to be encrypted.
    pub(crate) fn connector(
        &self,
        place: &str,
    ) -> Result<Option<MakeRustlsConnect>, PostgresError> {
        let Some(proof) = self.proof else { return Ok(None) };
        let trouble = |why: String| PostgresError::Tls { place: place.to_owned(), why };
        let provider = Arc::new(ring::default_provider());
        let checked = match proof {
            Proof::Nothing => None,
            Proof::Chain | Proof::Name => {
                let roots = Arc::new(self.trusted().map_err(trouble)?);
                let built = WebPkiServerVerifier::builder_with_provider(roots, provider.clone());
                Some(built.build().map_err(|error| trouble(error.to_string()))?)
            }
        };
        let verifier = Verifier { checked, name: proof == Proof::Name, provider: provider.clone() };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| trouble(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Some(MakeRustlsConnect::new(config)))
    }

    /// Whom to trust: the file that is named, or else whom the system trusts.
    fn trusted(&self) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        let named = self.roots.as_deref().filter(|path| path.as_os_str() != "system");
        if let Some(path) = named {
            let shown = path.display();
            let read = CertificateDer::pem_file_iter(path)
                .map_err(|error| format!("sslrootcert {shown} cannot be read: {error}"))?;
            for certificate in read {
                let certificate = certificate
                    .map_err(|error| format!("sslrootcert {shown} is no PEM: {error}"))?;
                roots.add(certificate).map_err(|error| format!("sslrootcert {shown}: {error}"))?;
            }
            if roots.is_empty() {
                return Err(format!("sslrootcert {shown} has no certificate in it"));
            }
        } else {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err("the system trusts nobody; name a file by sslrootcert".to_owned());
            }
        }
        Ok(roots)
    }
}

fn proof(mode: &str) -> Result<Option<Proof>, PostgresError> {
    match mode {
        "disable" | "allow" | "prefer" => Ok(None),
        "require" => Ok(Some(Proof::Nothing)),
        "verify-ca" => Ok(Some(Proof::Chain)),
        "verify-full" => Ok(Some(Proof::Name)),
        _ => {
            let why = "sslmode is one of disable, require, verify-ca, verify-full".to_owned();
            Err(PostgresError::Address { why })
        }
    }
}

/// A value as it stands in a URL.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let hex = hex.and_then(|two| u8::from_str_radix(two, 16).ok());
        if let Some(byte) = hex.filter(|_| *first == b'%') {
            bytes.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Looks at the server's certificate as far as it was asked for.
#[derive(Debug)]
struct Verifier {
    checked: Option<Arc<WebPkiServerVerifier>>,
    name: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(checked) = &self.checked else { return Ok(ServerCertVerified::assertion()) };
        match checked.verify_server_cert(certificate, between, name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.name => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_address_asks_for() {
        let check = |address: &str, expected: &str, proof: Option<Proof>| {
            let wish = Wish::read(address).unwrap();
            assert_eq!((wish.address.as_str(), wish.proof), (expected, proof), "{address}");
        };
        let plain = "postgresql://ann@db/shop";
        check(plain, plain, None);
        check(
            "postgresql://db/shop?sslmode=verify-full&port=1",
            "postgresql://db/shop?port=1&sslmode=require",
            Some(Proof::Name),
        );
        check(
            "postgres://db/shop?sslmode=require&sslrootcert=%2Fetc%2Fa%20b",
            "postgres://db/shop?sslmode=require",
            Some(Proof::Chain),
        );
        check("host=db sslmode=verify-ca", "host=db sslmode=require", Some(Proof::Chain));
        check("postgres://db/shop?sslmode=prefer", "postgres://db/shop?sslmode=disable", None);
        assert!(Wish::read("postgres://db/shop?sslmode=yes").is_err());
        assert_eq!(decoded("%2Fa%zz%"), "/a%zz%");
    }
}
