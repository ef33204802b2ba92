//! Drawing coupons and reading pictures, off the threads that serve, and within
//! a bound of memory whatever is asked at the same time.
//!
//! | what | at once | each at most |
//! |---|---|---|
//! | uploads whose bytes are in memory | 4 | 10 MiB, 20 while it grows |
//! | pictures being read | 1 | 300 MiB: an SVG of the largest size with all layers it may have |
//! | templates about to be drawn | 2 | 32 MiB |
//! | cards being drawn | 2 | 80 MiB |
//! | backgrounds kept for the next card | | 64 MiB in all |

mod coupon;
mod kept;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use aggregates::template::MediaType;
use bytes::Bytes;
use cards::{Background, Layout, RenderError, Renderer, UploadError, Values};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::integrations::storage::Key;
pub use coupon::{CardError, Lacking, SAMPLE_CODE, coupon, sample};
use kept::Kept;

/// Cards drawn at the same time: each keeps a core busy for some 20 ms.
const DRAWN_AT_ONCE: usize = 2;
/// Cards whose template is being fetched, read or drawn. A store that is slow
/// holds up cards with templates and no others.
const TEMPLATES_AT_ONCE: usize = 2;
/// Pictures read at the same time.
const READ_AT_ONCE: usize = 1;
/// Uploads that are let into memory at the same time.
const UPLOADS_AT_ONCE: usize = 4;
/// Bytes of the backgrounds that are kept.
const KEPT_BYTES: usize = 64 * 1024 * 1024;

/// Where pictures are in the object storage.
const FOLDER: &str = "templates";

/// Draws cards. Cheap to clone; fonts are parsed when the first card is drawn.
#[derive(Clone)]
pub struct Drawer(Arc<Inner>);

struct Inner {
    ready: OnceLock<Ready>,
    drawn: Arc<Semaphore>,
    templates: Arc<Semaphore>,
    read: Arc<Semaphore>,
    uploads: Arc<Semaphore>,
    kept: Mutex<Kept>,
}

struct Ready {
    renderer: Renderer,
    ticket: Background,
    layout: Layout,
}

/// What a card is drawn on.
pub enum Paper {
    /// Our own.
    Ticket,
    /// An uploaded one.
    Template {
        /// Read before.
        background: Arc<Background>,
        /// What is written where.
        layout: Layout,
        /// Until it is drawn.
        turn: Turn,
    },
}

/// A place among those who may hold much memory.
pub struct Turn {
    /// Given back when it is dropped.
    _place: OwnedSemaphorePermit,
}

/// A picture that can be a background.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Where it belongs in the object storage.
    pub key: Key,
    /// What it is, whatever it was called.
    pub media_type: MediaType,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
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

/// Why a picture is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Of what it is.
    #[error(transparent)]
    Refused(#[from] UploadError),
    /// The thread that read it is gone: the process is stopping, or the reading panicked.
    #[error("the reading was broken off")]
    BrokenOff,
}

impl Default for Drawer {
    fn default() -> Self {
        let places = |count| Arc::new(Semaphore::new(count));
        Self(Arc::new(Inner {
            ready: OnceLock::new(),
            drawn: places(DRAWN_AT_ONCE),
            templates: places(TEMPLATES_AT_ONCE),
            read: places(READ_AT_ONCE),
            uploads: places(UPLOADS_AT_ONCE),
            kept: Mutex::new(Kept::new(KEPT_BYTES)),
        }))
    }
}

impl Inner {
    fn ready(&self) -> &Ready {
        self.ready.get_or_init(|| {
            let renderer = Renderer::new();
            Ready { ticket: renderer.ticket(), layout: Layout::ticket(), renderer }
        })
    }

    /// The turn that nobody closes; none all the same would be the end of the process.
    async fn turn(places: &Arc<Semaphore>) -> Option<Turn> {
        places.clone().acquire_owned().await.ok().map(|place| Turn { _place: place })
    }
}

impl Drawer {
    /// Waits until an upload may be read into memory, and keeps the place for it.
    /// None when the process is stopping.
    pub async fn upload_turn(&self) -> Option<Turn> {
        Inner::turn(&self.0.uploads).await
    }

    /// Waits until a template may be fetched and drawn, and keeps the place for it.
    ///
    /// # Errors
    /// [`DrawError::BrokenOff`].
    pub async fn template_turn(&self) -> Result<Turn, DrawError> {
        Inner::turn(&self.0.templates).await.ok_or(DrawError::BrokenOff)
    }

    /// Draws a card as PNG, when it is its turn.
    ///
    /// # Errors
    /// [`DrawError`].
    pub async fn draw(&self, paper: Paper, values: Values) -> Result<Vec<u8>, DrawError> {
        let turn = Inner::turn(&self.0.drawn).await.ok_or(DrawError::BrokenOff)?;
        let inner = self.0.clone();
        let drawing = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let ready = inner.ready();
            match &paper {
                Paper::Ticket => ready.renderer.render(&ready.ticket, &ready.layout, &values),
                Paper::Template { background, layout, .. } => ready.renderer.render(background, layout, &values),
            }
        });
        Ok(drawing.await.map_err(|_| DrawError::BrokenOff)??)
    }

    /// Reads an upload with suspicion: all of it is decoded or drawn once.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn read(&self, bytes: Bytes) -> Result<Upload, ReadError> {
        self.reading(move |renderer| {
            let key = Key::of_content(FOLDER, &bytes).expect("FOLDER is the beginning of a key");
            let background = renderer.background(&bytes)?;
            let named = Background::media_type(&bytes);
            let known = MediaType::ALL.into_iter().find(|media_type| Some(media_type.as_str()) == named);
            let media_type = known.ok_or(UploadError::Format)?;
            Ok(Upload { key, media_type, width: background.width(), height: background.height() })
        })
        .await
    }

    /// A background that was read before and is still kept.
    fn kept(&self, object: &str) -> Option<Arc<Background>> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner).get(object)
    }

    /// Reads the background of an object and keeps it. None when these are not the bytes that
    /// its key was made of.
    async fn read_and_keep(&self, key: Key, bytes: Bytes) -> Result<Option<Arc<Background>>, ReadError> {
        let object = key.to_string();
        let read = self.reading(move |renderer| {
            let made = Key::of_content(FOLDER, &bytes);
            if made.is_ok_and(|made| made == key) { renderer.background(&bytes).map(Some) } else { Ok(None) }
        });
        let Some(background) = read.await?.map(Arc::new) else { return Ok(None) };
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner).put(&object, background.clone());
        Ok(Some(background))
    }

    async fn reading<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Renderer) -> Result<T, UploadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let turn = Inner::turn(&self.0.read).await.ok_or(ReadError::BrokenOff)?;
        let inner = self.0.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            read(&inner.ready().renderer)
        });
        Ok(reading.await.map_err(|_| ReadError::BrokenOff)??)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Duration, sleep};

    use super::*;

    /// On a runtime of one thread, somebody else goes on while a picture is read and a card is drawn.
    #[tokio::test]
    async fn the_thread_that_serves_goes_on() {
        let layer = "<g opacity='.9'><rect width='4096' height='2048' fill='red'/><circle r='900'/></g>";
        let drawing =
            format!("<svg xmlns='http://www.w3.org/2000/svg' width='4096' height='2048'>{}</svg>", layer.repeat(4));
        let drawer = Drawer::default();
        let work = async {
            let upload = drawer.read(Bytes::from(drawing.clone())).await.unwrap();
            assert_eq!((upload.media_type, upload.width, upload.height), (MediaType::Svg, 4096, 2048));
            let background = drawer.read_and_keep(upload.key.clone(), Bytes::from(drawing.clone())).await.unwrap();
            let background = background.unwrap();
            let kept = drawer.kept(upload.key.as_str()).unwrap();
            assert!(Arc::ptr_eq(&kept, &background));
            let layout = Layout::usual(upload.width, upload.height);
            let paper = Paper::Template { background, layout, turn: drawer.template_turn().await.unwrap() };
            let values = Values {
                code: "GOLD10".to_owned(),
                holder_name: None,
                validity: None,
                campaign_name: String::new(),
                benefit: String::new(),
                link: "https://t.me/promo_bot?start=GOLD10".to_owned(),
            };
            drawer.draw(paper, values).await.unwrap()
        };
        tokio::pin!(work);
        let mut ticks = 0;
        let card = loop {
            tokio::select! {
                biased;
                card = &mut work => break card,
                () = sleep(Duration::from_millis(1)) => ticks += 1,
            }
        };
        assert!(card.starts_with(b"\x89PNG"));
        // If the work were done here, there would be one at each of its three steps.
        assert!(ticks > 10, "{ticks}");
    }

    #[tokio::test]
    async fn bytes_that_a_key_was_not_made_of_are_no_background() {
        let drawer = Drawer::default();
        let bytes = |side: u32| {
            Bytes::from(format!("<svg xmlns='http://www.w3.org/2000/svg' width='{side}' height='{side}'/>"))
        };
        let upload = drawer.read(bytes(200)).await.unwrap();
        assert!(drawer.read_and_keep(upload.key.clone(), bytes(201)).await.unwrap().is_none());
        assert!(drawer.kept(upload.key.as_str()).is_none());
    }
}
