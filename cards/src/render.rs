//! Draws cards.

use png::EncodingError;
use resvg::tiny_skia::{FillRule, LineJoin, Mask, Paint, PathBuilder, PixmapMut, Rect, Stroke, Transform};

use crate::{
    Align, Background, Content, Field, InvalidLayout, Layout, UploadError,
    encode::encode,
    fit::{self, LEADING},
    fonts::{EMOJI, Fonts},
    layout,
    letters::{BOLD, CAPITAL, Pen},
    plate, qr, ticket,
};

/// The radius of a plate's corners goes so often into its shorter side.
const PLATE_CORNER: f32 = 14.0;

/// What a card says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// The coupon's code.
    pub code: String,
    /// To whom it belongs.
    pub holder_name: Option<String>,
    /// Until when it can be redeemed, in words.
    pub validity: Option<String>,
    /// The campaign's name.
    pub campaign_name: String,
    /// What the holder gets, in words.
    pub benefit: String,
    /// Where the QR code leads.
    pub link: String,
}

/// What keeps a card from being drawn.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The layout does not fit the background.
    #[error(transparent)]
    Layout(#[from] InvalidLayout),
    /// The QR code would be too fine to read.
    #[error("a link of {bytes} bytes is too long for a QR code of {side} pixels")]
    Link {
        /// Length of the link.
        bytes: usize,
        /// Side of the code's box.
        side: u32,
    },
    /// The picture could not be written as PNG.
    #[error("encoding the card failed")]
    Encode(#[source] EncodingError),
}

/// Draws cards. Building it parses the fonts; build it once.
pub struct Renderer {
    pub(crate) fonts: Fonts,
}

impl std::fmt::Debug for Renderer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Renderer").finish_non_exhaustive()
    }
}

impl Default for Renderer {
    fn default() -> Self {
        Self::new()
    }
}

impl Renderer {
    /// A renderer with the fonts of the binary.
    pub fn new() -> Self {
        Self { fonts: Fonts::bundled() }
    }

    /// Reads an uploaded background; see [`Background::read`].
    ///
    /// # Errors
    /// As there.
    pub fn background(&self, bytes: &[u8]) -> Result<Background, UploadError> {
        Background::read(bytes, self)
    }

    /// The background of campaigns without one of their own; its layout is [`Layout::ticket`].
    pub fn ticket(&self) -> Background {
        self.background(ticket::svg().as_bytes()).expect("we draw it ourselves, and a test reads it")
    }

    /// Draws a card and returns it as PNG. The same input gives the same bytes.
    ///
    /// No text is refused: what no font can draw is a box, what has no look is left out.
    ///
    /// # Errors
    /// The layout does not fit the background, or the link does not fit the QR code.
    pub fn render(&self, background: &Background, layout: &Layout, values: &Values) -> Result<Vec<u8>, RenderError> {
        layout.check(background.width(), background.height())?;
        let mut pixmap = background.pixmap().clone();
        for field in &layout.fields {
            let text = match &field.shows {
                Content::Code => Some(&values.code),
                Content::HolderName => values.holder_name.as_ref(),
                Content::Validity => values.validity.as_ref(),
                Content::CampaignName => Some(&values.campaign_name),
                Content::Benefit => Some(&values.benefit),
                Content::Text(text) => Some(text),
                Content::Plate => {
                    lay(field, &mut pixmap.as_mut());
                    None
                }
                Content::Qr => {
                    qr::draw(&values.link, [field.x, field.y, field.width, field.height], &mut pixmap.as_mut())?;
                    None
                }
            };
            if let Some(text) = text {
                self.write(text, field, &mut pixmap.as_mut());
            }
        }
        encode(&pixmap).map_err(RenderError::Encode)
    }

    fn write(&self, text: &str, field: &Field, pixmap: &mut PixmapMut) {
        let (x, y, width, height) = (field.x as f32, field.y as f32, field.width as f32, field.height as f32);
        // Bold letters reach half a stroke further on either side.
        let stroke = if field.bold { BOLD * field.font_size as f32 } else { 0.0 };
        let (left, room) = (x + stroke / 2.0, width - stroke);
        let fitted = fit::fit(text, field.face, &self.fonts, room, height, field.font_size as f32);
        let size = fitted.size;
        let top = y + (height - size * LEADING * fitted.lines.len() as f32) / 2.0;
        // Emoji are drawings already; thicker lines would fill them in.
        let (mut letters, mut emoji) = (Pen::default(), Pen::default());
        for (index, line) in fitted.lines.iter().enumerate() {
            let slack = room - line.width * size;
            let start = match field.align {
                Align::Left => left,
                Align::Centre => left + slack / 2.0,
                Align::Right => left + slack,
            };
            let baseline = top + size * (LEADING * (index as f32 + 0.5) + CAPITAL / 2.0);
            for glyph in &line.glyphs {
                let pen = if glyph.font == EMOJI { &mut emoji } else { &mut letters };
                (pen.x, pen.y) = (start + glyph.x * size, baseline - glyph.y * size);
                self.fonts.outline(*glyph, size, pen);
            }
        }
        let paint = paint(field);
        for (pen, bold) in [(letters, field.bold), (emoji, false)] {
            let Some(path) = pen.path.finish() else { continue };
            // Marks piled on a letter may leave the box, but not draw over its neighbours.
            let ink = path.bounds();
            let sideways = ink.left() < x - size || ink.right() > x + width + size;
            let spills = sideways || ink.top() < y || ink.bottom() > y + height;
            let mask = if spills { mask(pixmap, x, y, width, height) } else { None };
            pixmap.fill_path(&path, &paint, FillRule::Winding, Transform::identity(), mask.as_ref());
            if bold {
                let stroke = Stroke { width: BOLD * size, line_join: LineJoin::Round, ..Stroke::default() };
                pixmap.stroke_path(&path, &paint, &stroke, Transform::identity(), mask.as_ref());
            }
        }
    }
}

/// Lays a plate.
fn lay(field: &Field, pixmap: &mut PixmapMut) {
    let (x, y, width, height) = (field.x as f32, field.y as f32, field.width as f32, field.height as f32);
    let radius = width.min(height) / PLATE_CORNER;
    if let Some(plate) = plate::rounded(x, y, width, height, radius) {
        pixmap.fill_path(&plate, &paint(field), FillRule::Winding, Transform::identity(), None);
    }
}

/// In the field's colour.
fn paint(field: &Field) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    let [red, green, blue] = layout::rgb(&field.colour).unwrap_or_default();
    paint.set_color_rgba8(red, green, blue, 255);
    paint
}

/// Lets only a box through.
fn mask(pixmap: &PixmapMut, x: f32, y: f32, width: f32, height: f32) -> Option<Mask> {
    let mut mask = Mask::new(pixmap.width(), pixmap.height())?;
    let inside = PathBuilder::from_rect(Rect::from_xywh(x, y, width, height)?);
    mask.fill_path(&inside, FillRule::Winding, false, Transform::identity());
    Some(mask)
}
