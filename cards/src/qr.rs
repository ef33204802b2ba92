//! QR codes: dark on a white plate.

use qrcode::{Color, EcLevel, QrCode};
use resvg::tiny_skia::{FillRule, Paint, PixmapMut, Rect, Transform};

use crate::{RenderError, plate};

/// Light modules around the code, as ISO/IEC 18004 wants them.
const QUIET: u32 = 4;

/// Fewest pixels to a module that a camera still tells apart on a screen.
const LEAST_MODULE: u32 = 2;

/// Draws `link` in the middle of a box of pixels. Every module is the same
/// whole number of pixels, so no edge is blurred.
///
/// # Errors
/// The link is too long for a box of this size.
pub(crate) fn draw(link: &str, [x, y, width, height]: [u32; 4], pixmap: &mut PixmapMut) -> Result<(), RenderError> {
    let side = width.min(height);
    let too_long = || RenderError::Link { bytes: link.len(), side };
    let code = QrCode::with_error_correction_level(link, EcLevel::M).map_err(|_| too_long())?;
    let count = u32::try_from(code.width()).map_err(|_| too_long())?;
    let module = side / (count + 2 * QUIET);
    if module < LEAST_MODULE {
        return Err(too_long());
    }
    let (left, top) = (x + (width - side) / 2, y + (height - side) / 2);
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color_rgba8(255, 255, 255, 255);
    if let Some(plate) = plate::rounded(left as f32, top as f32, side as f32, side as f32, (module * 3) as f32) {
        pixmap.fill_path(&plate, &paint, FillRule::Winding, Transform::identity(), None);
    }
    paint.set_color_rgba8(0x14, 0x16, 0x22, 255);
    paint.anti_alias = false;
    let inset = (side - count * module) / 2;
    for (index, colour) in (0..).zip(code.to_colors()) {
        let (column, row) = (index % count, index / count);
        let (x, y) = (left + inset + column * module, top + inset + row * module);
        let square = Rect::from_xywh(x as f32, y as f32, module as f32, module as f32);
        if let (Color::Dark, Some(square)) = (colour, square) {
            pixmap.fill_rect(square, &paint, Transform::identity(), None);
        }
    }
    Ok(())
}
