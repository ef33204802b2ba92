//! How a signal looks: candles, levels and events in, PNG out.
//!
//! Everything here is pure. A picture has [`WIDTH`] × [`HEIGHT`] pixels and is meant to be
//! read on a phone, where it is a third as wide. No input is refused: what is absurd
//! makes an ugly picture.

mod axis;
mod canvas;
mod scale;
mod signal;

pub use signal::{Chart, Event, Mark, Status, Tone, signal};

/// Pixels from left to right.
pub const WIDTH: u32 = 1200;
/// Pixels from top to bottom.
pub const HEIGHT: u32 = 675;

/// What keeps a picture from being made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The memory for it could not be had.
    #[error("there is no room for a chart")]
    Room,
    /// It could not be written as PNG.
    #[error("encoding the chart failed")]
    Encode(#[source] png::EncodingError),
}

/// The colours, as red, green, blue.
pub mod palette {
    /// What earns: a rising candle, a target.
    pub const GREEN: [u8; 3] = [0x2e, 0xd1, 0x8a];
    /// What loses: a falling candle, the stop.
    pub const RED: [u8; 3] = [0xff, 0x5a, 0x6a];
    /// The entry and its zone.
    pub const BLUE: [u8; 3] = [0x5b, 0x9d, 0xff];
    /// The last price.
    pub const AMBER: [u8; 3] = [0xff, 0xc4, 0x57];
    /// Titles.
    pub(crate) const WHITE: [u8; 3] = [0xf4, 0xf7, 0xfd];
    /// Axes.
    pub(crate) const GREY: [u8; 3] = [0x96, 0xa3, 0xba];
    /// On pills.
    pub(crate) const DARK: [u8; 3] = [0x0c, 0x12, 0x1f];
    /// Behind everything, at the top …
    pub(crate) const SKY: [u8; 3] = [0x16, 0x1f, 0x33];
    /// … and at the bottom.
    pub(crate) const GROUND: [u8; 3] = [0x0b, 0x10, 0x1c];
}
