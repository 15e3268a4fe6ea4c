//! The answer's body: all at once, or line by line for a watch.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::Frame;
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};

use super::{Cluster, Kind};

/// What the API server sends.
pub enum Answer {
    Once(Option<Bytes>),
    Lines(mpsc::UnboundedReceiver<Bytes>),
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = match &mut *self {
            Self::Once(bytes) => bytes.take(),
            Self::Lines(lines) => match lines.poll_recv(cx) {
                Poll::Ready(line) => line,
                Poll::Pending => return Poll::Pending,
            },
        };
        Poll::Ready(bytes.map(|b| Ok(Frame::data(b))))
    }
}

/// One watch.
pub struct Watch {
    pub kind: Kind,
    pub from: u64,
    /// When the server ends it.
    pub until: Instant,
    /// Only metadata is sent.
    pub meta: bool,
    /// How late each event is.
    pub late: Duration,
    /// Ends with the server: it counts its starts.
    pub restarts: watch::Receiver<u64>,
}

impl Watch {
    /// Sends what happens until it ends.
    pub async fn run(mut self, cluster: std::sync::Arc<Cluster>, lines: mpsc::UnboundedSender<Bytes>) {
        let mut versions = cluster.versions();
        loop {
            versions.borrow_and_update();
            match self.news(&cluster) {
                Ok(news) if news.is_empty() => {}
                Ok(news) => {
                    if !self.late.is_zero() {
                        sleep(self.late).await;
                        // What came meanwhile comes later.
                        versions.mark_changed();
                    }
                    for line in news {
                        if self.restarts.has_changed().unwrap_or(true) || lines.send(line).is_err() {
                            return;
                        }
                    }
                }
                Err(gone) => return drop(lines.send(gone)),
            }
            tokio::select! {
                biased;
                _ = self.restarts.changed() => return,
                () = lines.closed() => return,
                () = sleep_until(self.until) => return,
                changed = versions.changed() => if changed.is_err() { return },
            }
        }
    }

    /// The lines since the last ones; an error where the server remembers no longer.
    fn news(&mut self, cluster: &Cluster) -> Result<Vec<Bytes>, Bytes> {
        let state = cluster.state();
        if self.from < state.compacted {
            let status = super::api::status(410, "Expired", "too old resource version");
            return Err(line("ERROR", &status));
        }
        let news = state.log.iter().filter(|c| c.version > self.from && c.kind == self.kind);
        let news = news.map(|c| line(c.how, &if self.meta { super::api::partial(&c.object) } else { c.object.clone() })).collect();
        self.from = state.version;
        Ok(news)
    }
}

fn line(how: &str, object: &Value) -> Bytes {
    let mut text = json!({ "type": how, "object": object }).to_string();
    text.push('\n');
    text.into()
}
