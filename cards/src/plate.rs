//! Plates: what makes a text or a code legible on any background.

use resvg::tiny_skia::{Path, PathBuilder};

/// Where the handles of a cubic curve are for a quarter of a circle, as a share of the radius.
const HANDLE: f32 = 1.0 - 0.552_284_8;

/// A box with round corners; `radius` is at most half of the shorter side. None if it has no area.
#[must_use]
pub fn rounded(x: f32, y: f32, width: f32, height: f32, radius: f32) -> Option<Path> {
    let handle = radius * HANDLE;
    let (right, bottom) = (x + width, y + height);
    let mut path = PathBuilder::new();
    path.move_to(x + radius, y);
    path.line_to(right - radius, y);
    path.cubic_to(right - handle, y, right, y + handle, right, y + radius);
    path.line_to(right, bottom - radius);
    path.cubic_to(right, bottom - handle, right - handle, bottom, right - radius, bottom);
    path.line_to(x + radius, bottom);
    path.cubic_to(x + handle, bottom, x, bottom - handle, x, bottom - radius);
    path.line_to(x, y + radius);
    path.cubic_to(x, y + handle, x + handle, y, x + radius, y);
    path.close();
    path.finish()
}
