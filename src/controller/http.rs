//! `/metrics`, `/healthz` and `/readyz`.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Router,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;

/// Whether the caches are filled, so that passes can be made.
#[derive(Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// From now on `/readyz` says ok.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Serves until `stop`. `address_file`, if any, is told the address that was bound.
///
/// # Errors
/// Where the address cannot be bound, or the file not be written.
pub async fn serve(
    address: SocketAddr,
    address_file: Option<&Path>,
    metrics: Arc<Metrics>,
    ready: Readiness,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    if let Some(file) = address_file {
        // By rename: whoever waits for the file finds all of it.
        let partial = file.with_extension("partial");
        std::fs::write(&partial, bound.to_string())?;
        std::fs::rename(&partial, file)?;
    }
    tracing::info!(address = %bound, "serving /metrics, /healthz and /readyz");
    let text = move || async move {
        match metrics.encode() {
            Ok(text) => ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response(),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        }
    };
    let readyz =
        move || async move { if ready.get() { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "caches are filling") } };
    let app = Router::new().route("/metrics", get(text)).route("/healthz", get(|| async { "ok" })).route("/readyz", get(readyz));
    axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await
}
