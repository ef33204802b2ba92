//! The layout a fresh upload has, so that it works at once.

use crate::{Align, Content, Face, Field, Layout};

/// Side of the QR code as a share of the background's shorter side.
const CODE_SHARE: f32 = 0.42;

/// Dark enough on white for every eye.
const INK: &str = "#141622";

/// The rows of text beside or below the QR code: what, its height, the size of
/// its letters, both as shares of the code's side, and whether it is bold. The
/// longest code, 32 characters, has room in two lines.
const ROWS: [(Content, f32, f32, Face, bool); 3] = [
    (Content::Code, 0.26, 0.1, Face::Mono, true),
    (Content::HolderName, 0.15, 0.085, Face::Sans, true),
    (Content::Validity, 0.2, 0.07, Face::Sans, false),
];

impl Layout {
    /// A layout for any background of `width` × `height` pixels: QR code, code,
    /// holder's name and validity on a white plate, which makes them legible
    /// whatever is under it. On a wide background the plate is a stub at the
    /// right; on a high one it lies at the bottom.
    ///
    /// It passes [`Layout::check`] for every background there can be.
    #[must_use]
    pub fn usual(width: u32, height: u32) -> Self {
        let shorter = width.min(height);
        let code = ((shorter as f32 * CODE_SHARE) as u32).max(Self::SMALLEST_QR);
        let margin = shorter / 28;
        let lying = width - 2 * margin.min(width / 2);
        // Beside the code, the texts want as much room as it has.
        if height > width && lying >= 2 * code + 3 * (code / 14) {
            return Self::lying(width, height, code, margin);
        }
        Self::stub(width, height, code, margin)
    }

    /// The code on top, as wide as the plate: it has a margin of its own.
    fn stub(width: u32, height: u32, code: u32, margin: u32) -> Self {
        let rows: u32 = ROWS.iter().map(|(_, share, ..)| of(code, *share)).sum();
        let padding = (code / 14).min(height.saturating_sub(code + rows) / 3).max(1);
        let wide = code + 2 * padding;
        let high = wide + rows + padding;
        let x = if height > width { (width - wide) / 2 } else { width - wide - margin.min(width - wide) };
        let y = if height > width { height - high - margin.min(height - high) } else { (height - high) / 2 };
        let mut fields = vec![plate([x, y, wide, high]), qr([x, y, wide, wide])];
        write(&mut fields, Align::Centre, [x + padding, y + wide, code], code);
        Self { fields }
    }

    /// The code at the left, as high as the plate.
    fn lying(width: u32, height: u32, code: u32, margin: u32) -> Self {
        let padding = code / 14;
        let (x, wide, high) = (margin, width - 2 * margin, code + 2 * padding);
        let y = height - high - margin.min(height - high);
        let rows: u32 = ROWS.iter().map(|(_, share, ..)| of(code, *share)).sum();
        let mut fields = vec![plate([x, y, wide, high]), qr([x, y, high, high])];
        let left = x + high;
        let texts = [left, y + (high - rows) / 2, x + wide - padding - left];
        write(&mut fields, Align::Left, texts, code);
        Self { fields }
    }
}

/// Puts the rows of text below each other.
fn write(fields: &mut Vec<Field>, align: Align, [x, mut y, width]: [u32; 3], code: u32) {
    for (shows, share, letters, face, bold) in ROWS {
        let height = of(code, share);
        let font_size = of(code, letters).clamp(*Layout::FONT_SIZES.start(), *Layout::FONT_SIZES.end());
        let at = [x, y, width, height];
        fields.push(Field { align, face, bold, font_size, ..field(shows, at, INK) });
        y += height;
    }
}

fn of(code: u32, share: f32) -> u32 {
    (code as f32 * share) as u32
}

fn plate(at: [u32; 4]) -> Field {
    field(Content::Plate, at, "#ffffff")
}

fn qr(at: [u32; 4]) -> Field {
    field(Content::Qr, at, "#000000")
}

fn field(shows: Content, [x, y, width, height]: [u32; 4], colour: &str) -> Field {
    Field {
        shows,
        x,
        y,
        width,
        height,
        font_size: 32,
        colour: colour.to_owned(),
        align: Align::Left,
        face: Face::Sans,
        bold: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_background_has_a_layout_that_fits() {
        let sides = || (200..=4096).step_by(7).chain([201, 285, 286, 1080, 1920, 4095, 4096]);
        for width in sides() {
            for height in sides() {
                let layout = Layout::usual(width, height);
                assert_eq!(layout.check(width, height), Ok(()), "{width} x {height}");
                let plate = &layout.fields[0];
                for field in &layout.fields[1..] {
                    let (right, bottom) = (field.x + field.width, field.y + field.height);
                    let inside = field.x >= plate.x && right <= plate.x + plate.width;
                    let inside = inside && field.y >= plate.y && bottom <= plate.y + plate.height;
                    assert!(inside, "{width} x {height}: {:?} leaves the plate", field.shows);
                }
            }
        }
    }
}
