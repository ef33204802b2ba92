//! Draws cards for several people into a directory, to be looked at: on the
//! ticket and, with the usual layout, on pictures.
//!
//! `cargo run -p cards --example cards -- DIRECTORY [PICTURE …]`

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use cards::{Layout, Renderer, Values, deep_link};

/// File, holder, campaign, benefit, validity, code.
const CARDS: [[&str; 6]; 6] = [
    [
        "latin",
        "Anna-Sofia Müller",
        "Summer Sale 2026",
        "20% off the first month",
        "Valid until 31 August 2026",
        "SUMMER26",
    ],
    [
        "cyrillic",
        "Екатерина Воскресенская",
        "Летняя распродажа сигналов",
        "Скидка 500 ₽ на первый месяц",
        "Действует до 31 августа 2026",
        "ЛЕТО-2026-XK7Q",
    ],
    ["emoji", "Max 🚀👨‍👩‍👧‍👦🇩🇪❤️", "🎉 Birthday", "🎁 Free week", "Valid until 1 May 2027 ⏰", "GIFT-7F3K-92QX-LM4P"],
    ["right-to-left", "محمد بن عبد الله (VIP)", "מבצע קיץ", "50%", "31.12.2026", "A"],
    ["unknown", "山田太郎 & <b>\"x\"</b>", "Campaign", "One month for the price of two", "2026", "1234-5678"],
    [
        "long",
        "Hubert Blaine Wolfeschlegelsteinhausenbergerdorff Senior of Philadelphia",
        "A campaign whose name says everything about it, and then some, because nobody stopped whoever wrote it in time",
        "Everything we have, for ever, for you and all your friends, their friends, and whoever else turns up, with the \
         sole exception of what is said in the conditions, which are too long for a card",
        "From the first Monday after midsummer until the last Friday before Christmas, weekends and holidays excluded",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF",
    ],
];

fn main() -> Result<(), Box<dyn Error>> {
    let directory = PathBuf::from(std::env::args().nth(1).ok_or("name a directory")?);
    let renderer = Renderer::new();
    let mut papers = vec![(String::new(), renderer.ticket(), Layout::ticket())];
    for picture in std::env::args().skip(2) {
        let background = renderer.background(&fs::read(&picture)?)?;
        let layout = Layout::usual(background.width(), background.height());
        let name = Path::new(&picture).file_stem().unwrap_or_default().to_string_lossy();
        papers.push((format!("{name}-"), background, layout));
    }
    for [file, holder, campaign, benefit, validity, code] in CARDS {
        let values = Values {
            code: code.to_owned(),
            holder_name: Some(holder.to_owned()),
            validity: Some(validity.to_owned()),
            campaign_name: campaign.to_owned(),
            benefit: benefit.to_owned(),
            link: deep_link("promo_stack_bot", "c-SUMMER26")?,
        };
        for (name, background, layout) in &papers {
            fs::write(directory.join(format!("{name}{file}.png")), renderer.render(background, layout, &values)?)?;
        }
    }
    Ok(())
}
