//! TLS towards backends: whom to trust, loaded at the first use.

use super::UpstreamSettings;
use crate::{NetError, NetErrorKind};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{path::Path, sync::Arc};
use tokio::sync::OnceCell;

/// The configuration of TLS connections, made when it is first needed.
pub(super) struct Client(OnceCell<Arc<ClientConfig>>);

impl Client {
    pub(super) const fn new() -> Self {
        Self(OnceCell::const_new())
    }

    pub(super) async fn config(&self, settings: &UpstreamSettings) -> Result<Arc<ClientConfig>, NetError> {
        let config = self.0.get_or_try_init(async || {
            let settings = settings.clone();
            let made = tokio::task::spawn_blocking(move || make(&settings)).await;
            made.map_err(|_| bad("loading certificates failed".to_owned()))?
        });
        config.await.cloned()
    }
}

fn bad(why: String) -> NetError {
    NetError::new(NetErrorKind::Tls, why)
}

/// Reads the system's certificates from disk: blocking.
fn make(settings: &UpstreamSettings) -> Result<Arc<ClientConfig>, NetError> {
    let crypto = settings.crypto.clone().or_else(|| CryptoProvider::get_default().cloned());
    let crypto = crypto.ok_or_else(|| bad("no crypto provider is installed".to_owned()))?;
    let mut config = ClientConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()
        .map_err(|error| bad(error.to_string()))?
        .with_root_certificates(roots(settings.extra_ca.as_deref())?)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn roots(extra: Option<&Path>) -> Result<RootCertStore, NetError> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(native.certs);
    if roots.is_empty() {
        tracing::debug!(
            errors = native.errors.len(),
            "no system certificates; the built-in list of authorities is used"
        );
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    if let Some(file) = extra {
        let unreadable = |why: String| bad(format!("the file of further authorities, {}: {why}", file.display()));
        let mut found = false;
        for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unreadable(error.to_string()))? {
            let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
            roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
            found = true;
        }
        if !found {
            return Err(unreadable("has no certificate".to_owned()));
        }
    }
    Ok(roots)
}
