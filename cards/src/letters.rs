//! Single lines of text, for pictures that are no cards.

use resvg::tiny_skia::{Color, FillRule, LineJoin, Paint, PathBuilder, PixmapMut, Stroke, Transform};
use skrifa::outline::OutlinePen;

use crate::{
    Face,
    fonts::{EMOJI, Fonts},
    text::Clusters,
};

/// Height of a capital letter in ems; what is centred are the capitals.
pub(crate) const CAPITAL: f32 = 0.69;

/// How much thicker the strokes of bold letters are, in ems.
pub(crate) const BOLD: f32 = 0.042;

/// The fonts of the binary, ready to write with. Building it parses them; build it once.
pub struct Letters {
    fonts: Fonts,
}

/// How a line looks.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// The typeface.
    pub face: Face,
    /// In pixels.
    pub size: f32,
    /// Whether its strokes are thicker.
    pub bold: bool,
    /// Its colour.
    pub colour: Color,
}

/// Which point of a line is placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Its left end.
    Left,
    /// Its middle.
    Centre,
    /// Its right end.
    Right,
}

impl Letters {
    /// With the fonts of the binary.
    #[must_use]
    pub fn new() -> Self {
        Self { fonts: Fonts::bundled() }
    }

    /// How wide a line is, in pixels.
    #[must_use]
    pub fn width(&self, text: &str, style: Style) -> f32 {
        let clusters = Clusters::read(text, style.face, &self.fonts);
        clusters.line(0..clusters.len(), &self.fonts).width * style.size
    }

    /// Writes any text at all on one line. The middle of its capitals is at `y`.
    pub fn write(&self, pixmap: &mut PixmapMut, text: &str, style: Style, anchor: Anchor, x: f32, y: f32) {
        let Style { face, size, bold, colour } = style;
        let clusters = Clusters::read(text, face, &self.fonts);
        let line = clusters.line(0..clusters.len(), &self.fonts);
        let left = match anchor {
            Anchor::Left => x,
            Anchor::Centre => x - line.width * size / 2.0,
            Anchor::Right => x - line.width * size,
        };
        let baseline = y + size * CAPITAL / 2.0;
        // Emoji are drawings already; thicker lines would fill them in.
        let (mut letters, mut emoji) = (Pen::default(), Pen::default());
        for glyph in &line.glyphs {
            let pen = if glyph.font == EMOJI { &mut emoji } else { &mut letters };
            (pen.x, pen.y) = (left + glyph.x * size, baseline - glyph.y * size);
            self.fonts.outline(*glyph, size, pen);
        }
        let mut paint = Paint { anti_alias: true, ..Paint::default() };
        paint.set_color(colour);
        for (pen, bold) in [(letters, bold), (emoji, false)] {
            let Some(path) = pen.path.finish() else { continue };
            pixmap.fill_path(&path, &paint, FillRule::Winding, Transform::identity(), None);
            if bold {
                let stroke = Stroke { width: BOLD * size, line_join: LineJoin::Round, ..Stroke::default() };
                pixmap.stroke_path(&path, &paint, &stroke, Transform::identity(), None);
            }
        }
    }
}

impl Default for Letters {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Letters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Letters").finish_non_exhaustive()
    }
}

/// Gathers outlines, which have y upwards, in a path, which has it downwards.
#[derive(Default)]
pub(crate) struct Pen {
    pub(crate) path: PathBuilder,
    pub(crate) x: f32,
    pub(crate) y: f32,
}

impl OutlinePen for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.path.move_to(self.x + x, self.y - y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.path.line_to(self.x + x, self.y - y);
    }

    fn quad_to(&mut self, cx: f32, cy: f32, x: f32, y: f32) {
        self.path.quad_to(self.x + cx, self.y - cy, self.x + x, self.y - y);
    }

    fn curve_to(&mut self, cx0: f32, cy0: f32, cx1: f32, cy1: f32, x: f32, y: f32) {
        self.path.cubic_to(self.x + cx0, self.y - cy0, self.x + cx1, self.y - cy1, self.x + x, self.y - y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}
