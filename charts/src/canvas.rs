//! The paper, and what is drawn on it.

use std::sync::LazyLock;

use cards::{
    Anchor, Face, Letters, Style, encode, rounded,
    tiny_skia::{
        Color, ColorU8, FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, StrokeDash,
        Transform,
    },
};

use crate::{Error, HEIGHT, WIDTH, palette};

/// Parsed once; they never change.
static LETTERS: LazyLock<Letters> = LazyLock::new(Letters::new);

pub(crate) type Rgb = [u8; 3];

/// A picture in the making. Coordinates are pixels from the top left.
pub(crate) struct Canvas {
    pixmap: Pixmap,
}

pub(crate) fn colour([red, green, blue]: Rgb, alpha: f32) -> Color {
    Color::from_rgba8(red, green, blue, (alpha.clamp(0.0, 1.0) * 255.0).round() as u8)
}

fn paint(rgb: Rgb, alpha: f32) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color(colour(rgb, alpha));
    paint
}

impl Canvas {
    /// A dark one, lighter at the top.
    pub(crate) fn new() -> Result<Self, Error> {
        let mut pixmap = Pixmap::new(WIDTH, HEIGHT).ok_or(Error::Room)?;
        // By rows, not by a shader: the same, at a fraction of the time.
        for (y, row) in pixmap.pixels_mut().chunks_exact_mut(WIDTH as usize).enumerate() {
            let share = y as f32 / HEIGHT as f32;
            let mix =
                |top: u8, bottom: u8| (f32::from(top) + (f32::from(bottom) - f32::from(top)) * share).round() as u8;
            let [red, green, blue] = [0, 1, 2].map(|channel| mix(palette::SKY[channel], palette::GROUND[channel]));
            row.fill(ColorU8::from_rgba(red, green, blue, 255).premultiply());
        }
        Ok(Self { pixmap })
    }

    pub(crate) fn finish(self) -> Result<Vec<u8>, Error> {
        encode(&self.pixmap).map_err(Error::Encode)
    }

    /// A box from one corner to the other, in whichever order.
    pub(crate) fn rect(&mut self, x: [f32; 2], y: [f32; 2], rgb: Rgb, alpha: f32) {
        let (left, right) = (x[0].min(x[1]), x[0].max(x[1]));
        let (top, bottom) = (y[0].min(y[1]), y[0].max(y[1]));
        if let Some(rect) = Rect::from_ltrb(left, top, right, bottom) {
            self.pixmap.fill_rect(rect, &paint(rgb, alpha), Transform::identity(), None);
        }
    }

    /// A box of whole pixels, with crisp edges.
    pub(crate) fn crisp(&mut self, x: [f32; 2], y: [f32; 2], rgb: Rgb) {
        self.rect(x.map(f32::round), y.map(f32::round), rgb, 1.0);
    }

    /// A horizontal line, `width` whole pixels thick, crisp; dashed as `dash` has it.
    pub(crate) fn level(&mut self, x: [f32; 2], y: f32, width: f32, dash: Option<[f32; 2]>, rgb: Rgb, alpha: f32) {
        let top = (y - width / 2.0).round();
        let Some([on, off]) = dash else {
            return self.rect(x, [top, top + width], rgb, alpha);
        };
        let mut from = x[0];
        while from < x[1] {
            self.rect([from, (from + on).min(x[1])], [top, top + width], rgb, alpha);
            from += on + off;
        }
    }

    /// A vertical line, like [`level`](Self::level).
    pub(crate) fn upright(&mut self, x: f32, y: [f32; 2], width: f32, dash: Option<[f32; 2]>, rgb: Rgb, alpha: f32) {
        let left = (x - width / 2.0).round();
        let Some([on, off]) = dash else {
            return self.rect([left, left + width], y, rgb, alpha);
        };
        let mut from = y[0];
        while from < y[1] {
            self.rect([left, left + width], [from, (from + on).min(y[1])], rgb, alpha);
            from += on + off;
        }
    }

    /// A line from point to point.
    pub(crate) fn polyline(&mut self, points: &[[f32; 2]], width: f32, dash: Option<[f32; 2]>, rgb: Rgb, alpha: f32) {
        let Some(path) = through(points) else { return };
        let dash = dash.and_then(|[on, off]| StrokeDash::new(vec![on, off], 0.0));
        let stroke = Stroke { width, line_join: LineJoin::Round, line_cap: LineCap::Round, dash, ..Stroke::default() };
        self.pixmap.stroke_path(&path, &paint(rgb, alpha), &stroke, Transform::identity(), None);
    }

    /// A filled circle with a dark rim, which keeps it apart from candles.
    pub(crate) fn dot(&mut self, x: f32, y: f32, radius: f32, rgb: Rgb) {
        for (radius, rgb) in [(radius + 3.0, palette::DARK), (radius, rgb)] {
            if let Some(circle) = PathBuilder::from_circle(x, y, radius) {
                self.pixmap.fill_path(&circle, &paint(rgb, 1.0), FillRule::Winding, Transform::identity(), None);
            }
        }
    }

    /// A triangle whose tip is at a point; `height` is negative for one that hangs down from it.
    pub(crate) fn arrow(&mut self, x: f32, y: f32, height: f32, rgb: Rgb) {
        let half = height.abs() * 0.62;
        let mut path = PathBuilder::new();
        path.move_to(x, y);
        path.line_to(x + half, y + height);
        path.line_to(x - half, y + height);
        path.close();
        if let Some(path) = path.finish() {
            let stroke = Stroke { width: 5.0, line_join: LineJoin::Round, ..Stroke::default() };
            self.pixmap.stroke_path(&path, &paint(palette::DARK, 1.0), &stroke, Transform::identity(), None);
            self.pixmap.fill_path(&path, &paint(rgb, 1.0), FillRule::Winding, Transform::identity(), None);
        }
    }

    /// A box with round corners.
    pub(crate) fn plate(&mut self, [x, y, width, height]: [f32; 4], rgb: Rgb, alpha: f32) {
        if let Some(path) = rounded(x, y, width, height, (height / 4.0).min(width / 2.0)) {
            self.pixmap.fill_path(&path, &paint(rgb, alpha), FillRule::Winding, Transform::identity(), None);
        }
    }

    /// A line of text whose capitals have their middle at `y`.
    pub(crate) fn text(&mut self, text: &str, size: f32, bold: bool, rgb: Rgb, anchor: Anchor, [x, y]: [f32; 2]) {
        LETTERS.write(&mut self.pixmap.as_mut(), text, style(size, bold, rgb), anchor, x, y);
    }

    /// A text on a plate that is as wide as it needs to be, `height` high, with its left end at `x`.
    /// Answers where it ends.
    pub(crate) fn pill(
        &mut self,
        text: &str,
        size: f32,
        height: f32,
        [x, y]: [f32; 2],
        plate: (Rgb, f32),
        ink: Rgb,
    ) -> f32 {
        let width = width(text, size, true) + height * 0.6;
        self.plate([x, y - height / 2.0, width, height], plate.0, plate.1);
        self.text(text, size, true, ink, Anchor::Centre, [x + width / 2.0, y]);
        x + width
    }
}

fn style(size: f32, bold: bool, rgb: Rgb) -> Style {
    Style { face: Face::Sans, size, bold, colour: colour(rgb, 1.0) }
}

/// How wide a text is, in pixels.
pub(crate) fn width(text: &str, size: f32, bold: bool) -> f32 {
    LETTERS.width(text, style(size, bold, palette::WHITE))
}

/// A path through points.
fn through(points: &[[f32; 2]]) -> Option<Path> {
    let [first, rest @ ..] = points else { return None };
    let mut path = PathBuilder::new();
    path.move_to(first[0], first[1]);
    for [x, y] in rest {
        path.line_to(*x, *y);
    }
    path.finish()
}
