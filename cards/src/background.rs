//! Reads what is uploaded as the background of cards.

use resvg::tiny_skia::{Color, Pixmap, PixmapPaint, Transform};

use crate::{
    JpegError, Renderer,
    raster::{self, Limits},
    svg::{self, SvgError},
};

/// A background, read and drawn, without transparency.
#[derive(Clone)]
pub struct Background {
    pixmap: Pixmap,
}

/// Why a file is not taken as a background.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// Neither PNG nor JPEG nor SVG, whatever it is called.
    #[error("only PNG, JPEG and SVG images are accepted")]
    Format,
    /// More than [`Background::MOST_BYTES`].
    #[error("the file has {bytes} bytes; at most {} are accepted", Background::MOST_BYTES)]
    Bytes {
        /// Its length.
        bytes: usize,
    },
    /// A side is not within [`Background::SIDES`].
    #[error("the image has {width} x {height} pixels; each side must have {least} to {most}")]
    Sides {
        /// In pixels, as the file says.
        width: u32,
        /// In pixels, as the file says.
        height: u32,
        /// Fewest.
        least: u32,
        /// Most.
        most: u32,
    },
    /// More than [`Background::MOST_PIXELS`].
    #[error("the image has {width} x {height} pixels; at most {most} are accepted in all")]
    Pixels {
        /// In pixels, as the file says.
        width: u32,
        /// In pixels, as the file says.
        height: u32,
        /// Most.
        most: u32,
    },
    /// A PNG that is truncated or corrupt.
    #[error("the PNG image is truncated or corrupt")]
    Png(#[source] png::DecodingError),
    /// A JPEG that is truncated or corrupt.
    #[error(transparent)]
    Jpeg(#[from] JpegError),
    /// An SVG that does more than draw, or cannot be drawn.
    #[error(transparent)]
    Svg(#[from] SvgError),
}

impl Background {
    /// Most bytes of a file: 10 MiB.
    pub const MOST_BYTES: usize = 10 * 1024 * 1024;
    /// Most bytes of an SVG: 1 MiB.
    pub const MOST_SVG_BYTES: usize = 1024 * 1024;
    /// Width and height, in pixels.
    pub const SIDES: std::ops::RangeInclusive<u32> = 200..=4096;
    /// Most pixels in all; four bytes each are held.
    pub const MOST_PIXELS: u32 = 8 * 1024 * 1024;

    /// What the bytes claim to be by their beginning: `image/png`, `image/jpeg`
    /// or `image/svg+xml`. None of it is [`UploadError::Format`].
    #[must_use]
    pub fn media_type(bytes: &[u8]) -> Option<&'static str> {
        match raster::Format::of(bytes) {
            Some(raster::Format::Png) => Some("image/png"),
            Some(raster::Format::Jpeg) => Some("image/jpeg"),
            None if svg::looks_like(bytes) => Some("image/svg+xml"),
            None => None,
        }
    }

    /// Reads a PNG, JPEG or SVG image, told apart by its first bytes. The
    /// size is judged before anything is decoded; then all of it is decoded,
    /// so what is accepted can be drawn. Transparent parts become white.
    ///
    /// An SVG is drawn here, once. It may contain shapes, gradients, texts in
    /// the fonts of the binary, clips, masks, and PNG and JPEG images as data
    /// URLs; see [`SvgError`] for what it may not.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn read(bytes: &[u8], renderer: &Renderer) -> Result<Self, UploadError> {
        if bytes.len() > Self::MOST_BYTES {
            return Err(UploadError::Bytes { bytes: bytes.len() });
        }
        let limits = Limits { sides: Self::SIDES, pixels: Self::MOST_PIXELS };
        let drawn = match raster::Format::of(bytes) {
            Some(format) => raster::decode(format, bytes, &limits)?,
            None if svg::looks_like(bytes) => svg::draw(bytes, &limits, &renderer.fonts)?,
            None => return Err(UploadError::Format),
        };
        Ok(Self { pixmap: opaque(drawn) })
    }

    /// In pixels.
    pub fn width(&self) -> u32 {
        self.pixmap.width()
    }

    /// In pixels.
    pub fn height(&self) -> u32 {
        self.pixmap.height()
    }

    /// Bytes of memory it takes.
    pub fn weight(&self) -> usize {
        self.pixmap.data().len()
    }

    pub(crate) fn pixmap(&self) -> &Pixmap {
        &self.pixmap
    }
}

impl std::fmt::Debug for Background {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Background").field("width", &self.width()).field("height", &self.height()).finish()
    }
}

/// Puts white paper under it.
fn opaque(drawn: Pixmap) -> Pixmap {
    let whole = drawn.pixels().iter().all(|pixel| pixel.alpha() == 255);
    match Pixmap::new(drawn.width(), drawn.height()) {
        Some(mut paper) if !whole => {
            paper.fill(Color::WHITE);
            paper.draw_pixmap(0, 0, drawn.as_ref(), &PixmapPaint::default(), Transform::identity(), None);
            paper
        }
        _ => drawn,
    }
}
