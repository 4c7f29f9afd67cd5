//! Opens a connection to the addresses that a grant reaches, and to no others.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::{TcpStream, lookup_host};

use super::EgressError;
use crate::destination::{Destination, Refusal, Target, admit};

/// Time to reach one address.
const ONE_ADDRESS: Duration = Duration::from_secs(3);
/// Addresses of a name that are tried.
const MAX_ADDRESSES: usize = 4;

/// Connects for one plugin.
#[derive(Debug, Clone)]
pub(super) struct Connector(pub(super) Arc<[Destination]>);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error(transparent)]
    Refused(Refusal),
    #[error("the name cannot be resolved")]
    Name,
    #[error("no address answers")]
    Connect(#[source] io::Error),
}

impl ConnectError {
    pub(super) fn to_egress(&self) -> EgressError {
        match self {
            Self::Refused(refusal) => EgressError::Refused(refusal.clone()),
            Self::Name => EgressError::Name,
            Self::Connect(error) if error.kind() == io::ErrorKind::TimedOut => EgressError::Timeout,
            Self::Connect(error) => {
                EgressError::Connect(io::Error::new(error.kind(), error.to_string()))
            }
        }
    }
}

type Connecting = Pin<Box<dyn Future<Output = Result<TokioIo<TcpStream>, ConnectError>> + Send>>;

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = ConnectError;
    type Future = Connecting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Connecting {
        // The grant is asked again here, where the connection is made: nothing that comes another way gets past it.
        let scheme = to.scheme_str().unwrap_or_default();
        let authority = to.authority().map_or("", http::uri::Authority::as_str);
        let target = admit(&self.0, scheme, authority);
        Box::pin(async move { connect(&target.map_err(ConnectError::Refused)?).await })
    }
}

async fn connect(target: &Target) -> Result<TokioIo<TcpStream>, ConnectError> {
    let resolved = match target.literal() {
        Some(address) => vec![(address, target.port).into()],
        None => {
            let name = target.host.to_string();
            let resolved = lookup_host((name, target.port)).await;
            resolved.map_err(|_| ConnectError::Name)?.collect()
        }
    };
    // What is connected to is exactly what was looked at: a second look at the name could find something else.
    let reachable = target.reachable(&resolved).map_err(ConnectError::Refused)?;
    let mut failed = ConnectError::Name;
    for address in reachable.into_iter().take(MAX_ADDRESSES) {
        match tokio::time::timeout(ONE_ADDRESS, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Without it small requests wait for each other's acknowledgement; that it fails changes nothing else.
                let _ = stream.set_nodelay(true);
                return Ok(TokioIo::new(stream));
            }
            Ok(Err(error)) => failed = ConnectError::Connect(error),
            Err(_) => failed = ConnectError::Connect(io::ErrorKind::TimedOut.into()),
        }
    }
    Err(failed)
}

/// TLS with the certificates that the system trusts.
pub(super) fn tls(is_needed: bool) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    // A system without certificates is none of the business of a plugin that speaks no TLS.
    Ok(if is_needed {
        builder.with_platform_verifier()?.with_no_client_auth()
    } else {
        builder
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth()
    })
}
