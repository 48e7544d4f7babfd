//! Ends a connection at a moment that its request named, however slowly the client takes the answer.

use std::{future::Future, sync::Arc};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// One connection's; its requests have it among their extensions.
#[derive(Debug, Clone)]
pub struct Leash(Arc<watch::Sender<Option<Instant>>>);

/// While it is there, the moment counts.
#[derive(Debug)]
pub struct Leashed(Leash);

impl Leash {
    /// A connection without an end.
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Ends the connection at `moment`, unless what it gives is dropped before.
    pub fn until(&self, moment: Instant) -> Leashed {
        self.0.send_replace(Some(moment));
        Leashed(self.clone())
    }

    /// Comes back when the connection is to be ended.
    pub(crate) fn over(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut moments = self.0.subscribe();
        async move {
            loop {
                let moment = *moments.borrow_and_update();
                let over = async {
                    match moment {
                        Some(moment) => sleep_until(moment).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = over => return,
                    // The connection holds its leash, and is what waits here.
                    changed = moments.changed() => if changed.is_err() { return },
                }
            }
        }
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        self.0.0.send_replace(None);
    }
}
