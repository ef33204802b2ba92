//! The backgrounds that were used last.

use std::{collections::VecDeque, sync::Arc};

use cards::Background;

/// Keeps backgrounds up to a number of bytes; the one that was not used for
/// longest goes first. They are few, as each has megabytes: a list will do.
pub(super) struct Kept {
    most: usize,
    bytes: usize,
    /// The last used at the end.
    entries: VecDeque<(String, Arc<Background>)>,
}

impl Kept {
    pub(super) const fn new(most: usize) -> Self {
        Self { most, bytes: 0, entries: VecDeque::new() }
    }

    pub(super) fn get(&mut self, object: &str) -> Option<Arc<Background>> {
        let at = self.entries.iter().position(|(kept, _)| kept == object)?;
        let entry = self.entries.remove(at)?;
        let background = entry.1.clone();
        self.entries.push_back(entry);
        Some(background)
    }

    pub(super) fn put(&mut self, object: &str, background: Arc<Background>) {
        if self.get(object).is_some() || background.weight() > self.most {
            return;
        }
        self.bytes += background.weight();
        self.entries.push_back((object.to_owned(), background));
        while self.bytes > self.most
            && let Some((_, oldest)) = self.entries.pop_front()
        {
            self.bytes -= oldest.weight();
        }
    }
}

#[cfg(test)]
mod tests {
    use cards::Renderer;

    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let renderer = Renderer::new();
        let background = |side: u32| {
            let drawing = format!("<svg xmlns='http://www.w3.org/2000/svg' width='{side}' height='{side}'/>");
            Arc::new(renderer.background(drawing.as_bytes()).unwrap())
        };
        let small = background(200);
        let mut kept = Kept::new(small.weight() * 2);
        kept.put("a", small.clone());
        kept.put("b", small.clone());
        assert!(kept.get("a").is_some());
        kept.put("c", small.clone());
        kept.put("c", small.clone());
        assert_eq!((kept.get("a").is_some(), kept.get("b").is_some(), kept.get("c").is_some()), (true, false, true));
        assert_eq!(kept.bytes, small.weight() * 2);
        kept.put("large", background(300));
        assert!(kept.get("large").is_none() && kept.get("a").is_some(), "what is too large is not kept at all");
    }
}
