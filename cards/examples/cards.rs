//! Draws the ticket for several people into the directory named as the argument.
use cards::{Layout, Renderer, Values};
fn main() {
    let out = std::env::args().nth(1).unwrap();
    let renderer = Renderer::new();
    let ticket = renderer.ticket();
    for (file, name, campaign, benefit, validity, code) in [
        (
            "latin",
            "Anna-Sofia Müller",
            "Summer Sale 2026",
            "20% off the first month",
            "Valid until 31 August 2026",
            "SUMMER26",
        ),
        (
            "cyrillic",
            "Екатерина Воскресенская",
            "Летняя распродажа сигналов",
            "Скидка 500 ₽ на первый месяц",
            "Действует до 31 августа 2026",
            "ЛЕТО-2026-XK7Q",
        ),
        ("emoji", "Max 🚀👨‍👩‍👧‍👦🇩🇪❤️", "🎉 Birthday", "🎁 Free week", "Valid until 1 May 2027 ⏰", "GIFT-7F3K-92QX-LM4P"),
        ("arabic", "محمد بن عبد الله 2026 (VIP)", "עונת הקיץ", "50%", "until 2026-12-31", "A"),
        (
            "cjk",
            "山田太郎 & <b>\"x'",
            &"Very long campaign name ".repeat(5),
            &"benefit that goes on and on ".repeat(8),
            &"validity ".repeat(12),
            "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF",
        ),
    ] {
        let values = Values {
            code: code.into(),
            holder_name: Some(name.into()),
            validity: Some(validity.into()),
            campaign_name: campaign.into(),
            benefit: benefit.into(),
            link: "https://t.me/promostack_bot?start=c-SUMMER26".into(),
        };
        std::fs::write(format!("{out}/{file}.png"), renderer.render(&ticket, &Layout::ticket(), &values).unwrap())
            .unwrap();
    }
}
