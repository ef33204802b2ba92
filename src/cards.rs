//! Drawing coupons, off the threads that serve.

use std::sync::{Arc, OnceLock};

use cards::{Background, Layout, RenderError, Renderer, Values};
use tokio::sync::Semaphore;

/// Cards drawn at the same time: each keeps a core busy for some 20 ms.
const AT_ONCE: usize = 2;

/// Draws cards. Cheap to clone; fonts are parsed when the first card is drawn.
#[derive(Clone)]
pub struct Drawer {
    ready: Arc<OnceLock<Ready>>,
    turns: Arc<Semaphore>,
}

struct Ready {
    renderer: Renderer,
    ticket: Background,
    layout: Layout,
}

/// Why there is no card.
#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    /// It could not be drawn.
    #[error("the card could not be drawn")]
    Render(#[from] RenderError),
    /// The thread that drew it is gone: the process is stopping, or the drawing panicked.
    #[error("the drawing was broken off")]
    BrokenOff,
}

impl Default for Drawer {
    fn default() -> Self {
        Self { ready: Arc::default(), turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Drawer {
    /// Draws a card as PNG, when it is its turn.
    ///
    /// # Errors
    /// [`DrawError`].
    pub async fn draw(&self, values: Values) -> Result<Vec<u8>, DrawError> {
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| DrawError::BrokenOff)?;
        let ready = self.ready.clone();
        let drawing = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let Ready { renderer, ticket, layout } = ready.get_or_init(|| {
                let renderer = Renderer::new();
                Ready { ticket: renderer.ticket(), layout: Layout::ticket(), renderer }
            });
            renderer.render(ticket, layout, &values)
        });
        Ok(drawing.await.map_err(|_| DrawError::BrokenOff)??)
    }
}
