//! Layouts of cards as they come in and go out.

use cards::{Content, Layout as CardLayout};
use poem_openapi::{Enum, Object, types::Example};
use serde_json::Value;

use super::{
    body::{Fields, Input, flag, text},
    problem::{Answer, Kind, Problem},
};

/// What is written on a card, and where.
#[derive(Object, Debug, Clone, PartialEq, Eq)]
#[oai(example, rename = "CardLayout", deny_unknown_fields)]
pub(super) struct Layout {
    /// Drawn in this order, later ones over earlier ones; at most 32.
    #[oai(validator(max_items = 32))]
    fields: Vec<Field>,
}

impl Example for Layout {
    fn example() -> Self {
        CardLayout::usual(1200, 630).into()
    }
}

/// What a field shows.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "CardContent", rename_all = "snake_case")]
pub(super) enum Shows {
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
    /// The same text on every card: `text`.
    Text,
    /// The link as a QR code, dark on a white plate.
    Qr,
    /// A plain plate with round corners, to make what is drawn on it later legible.
    Plate,
}

/// Where a text is in its box.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "CardAlign", rename_all = "snake_case")]
pub(super) enum Align {
    /// At the left edge.
    Left,
    /// In the middle.
    Centre,
    /// At the right edge.
    Right,
}

/// A typeface.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "CardFace", rename_all = "snake_case")]
pub(super) enum Face {
    /// For all texts.
    Sans,
    /// Letters of one width, for codes.
    Mono,
}

/// A box on the picture, in its pixels, and what is in it. A text shrinks until it fits, to about half its size.
#[derive(Object, Debug, Clone, PartialEq, Eq)]
#[oai(example, rename = "CardField", skip_serializing_if_is_none, deny_unknown_fields)]
pub(super) struct Field {
    /// What it shows.
    shows: Shows,
    /// For `text`: what.
    #[oai(validator(min_length = 1, max_length = 200))]
    text: Option<String>,
    /// From the left edge of the picture.
    x: u32,
    /// From its upper edge.
    y: u32,
    /// At least 16; a QR code at least 120.
    width: u32,
    /// As the width. A QR code is square, give or take a quarter.
    height: u32,
    /// Size of the letters, at most. Of no meaning for `qr` and `plate`.
    #[oai(default = "font_size", validator(minimum(value = "10"), maximum(value = "400")))]
    font_size: u32,
    /// Of the letters or the plate.
    #[oai(default = "black", validator(pattern = "^#[0-9A-Fa-f]{6}$"))]
    colour: String,
    /// Where the text is in its box.
    #[oai(default = "left")]
    align: Align,
    /// The typeface.
    #[oai(default = "sans")]
    face: Face,
    /// Whether the strokes are thicker.
    #[oai(default)]
    bold: bool,
}

fn font_size() -> u32 {
    32
}

fn black() -> String {
    "#000000".to_owned()
}

fn left() -> Align {
    Align::Left
}

fn sans() -> Face {
    Face::Sans
}

impl Example for Field {
    fn example() -> Self {
        Self {
            shows: Shows::Code,
            text: None,
            x: 80,
            y: 480,
            width: 400,
            height: 60,
            font_size: 44,
            colour: "#141622".to_owned(),
            align: Align::Centre,
            face: Face::Mono,
            bold: true,
        }
    }
}

impl From<CardLayout> for Layout {
    fn from(layout: CardLayout) -> Self {
        Self { fields: layout.fields.into_iter().map(Field::from).collect() }
    }
}

impl From<cards::Field> for Field {
    fn from(field: cards::Field) -> Self {
        let (shows, text) = match field.shows {
            Content::Code => (Shows::Code, None),
            Content::HolderName => (Shows::HolderName, None),
            Content::Validity => (Shows::Validity, None),
            Content::CampaignName => (Shows::CampaignName, None),
            Content::Benefit => (Shows::Benefit, None),
            Content::Text(text) => (Shows::Text, Some(text)),
            Content::Qr => (Shows::Qr, None),
            Content::Plate => (Shows::Plate, None),
        };
        Self {
            shows,
            text,
            x: field.x,
            y: field.y,
            width: field.width,
            height: field.height,
            font_size: field.font_size,
            colour: field.colour,
            align: match field.align {
                cards::Align::Left => Align::Left,
                cards::Align::Centre => Align::Centre,
                cards::Align::Right => Align::Right,
            },
            face: match field.face {
                cards::Face::Sans => Face::Sans,
                cards::Face::Mono => Face::Mono,
            },
            bold: field.bold,
        }
    }
}

/// A layout as it was read.
pub(super) struct LayoutDraft(pub(super) CardLayout);

impl Input for LayoutDraft {
    type Document = Layout;

    fn read(fields: &mut Fields) -> Option<Self> {
        let read = fields.list::<FieldDraft>("fields", CardLayout::MOST_FIELDS)?;
        Some(Self(CardLayout { fields: read.into_iter().map(|field| field.0).collect() }))
    }
}

struct FieldDraft(cards::Field);

impl Input for FieldDraft {
    type Document = Field;

    fn read(fields: &mut Fields) -> Option<Self> {
        let shows = fields.required("shows", |value| match value.as_str() {
            Some("code") => Ok(Content::Code),
            Some("holder_name") => Ok(Content::HolderName),
            Some("validity") => Ok(Content::Validity),
            Some("campaign_name") => Ok(Content::CampaignName),
            Some("benefit") => Ok(Content::Benefit),
            Some("text") => Ok(Content::Text(String::new())),
            Some("qr") => Ok(Content::Qr),
            Some("plate") => Ok(Content::Plate),
            _ => Err("must be code, holder_name, validity, campaign_name, benefit, text, qr or plate".to_owned()),
        });
        let shows = match (shows, fields.optional("text", text)) {
            (Some(Content::Text(_)), Some(text)) => Some(Content::Text(text)),
            (Some(Content::Text(_)), None) => {
                fields.note("text", "is required where shows is text");
                None
            }
            (_, Some(_)) => {
                fields.note("text", "is only for fields where shows is text");
                None
            }
            (shows, None) => shows,
        };
        let [x, y, width, height] = ["x", "y", "width", "height"].map(|name| fields.required(name, whole));
        let font_size = fields.optional("font_size", whole).unwrap_or_else(font_size);
        let colour = fields.optional("colour", text).unwrap_or_else(black);
        let align = fields.optional("align", |value| match value.as_str() {
            Some("left") => Ok(cards::Align::Left),
            Some("centre") => Ok(cards::Align::Centre),
            Some("right") => Ok(cards::Align::Right),
            _ => Err("must be left, centre or right".to_owned()),
        });
        let face = fields.optional("face", |value| match value.as_str() {
            Some("sans") => Ok(cards::Face::Sans),
            Some("mono") => Ok(cards::Face::Mono),
            _ => Err("must be sans or mono".to_owned()),
        });
        let bold = fields.optional("bold", flag).unwrap_or_default();
        Some(Self(cards::Field {
            shows: shows?,
            x: x?,
            y: y?,
            width: width?,
            height: height?,
            font_size,
            colour,
            align: align.unwrap_or_default(),
            face: face.unwrap_or_default(),
            bold,
        }))
    }
}

fn whole(value: Value) -> Result<u32, String> {
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| "must be a whole number from 0 to 4294967295".to_owned())
}

/// Checks a layout against its picture; what is wrong is named from `within`.
pub(super) fn fits(layout: &CardLayout, width: u32, height: u32, within: &str) -> Answer<()> {
    layout.check(width, height).map_err(|invalid| {
        // In the body, the text of a field is a field of its own.
        let field = invalid.field.replace(".shows.text", ".text");
        Problem::from(Kind::InvalidLayout).with_error(format!("{within}{field}"), invalid.problem.to_string())
    })
}
