//! From text that people typed to glyphs in a row.

use std::ops::Range;

use unicode_bidi::{BidiInfo, Level};
use unicode_segmentation::UnicodeSegmentation;

use crate::{
    Face,
    fonts::{BOX, FontId, Fonts, Glyph},
};

/// Longest text that is looked at, in characters as the reader sees them. No
/// box can show more, and nobody pays for shaping a novel.
const LONGEST: usize = 400;

/// Most code points in one such character; the longest emoji has ten. More are
/// marks piled up to leave the box.
const PILE: usize = 12;

/// Text split into clusters, the characters as the reader sees them, each with
/// the font that draws it.
pub(crate) struct Clusters {
    text: String,
    clusters: Vec<(Range<usize>, FontId)>,
    level: Option<Level>,
}

/// Glyphs in a row, measured in ems.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line {
    /// From left to right; `x` counts from the start of the line.
    pub(crate) glyphs: Vec<Glyph>,
    pub(crate) width: f32,
}

impl Clusters {
    /// Reads any text at all: control characters and what steers direction are
    /// dropped, white space is one space, what no font has becomes a box.
    pub(crate) fn read(typed: &str, face: Face, fonts: &Fonts) -> Self {
        let mut read = Self { text: String::new(), clusters: Vec::new(), level: None };
        // Ten code points each is more than any LONGEST clusters of sense have.
        let visible: String = typed.chars().take(LONGEST * 10).filter_map(visible).collect();
        for cluster in visible.graphemes(true).take(LONGEST) {
            if cluster.trim().is_empty() && (read.text.is_empty() || read.text.ends_with(' ')) {
                continue;
            }
            let cluster = match cluster.char_indices().nth(PILE) {
                Some((end, _)) => &cluster[..end],
                None => cluster,
            };
            let first = &cluster[..cluster.chars().next().map_or(0, char::len_utf8)];
            let (shown, font) = [cluster, first, BOX]
                .into_iter()
                .find_map(|shown| fonts.covering(shown, face).map(|font| (shown, font)))
                .unwrap_or(("", 0));
            read.push(shown, font);
        }
        if read.text.ends_with(' ') {
            read.clusters.pop();
            read.text.pop();
        }
        read.level = BidiInfo::new(&read.text, None).paragraphs.first().map(|paragraph| paragraph.level);
        read
    }

    fn push(&mut self, cluster: &str, font: FontId) {
        let start = self.text.len();
        self.text.push_str(cluster);
        self.clusters.push((start..self.text.len(), font));
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.clusters.len()
    }

    /// Whether a line may end at the cluster.
    pub(crate) fn is_space(&self, index: usize) -> bool {
        &self.text[self.clusters[index].0.clone()] == " "
    }

    /// The clusters of a range, and an ellipsis after them.
    pub(crate) fn cut(&self, range: Range<usize>, face: Face, fonts: &Fonts) -> Self {
        let mut cut = Self { text: String::new(), clusters: Vec::new(), level: self.level };
        for (bytes, font) in &self.clusters[range] {
            cut.push(&self.text[bytes.clone()], *font);
        }
        for mark in ["…", BOX] {
            if let Some(font) = fonts.covering(mark, face) {
                cut.push(mark, font);
                break;
            }
        }
        cut
    }

    /// How wide each cluster is, in ems.
    pub(crate) fn widths(&self, fonts: &Fonts) -> Vec<f32> {
        let mut widths = vec![0.0; self.len()];
        for glyph in self.line(0..self.len(), fonts).glyphs {
            let index = self.clusters.partition_point(|(bytes, _)| bytes.end <= glyph.byte);
            if let Some(width) = widths.get_mut(index) {
                *width += glyph.advance;
            }
        }
        widths
    }

    /// The clusters of a range as a line, in the order of the eye.
    pub(crate) fn line(&self, range: Range<usize>, fonts: &Fonts) -> Line {
        let Some((first, last)) = self.clusters.get(range.start).zip(self.clusters.get(range.end.wrapping_sub(1)))
        else {
            return Line::default();
        };
        let bytes = first.0.start..last.0.end;
        let bidi = BidiInfo::new(&self.text, self.level);
        let Some(paragraph) = bidi.paragraphs.iter().find(|paragraph| paragraph.range.contains(&bytes.start)) else {
            return Line::default();
        };
        let (levels, runs) = bidi.visual_runs(paragraph, bytes);
        let mut line = Line::default();
        for run in runs {
            let right_to_left = levels.get(run.start).is_some_and(Level::is_rtl);
            let mut parts = self.of_one_font(&run);
            if right_to_left {
                parts.reverse();
            }
            for (part, font) in parts {
                let start = line.width;
                for glyph in fonts.shape(&self.text[part.clone()], font, right_to_left) {
                    line.glyphs.push(Glyph { x: start + glyph.x, byte: part.start + glyph.byte, ..glyph });
                    line.width += glyph.advance;
                }
            }
        }
        line
    }

    /// Splits bytes where the font changes.
    fn of_one_font(&self, run: &Range<usize>) -> Vec<(Range<usize>, FontId)> {
        let mut parts: Vec<(Range<usize>, FontId)> = Vec::new();
        for (bytes, font) in &self.clusters {
            let bytes = bytes.start.max(run.start)..bytes.end.min(run.end);
            match parts.last_mut() {
                _ if bytes.is_empty() => {}
                Some((part, same)) if same == font => part.end = bytes.end,
                _ => parts.push((bytes, *font)),
            }
        }
        parts
    }
}

/// A character as a card shows it: white space as a space, and nothing for
/// those that have no look of their own but change that of others far away.
fn visible(c: char) -> Option<char> {
    match c {
        c if c.is_whitespace() => Some(' '),
        c if c.is_control() => None,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' => None,
        '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' => None,
        c => Some(c),
    }
}
