//! The listener's certificate: read from files, and again when they change.

use super::ServeError;
use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{net::TcpStream, sync::Notify};
use tokio_rustls::server::TlsStream;

/// TLS on the listener.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// A PEM file with the certificate and its chain.
    pub certificate: PathBuf,
    /// A PEM file with the private key.
    pub key: PathBuf,
    /// How often to look whether the files changed.
    pub look_every: Duration,
    /// The crypto; `None` takes what the process has installed as its default.
    pub crypto: Option<Arc<CryptoProvider>>,
}

impl TlsSettings {
    /// Certificate and key from these files, looked at again every five seconds.
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        let look_every = Duration::from_secs(5);
        Self { certificate: certificate.into(), key: key.into(), look_every, crypto: None }
    }
}

/// Shakes hands with the certificate of the moment.
#[derive(Clone)]
pub(super) struct Acceptor {
    settings: Arc<TlsSettings>,
    current: Arc<ArcSwap<ServerConfig>>,
    /// What the files looked like before they were read.
    seen: Seen,
    /// Told to look at once.
    look: Arc<Notify>,
}

type Seen = [Option<(SystemTime, u64)>; 2];

impl Acceptor {
    pub(super) fn load(settings: TlsSettings) -> Result<Self, ServeError> {
        let seen = look(&settings);
        let config = read(&settings).map_err(ServeError::Tls)?;
        Ok(Self {
            settings: Arc::new(settings),
            current: Arc::new(ArcSwap::from_pointee(config)),
            seen,
            look: Arc::default(),
        })
    }

    pub(super) async fn accept(&self, tcp: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        tokio_rustls::TlsAcceptor::from(self.current.load_full()).accept(tcp).await
    }

    /// What to tell to have the files looked at now.
    pub(super) fn look(&self) -> Arc<Notify> {
        Arc::clone(&self.look)
    }

    /// Looks at the files for ever, now and then and when told to. A pair that cannot be used is logged and changes nothing.
    pub(super) async fn reload(mut self) {
        let mut ticks = tokio::time::interval(self.settings.look_every.max(Duration::from_millis(1)));
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.look.notified() => {}
            }
            let settings = Arc::clone(&self.settings);
            let before = self.seen;
            let looked = tokio::task::spawn_blocking(move || {
                let seen = look(&settings);
                (seen != before).then(|| (seen, read(&settings)))
            });
            let Ok(Some((seen, config))) = looked.await else { continue };
            self.seen = seen;
            match config {
                Ok(config) => {
                    self.current.store(Arc::new(config));
                    tracing::info!(file = %self.settings.certificate.display(), "the certificate was loaded again");
                }
                Err(why) => tracing::error!("{why}; the certificate in use stays"),
            }
        }
    }
}

fn look(settings: &TlsSettings) -> Seen {
    [&settings.certificate, &settings.key].map(|file| {
        let meta = std::fs::metadata(file).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    })
}

fn read(settings: &TlsSettings) -> Result<ServerConfig, String> {
    let failed = |what: &str, file: &Path, why: &dyn std::fmt::Display| format!("{what} {}: {why}", file.display());
    let (cert, key) = (settings.certificate.as_path(), settings.key.as_path());
    let bad_cert = |why: &dyn std::fmt::Display| failed("the TLS certificate file", cert, why);
    let chain: Vec<_> =
        CertificateDer::pem_file_iter(cert).and_then(Iterator::collect).map_err(|error| bad_cert(&error))?;
    if chain.is_empty() {
        return Err(bad_cert(&"has no certificate"));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| failed("the TLS key file", key, &error))?;
    let crypto = settings.crypto.clone().or_else(|| CryptoProvider::get_default().cloned());
    let crypto = crypto.ok_or("no crypto provider is installed for TLS")?;
    let mut config = ServerConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| format!("{} and {} do not make a pair: {error}", cert.display(), key.display()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
