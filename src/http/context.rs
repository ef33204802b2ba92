//! What operations find with a request, besides what was sent.

use std::sync::Arc;

use poem::Request;
use uuid::Uuid;

use super::{
    metrics::LetIn,
    problem::{Answer, Kind},
};
use crate::{access::Access, app::App};

/// Put into every request at the edge, in one piece: each piece would be
/// another allocation a request.
#[derive(Clone)]
pub(super) struct Context {
    /// The request's id: the correlation id of all it leads to.
    pub(super) id: Uuid,
    pub(super) inside: Arc<Inside>,
}

/// What is the same for all requests.
pub(super) struct Inside {
    pub(super) app: App,
    pub(super) access: Arc<Access>,
    /// The origin of `PUBLIC_URL`: behind a proxy, `Host` may be another.
    pub(super) origin: Option<String>,
    pub(super) let_in: LetIn,
}

impl Inside {
    pub(super) fn new(app: &App, access: &Arc<Access>) -> Self {
        let origin = app.config.public_url.as_ref().map(|url| url.origin().ascii_serialization());
        Self { app: app.clone(), access: access.clone(), origin, let_in: LetIn::default() }
    }
}

impl Context {
    /// Of a request.
    ///
    /// # Errors
    /// [`Kind::Internal`] when it did not come through the edge.
    pub(super) fn of(request: &Request) -> Answer<&Self> {
        Ok(request.extensions().get().ok_or(Kind::Internal)?)
    }
}
