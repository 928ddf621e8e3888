//! HTTPS with a certificate that this machine trusts, and with one that it does not.

use crate::support::{read, sources};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use ripcord_integrations::SourceError;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;
use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::thread;

const URL: &str = "RIPCORD_TEST_HTTPS_URL";
const TRUSTED: &str = "RIPCORD_TEST_HTTPS_TRUSTED";

/// What a machine trusts is fixed when a process begins, so this test begins anew for each case.
#[test]
fn certificates_are_those_that_the_machine_trusts() {
    if let (Ok(url), Ok(trusted)) = (env::var(URL), env::var(TRUSTED)) {
        return asked(&url, trusted == "yes");
    }
    let folder = tempfile::tempdir().unwrap();
    let (url, certificate) = server();
    let other = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    for (trusted, pem) in [("yes", &certificate), ("no", &other.cert.pem())] {
        let file = folder.path().join(trusted);
        fs::write(&file, pem).unwrap();
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "tls::certificates_are_those_that_the_machine_trusts"])
            .env("SSL_CERT_FILE", file)
            .env_remove("SSL_CERT_DIR")
            // Whoever used this proxy would reach nobody.
            .env("HTTPS_PROXY", "http://127.0.0.1:1")
            .env("ALL_PROXY", "http://127.0.0.1:1")
            .env_remove("NO_PROXY")
            .env(URL, &url)
            .env(TRUSTED, trusted)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout).into_owned();
        assert!(child.status.success() && said.contains("1 passed"), "{trusted}: {said}");
    }
}

fn asked(url: &str, trusted: bool) {
    let url = format!("{url}/{{query}}");
    let result = read(&sources(json!({"web": {"url": url, "pointer": "/value"}})), "q");
    if trusted {
        assert_eq!(result, Ok(Some(1.0)));
    } else {
        let error = result.unwrap_err();
        assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");
        assert!(error.to_string().contains("certificate"), "{error}");
    }
}

/// A server for two connections, and its certificate.
fn server() -> (String, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().take(2).flatten() {
            let mut stream =
                StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
            // Whoever distrusts the certificate hangs up here.
            if matches!(stream.read(&mut [0; 4_096]), Ok(length) if length > 0) {
                let body = "{\"value\": 1}";
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                drop(stream.write_all(format!("{head}{body}").as_bytes()));
                drop(stream.flush());
            }
        }
    });
    (url, cert.pem())
}
