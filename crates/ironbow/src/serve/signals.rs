//! SIGTERM and SIGINT: the first one drains, a second one ends the process at once. SIGHUP has the configuration read again.

use std::io::{self, IsTerminal as _};

/// What the process is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// To go down; the signal's name.
    End(&'static str),
    /// To read its configuration again.
    #[cfg_attr(not(unix), expect(dead_code, reason = "only Unix has a signal for it"))]
    Reload,
}

/// Listens for the signals from its creation on.
pub(crate) struct Signals {
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
    /// Whether a person looked on at the start.
    #[cfg(unix)]
    on_terminal: bool,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    /// Takes over the signals; without it they end the process as usual.
    #[cfg(unix)]
    pub(crate) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            on_terminal: io::stderr().is_terminal(),
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Takes over Ctrl-C.
    #[cfg(not(unix))]
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Comes back with what the next signal says.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::End("SIGTERM"),
            _ = self.interrupt.recv() => Told::End("SIGINT"),
            // A terminal that is gone takes with it what runs in it, as it always did.
            _ = self.hangup.recv() => match self.on_terminal && !io::stderr().is_terminal() {
                true => Told::End("SIGHUP"),
                false => Told::Reload,
            },
        }
    }

    /// Comes back with the next Ctrl-C.
    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) -> Told {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Told::End("Ctrl-C")
    }

    /// Comes back with the name of the next signal to go down; others are passed over.
    pub(crate) async fn end(&mut self) -> &'static str {
        loop {
            if let Told::End(signal) = self.next().await {
                return signal;
            }
        }
    }
}
