//! How a coupon looks: backgrounds and values in, PNG out.
//!
//! Everything here is pure: no clock, no I/O, nothing async, no fonts of the
//! machine. A [`Background`] is an upload that was read with suspicion, or
//! [`Renderer::ticket`]; a [`Layout`] says what is written where; the
//! [`Renderer`] draws [`Values`] on it.
//!
//! Other pictures are drawn with the same letters: [`Letters`], [`rounded`], [`encode()`].
//!
//! The licences of the fonts are told in `README.md`.

mod background;
mod encode;
mod fit;
mod fonts;
mod jpeg;
mod layout;
mod letters;
mod link;
mod plate;
mod qr;
mod raster;
mod render;
mod svg;
mod text;
mod ticket;
mod usual;

pub use background::{Background, UploadError};
pub use encode::encode;
pub use fonts::Face;
pub use jpeg::JpegError;
pub use layout::{Align, Content, Field, InvalidLayout, Layout, LayoutProblem};
pub use letters::{Anchor, Letters, Style};
pub use link::{LinkError, deep_link};
pub use plate::rounded;
pub use render::{RenderError, Renderer, Values};
/// What [`Letters`] writes on, and [`encode()`] reads.
pub use resvg::tiny_skia;
pub use svg::SvgError;
