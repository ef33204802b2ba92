//! The card of campaigns that have uploaded none: a ticket with a stub.
//!
//! It has no words of its own, so it speaks every campaign's language.

use crate::{Align, Content, Face, Field, Layout};

/// The outline of the main part, whose right edge is the perforation at x = 800.
const MAIN: &str = "M76 40H774A26 26 0 0 0 800 66V564A26 26 0 0 0 774 590H76A36 36 0 0 1 40 554V76A36 36 0 0 1 76 40Z";

/// The outline of the stub.
const STUB: &str =
    "M826 40H1124A36 36 0 0 1 1160 76V554A36 36 0 0 1 1124 590H826A26 26 0 0 0 800 564V66A26 26 0 0 0 826 40Z";

/// The ticket, 1200 × 630 pixels: the size that links are previewed at.
pub(crate) fn svg() -> String {
    // Soft edges without a filter: the outline again and again, wider and fainter.
    let shadow: String = (1..=14)
        .map(|step| {
            let width = step * 3;
            format!(
                r##"<path d="{MAIN}{STUB}" transform="translate(0 8)" fill="none" stroke="#1b1640" stroke-opacity=".011" stroke-width="{width}" stroke-linejoin="round"/>"##
            )
        })
        .collect();
    let rings: String = (0..9)
        .map(|ring| {
            let radius = 70 + 46 * ring;
            format!(r##"<circle cx="800" cy="590" r="{radius}"/>"##)
        })
        .collect();
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="1200" height="630" viewBox="0 0 1200 630">
<defs>
<linearGradient id="page" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#f6f2ea"/><stop offset="1" stop-color="#e9e1d3"/></linearGradient>
<linearGradient id="night" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="#0d1633"/><stop offset=".55" stop-color="#1b2560"/><stop offset="1" stop-color="#45308c"/></linearGradient>
<radialGradient id="glow" cx="800" cy="590" r="520" gradientUnits="userSpaceOnUse"><stop offset="0" stop-color="#a78bfa" stop-opacity=".42"/><stop offset="1" stop-color="#a78bfa" stop-opacity="0"/></radialGradient>
<linearGradient id="gold" x1="0" y1="0" x2="1" y2="0"><stop offset="0" stop-color="#f3d08a"/><stop offset="1" stop-color="#c99a45"/></linearGradient>
<clipPath id="main"><path d="{MAIN}"/></clipPath>
</defs>
<rect width="1200" height="630" fill="url(#page)"/>
{shadow}
<path d="{MAIN}" fill="url(#night)"/>
<path d="{STUB}" fill="#fffdf9"/>
<g clip-path="url(#main)"><rect x="40" y="40" width="760" height="550" fill="url(#glow)"/><g fill="none" stroke="#ffffff" stroke-opacity=".07" stroke-width="2">{rings}</g></g>
<rect x="88" y="418" width="72" height="4" rx="2" fill="url(#gold)"/>
<path d="M800 88V548" stroke="#efe9dd" stroke-width="7" stroke-linecap="round" stroke-dasharray="0.1 18.3"/>
<rect x="838" y="438" width="284" height="92" rx="18" fill="#f7f1e4" stroke="#c99a45" stroke-width="2.5" stroke-dasharray="9 7"/>
</svg>"##
    )
}

impl Layout {
    /// The layout of [`Renderer::ticket`](crate::Renderer::ticket).
    pub fn ticket() -> Self {
        let text = |shows, [x, y, width, height]: [u32; 4], font_size, colour: &str| Field {
            shows,
            x,
            y,
            width,
            height,
            font_size,
            colour: colour.to_owned(),
            align: Align::Left,
            face: Face::Sans,
            bold: false,
        };
        let fields = vec![
            Field { bold: true, ..text(Content::CampaignName, [88, 84, 664, 76], 30, "#f3d08a") },
            Field { bold: true, ..text(Content::Benefit, [88, 164, 664, 236], 92, "#ffffff") },
            Field { bold: true, ..text(Content::HolderName, [88, 438, 664, 58], 38, "#ffffff") },
            text(Content::Validity, [88, 500, 600, 44], 26, "#c3cbee"),
            text(Content::Qr, [816, 78, 328, 328], 32, "#000000"),
            Field {
                align: Align::Centre,
                face: Face::Mono,
                bold: true,
                ..text(Content::Code, [852, 448, 256, 72], 46, "#141b3d")
            },
        ];
        Self { fields }
    }
}
