//! The fonts, which ship with the binary, and which of them draws what.

use std::sync::Arc;

use harfrust::{Direction, ShapeOptions, ShaperData, UnicodeBuffer};
use resvg::usvg::fontdb;
use serde::{Deserialize, Serialize};
use skrifa::{
    FontRef, GlyphId, MetadataProvider,
    instance::{LocationRef, Size},
    outline::{DrawSettings, OutlinePen},
};

/// The typeface of a text.
///
/// Letters it lacks come from another face that has them; what no face has is
/// drawn as a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Face {
    /// Ubuntu Light: Latin, Cyrillic, Greek.
    #[default]
    Sans,
    /// Hack: every letter of one width and none like another, for codes.
    Mono,
}

/// Index into [`Fonts`].
pub(crate) type FontId = usize;

const UBUNTU: FontId = 0;
const HACK: FontId = 1;
const DEJAVU: FontId = 2;
pub(crate) const EMOJI: FontId = 3;

/// Stands for what no font can draw; DejaVu Sans has it.
pub(crate) const BOX: &str = "\u{25a1}";

/// All fonts, parsed once.
pub(crate) struct Fonts {
    fonts: [Font; 4],
    /// The same fonts for the texts inside an uploaded SVG.
    pub(crate) database: Arc<fontdb::Database>,
}

struct Font {
    font: FontRef<'static>,
    shaper: ShaperData,
    units_per_em: f32,
}

/// A glyph at its place, measured in ems from the start of its run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Glyph {
    pub(crate) font: FontId,
    pub(crate) id: u32,
    pub(crate) x: f32,
    /// Upwards.
    pub(crate) y: f32,
    pub(crate) advance: f32,
    /// The byte of the run that it stems from.
    pub(crate) byte: usize,
}

impl Fonts {
    pub(crate) fn bundled() -> Self {
        let files = [
            epaint_default_fonts::UBUNTU_LIGHT,
            epaint_default_fonts::HACK_REGULAR,
            dejavu::sans::regular(),
            epaint_default_fonts::NOTO_EMOJI_REGULAR,
        ];
        let mut database = fontdb::Database::new();
        for file in files {
            database.load_font_source(fontdb::Source::Binary(Arc::new(file)));
        }
        database.set_sans_serif_family("Ubuntu");
        database.set_serif_family("DejaVu Sans");
        database.set_cursive_family("Ubuntu");
        database.set_fantasy_family("Ubuntu");
        database.set_monospace_family("Hack");
        Self { fonts: files.map(Font::read), database: Arc::new(database) }
    }

    /// The font to draw `cluster`, one character as the reader sees it; none
    /// if no font has all of it.
    pub(crate) fn covering(&self, cluster: &str, face: Face) -> Option<FontId> {
        let order = if cluster.chars().any(|c| c >= '\u{1f000}' || matches!(c, '\u{fe0f}' | '\u{200d}' | '\u{20e3}')) {
            [EMOJI, DEJAVU, UBUNTU, HACK]
        } else {
            match face {
                Face::Sans => [UBUNTU, DEJAVU, EMOJI, HACK],
                Face::Mono => [HACK, DEJAVU, UBUNTU, EMOJI],
            }
        };
        order.into_iter().find(|id| {
            let charmap = self.fonts[*id].font.charmap();
            cluster.chars().all(|c| is_invisible(c) || charmap.map(c).is_some_and(|glyph| glyph != GlyphId::NOTDEF))
        })
    }

    /// Shapes a run of one font and one direction. Glyphs come from left to right.
    pub(crate) fn shape(&self, text: &str, font: FontId, right_to_left: bool) -> Vec<Glyph> {
        let Font { font: reference, shaper, units_per_em } = &self.fonts[font];
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.guess_segment_properties();
        buffer.set_direction(if right_to_left { Direction::RightToLeft } else { Direction::LeftToRight });
        let shaped = shaper.shaper(reference).build().shape(buffer, ShapeOptions::new());
        let mut pen = 0.0;
        let glyphs = shaped.glyph_infos().iter().zip(shaped.glyph_positions()).map(|(info, position)| {
            let ems = |units: i32| units as f32 / units_per_em;
            let glyph = Glyph {
                font,
                id: info.glyph_id,
                x: pen + ems(position.x_offset),
                y: ems(position.y_offset),
                advance: ems(position.x_advance),
                byte: info.cluster as usize,
            };
            pen += glyph.advance;
            glyph
        });
        glyphs.collect()
    }

    /// Hands the outline of a glyph to `pen`, for letters of `size` pixels.
    /// What has no outline, as a space, draws nothing.
    pub(crate) fn outline(&self, glyph: Glyph, size: f32, pen: &mut impl OutlinePen) {
        if let Some(outline) = self.fonts[glyph.font].font.outline_glyphs().get(GlyphId::new(glyph.id)) {
            // A glyph that cannot be read is left out; these fonts have none, a test draws them all.
            let _ = outline.draw(DrawSettings::unhinted(Size::new(size), LocationRef::default()), pen);
        }
    }
}

impl Font {
    fn read(file: &'static [u8]) -> Self {
        let font = FontRef::new(file).expect("the fonts are part of the binary, and tests read them");
        let units_per_em = f32::from(font.metrics(Size::unscaled(), LocationRef::default()).units_per_em);
        Self { shaper: ShaperData::new(&font), font, units_per_em }
    }
}

/// Whether a character only steers how its neighbours look: joiners, variation
/// selectors, the tags of flags.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0020}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use skrifa::outline::pen::NullPen;

    use super::*;

    #[test]
    fn every_glyph_of_every_font_can_be_drawn() {
        for Font { font, .. } in &Fonts::bundled().fonts {
            let (outlines, settings) = (font.outline_glyphs(), Size::new(40.0));
            let mut drawn = 0;
            for (_, glyph) in font.charmap().mappings() {
                if let Some(outline) = outlines.get(glyph) {
                    outline.draw(DrawSettings::unhinted(settings, LocationRef::default()), &mut NullPen).unwrap();
                    drawn += 1;
                }
            }
            assert!(drawn > 800, "{drawn} glyphs");
        }
    }

    #[test]
    fn each_script_has_its_font() {
        let fonts = Fonts::bundled();
        for (cluster, sans, mono) in [
            ("A", Some(UBUNTU), Some(HACK)),
            ("Ж", Some(UBUNTU), Some(HACK)),
            ("Ω", Some(UBUNTU), Some(HACK)),
            ("ש", Some(DEJAVU), Some(DEJAVU)),
            ("م", Some(DEJAVU), Some(DEJAVU)),
            (BOX, Some(DEJAVU), Some(HACK)),
            ("🚀", Some(EMOJI), Some(EMOJI)),
            ("❤\u{fe0f}", Some(EMOJI), Some(EMOJI)),
            ("👨\u{200d}👩", Some(EMOJI), Some(EMOJI)),
            ("山", None, None),
        ] {
            assert_eq!(fonts.covering(cluster, Face::Sans), sans, "{cluster}");
            assert_eq!(fonts.covering(cluster, Face::Mono), mono, "{cluster}");
        }
    }
}
