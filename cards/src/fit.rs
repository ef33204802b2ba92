//! Fits a text into a box: as large as may be, in lines, cut only at the end.

use std::ops::Range;

use crate::{
    Face,
    fonts::Fonts,
    text::{Clusters, Line},
};

/// From one baseline to the next, in ems.
pub(crate) const LEADING: f32 = 1.2;

/// How far a text may shrink before it is cut, as a share of its size.
const LEAST_SHARE: f32 = 0.45;

/// How far a text may shrink before it is cut, in pixels.
const LEAST_SIZE: f32 = 13.0;

/// How much smaller the next size to try is.
const STEP: f32 = 0.95;

/// A text that fits its box.
pub(crate) struct Fitted {
    /// In pixels.
    pub(crate) size: f32,
    pub(crate) lines: Vec<Line>,
}

/// Fits `typed` into `width` × `height` pixels with letters of at most `largest` pixels.
pub(crate) fn fit(typed: &str, face: Face, fonts: &Fonts, width: f32, height: f32, largest: f32) -> Fitted {
    let clusters = Clusters::read(typed, face, fonts);
    let widths = clusters.widths(fonts);
    let largest = largest.min(height / LEADING);
    let least = (largest * LEAST_SHARE).max(LEAST_SIZE).min(largest);
    let mut size = largest;
    loop {
        let room = ((height / (size * LEADING)) as usize).max(1);
        let (lines, whole) = wrap(&clusters, &widths, width / size);
        if whole && lines.len() <= room {
            let lines = lines.into_iter().map(|range| clusters.line(range, fonts)).collect();
            return shrunk(size, width, lines);
        }
        if size <= least {
            return shrunk(size, width, cut(&clusters, &widths, lines, room, width / size, face, fonts));
        }
        size = (size * STEP).max(least);
    }
}

/// Kerning across what were neighbours can make a line a little wider than its
/// clusters were.
fn shrunk(size: f32, width: f32, lines: Vec<Line>) -> Fitted {
    let widest = lines.iter().map(|line| line.width).fold(0.0, f32::max);
    Fitted { size: if widest * size > width { width / widest } else { size }, lines }
}

/// Breaks at spaces into lines of at most `limit` ems, within words only if one
/// alone is wider. Says whether every word stayed whole.
fn wrap(clusters: &Clusters, widths: &[f32], limit: f32) -> (Vec<Range<usize>>, bool) {
    let (mut lines, mut whole) = (Vec::new(), true);
    let (mut start, mut space, mut used) = (0, None, 0.0);
    let mut index = 0;
    while index < clusters.len() {
        if clusters.is_space(index) {
            space = Some(index);
        } else if used + widths[index] > limit && index > start {
            // Begin anew after the last space, or here, within a word.
            let (end, next) = space.map_or((index, index), |space| (space, space + 1));
            whole &= space.is_some();
            lines.push(start..end);
            (start, space, used) = (next, None, widths[next..index].iter().sum());
            continue;
        }
        used += widths[index];
        index += 1;
    }
    if start < clusters.len() {
        lines.push(start..clusters.len());
    }
    (lines, whole)
}

/// As many lines as there is `room` for; the last ends in an ellipsis if there were more.
fn cut(
    clusters: &Clusters,
    widths: &[f32],
    mut lines: Vec<Range<usize>>,
    room: usize,
    limit: f32,
    face: Face,
    fonts: &Fonts,
) -> Vec<Line> {
    let more = lines.len() > room;
    lines.truncate(room);
    let last = if more { lines.pop() } else { None };
    let mut drawn: Vec<Line> = lines.into_iter().map(|range| clusters.line(range, fonts)).collect();
    if let Some(Range { start, end }) = last {
        let ellipsis = clusters.cut(start..start, face, fonts).widths(fonts).iter().sum::<f32>();
        // The line was full, or the next word would have been on it, too: fill it with what follows.
        let mut stop = start;
        let mut used = ellipsis;
        while stop < clusters.len() && used + widths[stop] <= limit {
            used += widths[stop];
            stop += 1;
        }
        stop = stop.max(end.min(start + 1));
        while stop > start + 1 && clusters.is_space(stop - 1) {
            stop -= 1;
        }
        let cut = clusters.cut(start..stop, face, fonts);
        drawn.push(cut.line(0..cut.len(), fonts));
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Size and lines, as the clusters that were asked for, of a text in 300 × `height` pixels.
    fn fitted(typed: &str, height: f32) -> (f32, Vec<usize>) {
        let fonts = Fonts::bundled();
        let fitted = fit(typed, Face::Sans, &fonts, 300.0, height, 40.0);
        for line in &fitted.lines {
            assert!(line.width * fitted.size <= 300.01, "{} pixels wide", line.width * fitted.size);
        }
        let used = fitted.size * LEADING * fitted.lines.len() as f32;
        assert!(used <= height + 0.01, "{used} pixels high");
        (fitted.size, fitted.lines.iter().map(|line| line.glyphs.len()).collect())
    }

    #[test]
    fn what_fits_keeps_its_size() {
        assert_eq!(fitted("Gift", 60.0), (40.0, vec![4]));
        assert_eq!(fitted("  Gift \n", 60.0), (40.0, vec![4]));
        assert_eq!(fitted("", 60.0), (40.0, vec![]));
    }

    #[test]
    fn a_low_box_makes_letters_small() {
        assert_eq!(fitted("Gift", 24.0), (20.0, vec![4]));
    }

    #[test]
    fn a_long_text_shrinks_before_it_is_cut() {
        let (size, lines) = fitted("A longer text for one line", 50.0);
        assert!(size < 40.0 && size > 20.0, "{size}");
        assert_eq!(lines.len(), 1);
    }

    #[test]
    fn a_high_box_has_more_lines() {
        assert_eq!(fitted("A longer text for two lines", 100.0), (40.0, vec![17, 9]));
    }

    #[test]
    fn what_is_too_long_ends_in_an_ellipsis() {
        for (typed, height, count) in
            [("word ".repeat(50), 60.0, 2), ("x".repeat(350), 30.0, 1), ("山".repeat(900), 60.0, 2)]
        {
            let (size, lines) = fitted(&typed, height);
            let least = (40.0_f32.min(height / LEADING) * LEAST_SHARE).max(LEAST_SIZE);
            assert!((size - least).abs() < 1.0, "{size}");
            assert_eq!(lines.len(), count);
            let fonts = Fonts::bundled();
            let last = fit(&typed, Face::Sans, &fonts, 300.0, height, 40.0).lines.pop().unwrap();
            let dots = Clusters::read("…", Face::Sans, &fonts).line(0..1, &fonts).glyphs[0];
            let glyph = last.glyphs.last().unwrap();
            assert_eq!((glyph.id, glyph.font), (dots.id, dots.font), "{typed}");
        }
    }
}
