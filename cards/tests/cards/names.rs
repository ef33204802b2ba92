//! People are called what they are called.

use cards::{Content, Layout, Values};

use crate::kit::{RENDERER, Seen, TICKET, values};

/// The pixels that a name paints, all of them in its box.
fn painted(name: &str) -> usize {
    let layout = Layout::ticket();
    let field = layout.fields.iter().find(|field| field.shows == Content::HolderName).unwrap();
    let named = Values { holder_name: Some(name.to_owned()), ..values() };
    let nobody = Values { holder_name: None, ..values() };
    let [named, nobody] =
        [named, nobody].map(|values| Seen::look(&RENDERER.render(&TICKET, &layout, &values).unwrap()));
    named.changed_within(&nobody, field)
}

#[test]
fn every_name_is_written() {
    let long = "Wolfeschlegelsteinhausenbergerdorff ".repeat(9);
    let endless = "Ы".repeat(300);
    let pile = format!("Z{}", "\u{337}\u{301}\u{30d}".repeat(500));
    for name in [
        "A",
        "Anna-Sofia Müller",
        "Đặng Thị Ánh Nguyệt",
        "Jürgen ẞ. Łukasiewicz",
        "Екатерина Воскресенская",
        "Ґалаґан Їжакевич Ўладзь",
        "Е\u{301}лена",
        "Ελένη Παπαδοπούλου",
        "🚀",
        "❤️ ☺ ♥️",
        "👨‍👩‍👧‍👦 family",
        "👩🏽‍❤️‍💋‍👨🏿",
        "🏴󠁧󠁢󠁥󠁮󠁧󠁿🇩🇪🇺🇦",
        "1️⃣#️⃣",
        "محمد بن عبد الله",
        "ברק (VIP) 2026",
        "mixed עברית and english",
        "山田太郎",
        "김민준",
        "ศรีสุวรรณ",
        "अभिषेक",
        "𝕱𝖗𝖆𝖓𝖟 ⒻⓇⒶⓃⓏ",
        "<b>&\"'</b> &amp; ${name} {{name}}",
        "</text><script>alert(1)</script>",
        "' OR 1=1 --",
        "tab\tand\nline\r\nbreaks\u{2028}x\u{2029}y",
        "\u{202e}desrever\u{202c} \u{2066}isolated",
        "nul\0bell\u{7}escape\u{1b}[31m",
        "\u{fffd}\u{e000}\u{10ffff}",
        &long,
        &endless,
        &pile,
    ] {
        assert!(painted(name) > 20, "{name:?} left no trace");
    }
}

#[test]
fn what_has_no_look_leaves_no_trace() {
    for name in ["", "   ", "\0\u{1}\u{1b}\u{7f}\u{85}", "\u{200b}\u{feff}\u{202e}\u{2066}", "\t\r\n\u{2029}"] {
        assert_eq!(painted(name), 0, "{name:?}");
    }
}

/// What steers the eye elsewhere is dropped, so a name cannot pass for another.
#[test]
fn invisible_characters_change_nothing() {
    let card = |name: &str| {
        let values = Values { holder_name: Some(name.to_owned()), ..values() };
        RENDERER.render(&TICKET, &Layout::ticket(), &values).unwrap()
    };
    let plain = card("Anna Maria");
    for name in ["Anna\u{200b} Maria", "\u{202e}Anna Maria\u{202c}", "  Anna \t\n Maria \0", "An\u{ad}na Maria\u{feff}"]
    {
        assert!(card(name) == plain, "{name:?}");
    }
    assert!(card("Anna Marie") != plain);
}
