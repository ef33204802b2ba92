//! Where what is written on a card, as data.

use serde::{Deserialize, Serialize};

use crate::Face;

/// What is written on a background, and where. The background's bytes are kept
/// elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Layout {
    /// Drawn in this order, later ones over earlier ones.
    pub fields: Vec<Field>,
}

/// A box on the background, in its pixels, and what is in it.
///
/// A text is written in the middle of the box's height, on as many lines as it
/// needs and the box has room for. It shrinks until it fits; below about half
/// its size it is cut with an ellipsis instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// What it shows.
    pub shows: Content,
    /// From the left edge of the background, in pixels.
    pub x: u32,
    /// From its upper edge, in pixels.
    pub y: u32,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Size of the letters in pixels, at most. Like all that follows, of no
    /// meaning for the QR code; of a plate only the colour counts.
    #[serde(default = "default_font_size")]
    pub font_size: u32,
    /// `#rrggbb`.
    #[serde(default = "default_colour")]
    pub colour: String,
    /// Where the text is in its box.
    #[serde(default)]
    pub align: Align,
    /// Its typeface.
    #[serde(default)]
    pub face: Face,
    /// Whether the strokes are thicker.
    #[serde(default)]
    pub bold: bool,
}

/// What a field shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// The coupon's code.
    Code,
    /// To whom it belongs; left out if nobody.
    HolderName,
    /// Until when it can be redeemed; left out if for ever.
    Validity,
    /// The campaign's name.
    CampaignName,
    /// What the holder gets.
    Benefit,
    /// The same text on every card; 1 to 200 characters.
    Text(String),
    /// The link as a QR code, dark on a white plate.
    Qr,
    /// A plain plate with round corners, in the field's colour. What is drawn
    /// on it later can be read whatever the background.
    Plate,
}

/// Where a text is in its box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Align {
    /// At the left edge.
    #[default]
    Left,
    /// In the middle.
    Centre,
    /// At the right edge.
    Right,
}

/// A layout that cannot be drawn, by the field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct InvalidLayout {
    /// Where in [`Layout`], as `fields[2].width`.
    pub field: String,
    /// What is wrong with it.
    pub problem: LayoutProblem,
}

/// What may be wrong with a field of a layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutProblem {
    /// More than [`Layout::MOST_FIELDS`].
    #[error("must have at most 32 entries")]
    TooMany,
    /// The box leaves the background.
    #[error("the box must end within the background, which has {edge} pixels")]
    Outside {
        /// Width or height of the background.
        edge: u32,
    },
    /// Nothing legible fits in.
    #[error("must be at least {least} pixels")]
    TooSmall {
        /// Smallest width or height.
        least: u32,
    },
    /// A QR code wants a square.
    #[error("must be like the width, give or take a quarter, because a QR code is square")]
    NotSquare,
    /// The letters are too small to read or too large to draw.
    #[error("must be {} to {}", Layout::FONT_SIZES.start(), Layout::FONT_SIZES.end())]
    FontSize,
    /// Not a colour.
    #[error("must be a colour as #rrggbb")]
    Colour,
    /// The fixed text is blank.
    #[error("must not be empty")]
    NoText,
    /// The fixed text is longer than [`Layout::TEXT_LENGTH`].
    #[error("must have at most 200 characters")]
    TextLength,
    /// The fixed text contains a line break or worse.
    #[error("must not contain control characters")]
    ControlCharacter,
}

impl Layout {
    /// Most fields.
    pub const MOST_FIELDS: usize = 32;
    /// Longest fixed text, in characters.
    pub const TEXT_LENGTH: usize = 200;
    /// Smallest width and height of a QR code's box, in pixels. With the
    /// longest deep link, a module still has two pixels.
    pub const SMALLEST_QR: u32 = 120;
    /// Smallest width and height of a text's box, in pixels.
    pub const SMALLEST_TEXT: u32 = 16;
    /// Sizes that letters may have, in pixels.
    pub const FONT_SIZES: std::ops::RangeInclusive<u32> = 10..=400;

    /// Checks every field against a background of `width` × `height` pixels.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn check(&self, width: u32, height: u32) -> Result<(), InvalidLayout> {
        if self.fields.len() > Self::MOST_FIELDS {
            return Err(InvalidLayout { field: "fields".to_owned(), problem: LayoutProblem::TooMany });
        }
        for (index, field) in self.fields.iter().enumerate() {
            field
                .check(width, height)
                .map_err(|(name, problem)| InvalidLayout { field: format!("fields[{index}].{name}"), problem })?;
        }
        Ok(())
    }
}

impl Field {
    /// Its name and what is wrong with it.
    fn check(&self, width: u32, height: u32) -> Result<(), (&'static str, LayoutProblem)> {
        let qr = self.shows == Content::Qr;
        let least = if qr { Layout::SMALLEST_QR } else { Layout::SMALLEST_TEXT };
        for (start_name, start, name, length, edge) in
            [("x", self.x, "width", self.width, width), ("y", self.y, "height", self.height, height)]
        {
            if start >= edge {
                return Err((start_name, LayoutProblem::Outside { edge }));
            }
            if length < least {
                return Err((name, LayoutProblem::TooSmall { least }));
            }
            if u64::from(start) + u64::from(length) > u64::from(edge) {
                return Err((name, LayoutProblem::Outside { edge }));
            }
        }
        if qr {
            let (shorter, longer) = (self.width.min(self.height), self.width.max(self.height));
            let square = u64::from(longer) * 4 <= u64::from(shorter) * 5;
            return if square { Ok(()) } else { Err(("height", LayoutProblem::NotSquare)) };
        }
        let plate = self.shows == Content::Plate;
        if !plate && !Layout::FONT_SIZES.contains(&self.font_size) {
            return Err(("font_size", LayoutProblem::FontSize));
        }
        if rgb(&self.colour).is_none() {
            return Err(("colour", LayoutProblem::Colour));
        }
        if let Content::Text(text) = &self.shows {
            let problem = match text {
                text if text.trim().is_empty() => LayoutProblem::NoText,
                text if text.chars().count() > Layout::TEXT_LENGTH => LayoutProblem::TextLength,
                text if text.chars().any(char::is_control) => LayoutProblem::ControlCharacter,
                _ => return Ok(()),
            };
            return Err(("shows.text", problem));
        }
        Ok(())
    }
}

/// The red, green and blue of `#rrggbb`.
pub(crate) fn rgb(colour: &str) -> Option<[u8; 3]> {
    let digits = colour.strip_prefix('#')?;
    if digits.len() != 6 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let part = |start: usize| u8::from_str_radix(&digits[start..start + 2], 16).ok();
    Some([part(0)?, part(2)?, part(4)?])
}

fn default_font_size() -> u32 {
    32
}

fn default_colour() -> String {
    "#000000".to_owned()
}

#[cfg(test)]
mod tests;
