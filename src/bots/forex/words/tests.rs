//! What passes and what does not.

use proptest::prelude::*;

use super::*;

fn fact(name: &'static str, value: &str) -> Fact {
    Fact { name, value: value.to_owned() }
}

fn facts() -> Vec<Fact> {
    vec![
        fact("progress", "40%"),
        fact("first target", "4012.50"),
        fact("result", "+1.35 R"),
        fact("lost", "-0.5 R"),
        fact("pips", "+90.0 pips"),
        fact("signal", "#12"),
        fact("money", "+$9.00"),
        fact("won", "2"),
    ]
}

#[test]
fn numbers_of_the_facts_may_be_written_in_many_ways() {
    for text in [
        "No numbers at all.",
        "40% of the way. Patience!",
        "40 percent done.",
        "The level is 4012.50.",
        "The level is 4,012.50, and 4,012.5 is the same.",
        "That is +1.35R, or 1.350 R.",
        "One loss of -0.50 R; one loss of 0.5 R.",
        "90 pips in the pocket on #12 🎉",
        "TP1 is hit, TP2 and tp 3 wait.",
        "Уровень 4012,50: пройдено 40%.",
        "Halfway…\nStay calm.",
        "A 4012.50–4012.5 range",
        "The stop has held.",
        "Signal 12 did it: $9, or 9 dollars an ounce.",
        "This one was good, a steady one.",
        "Сигнал #12: 90 пунктов, 1,35 R.",
        "Стоп устоял, достаточно терпения, семья довольна.",
    ] {
        assert_eq!(check(text, &facts()), Ok(text.to_owned()), "{text}");
    }
    assert_eq!(check("  Well done. \n", &facts()), Ok("Well done.".to_owned()));
}

#[test]
fn what_is_no_fact_is_discarded() {
    let long = "a".repeat(401);
    for (text, why) in [
        ("", Discarded::Empty),
        (" \n ", Discarded::Empty),
        (long.as_str(), Discarded::TooLong),
        ("41% of the way", Discarded::Number),
        ("The level is 4012.51", Discarded::Number),
        ("The level is 40.1250", Discarded::Number),
        ("4 012.50", Discarded::Number),
        ("We lost -1.35 R", Discarded::Number),
        ("We earned +0.5 R", Discarded::Number),
        ("Up 90%!", Discarded::Number),
        ("1.35k earned", Discarded::Number),
        ("12e3", Discarded::Number),
        ("The 12th win", Discarded::Number),
        ("TP4 is near", Discarded::Command),
        ("TP12 is near", Discarded::Command),
        ("1 more to go", Discarded::Number),
        ("Twelve pips earned", Discarded::Number),
        ("More than ninety pips", Discarded::Number),
        ("A hundred dollars", Discarded::Number),
        ("Half of the way is done", Discarded::Number),
        ("One pip more, or a pip less", Discarded::Number),
        ("Twenty-five pips", Discarded::Number),
        ("Двенадцать пунктов", Discarded::Number),
        ("Пройдено пятьдесят процентов", Discarded::Number),
        ("Ещё пара: две сотни", Discarded::Number),
        ("Один пункт", Discarded::Number),
        ("12 pips earned", Discarded::Number),
        ("12 R earned", Discarded::Number),
        ("We are at 12", Discarded::Number),
        ("2 pips earned", Discarded::Number),
        ("90 R earned", Discarded::Number),
        ("1.35 pips", Discarded::Number),
        ("40 pips", Discarded::Number),
        ("$90 earned", Discarded::Number),
        ("90 USD earned", Discarded::Number),
        ("9 pips earned", Discarded::Number),
        ("Signal 90", Discarded::Number),
        ("401,2.50", Discarded::Number),
        ("4.012.50", Discarded::Number),
        ("٤٠ percent", Discarded::Character),
        ("½ of the way", Discarded::Character),
        ("4️⃣ targets", Discarded::Character),
        ("40\u{202e}%", Discarded::Character),
        ("40\u{200b}12.50", Discarded::Character),
        ("See https://t.co", Discarded::Link),
        ("See example.com", Discarded::Link),
        ("Write to @somebody", Discarded::Link),
        ("<b>Bold</b>", Discarded::Link),
        ("#gold", Discarded::Link),
        ("Time to BUY more", Discarded::Command),
        ("Sell now", Discarded::Command),
        ("Пора покупать", Discarded::Command),
        ("Entry: 4012.50", Discarded::Command),
        ("move SL to 4012.50", Discarded::Command),
        ("TP1: 4012.50", Discarded::Command),
        ("TP 1 = 4012.50", Discarded::Command),
        ("Take profit at 4012.50", Discarded::Command),
        ("Стоп на 4012,50", Discarded::Command),
    ] {
        assert_eq!(check(text, &facts()), Err(why), "{text}");
    }
}

/// Hundredths as a number, in one of the ways in which people write it.
fn written(hundredths: u32, way: u8) -> String {
    let (whole, rest) = (hundredths / 100, hundredths % 100);
    match way % 6 {
        0 => format!("{whole}.{rest:02}"),
        1 => format!("{whole},{rest:02}"),
        2 => format!("${whole}.{rest:02}"),
        3 => format!("{whole}.{rest:02}0"),
        4 => format!("0{whole}.{rest:02}"),
        _ if whole >= 1000 => format!("{},{:03}.{rest:02}", whole / 1000, whole % 1000),
        _ => format!("{whole}.{rest:02}R"),
    }
}

proptest! {
    /// Wherever it stands, and however it is written.
    #[test]
    fn a_number_that_is_no_fact_is_never_used(
        known in prop::collection::vec(0_u32..1_000_000, 0..6),
        strange in 0_u32..1_000_000,
        way in any::<u8>(),
        before in "[a-zA-Zа-я .,:;!+\\-]{0,40}",
        after in "[ .!]{1}[a-zA-Zа-я .,:;!\\-]{0,40}",
    ) {
        prop_assume!(!known.contains(&strange));
        let facts: Vec<Fact> = known.iter().map(|units| fact("value", &written(*units, way))).collect();
        let text = format!("{before} {}{after}", written(strange, way));
        prop_assert!(check(&text, &facts).is_err(), "{}", text);
    }

    #[test]
    fn a_number_that_is_one_may_be_used(units in 0_u32..1_000_000, way in any::<u8>()) {
        // With the same unit, if it has one.
        let facts = [fact("value", &written(units, if matches!(way % 6, 2 | 5) { way } else { 0 }))];
        let text = format!("We have {} now", written(units, way));
        prop_assert_eq!(check(&text, &facts), Ok(text.clone()));
    }

    /// Without facts, the only digits that pass are those of targets.
    #[test]
    fn nothing_panics(text in "(TP|SL| |[0-9.,%+#-]|\\PC){0,60}") {
        if let Ok(text) = check(&text, &[]) {
            prop_assert!(!text.contains(['0', '4', '5', '6', '7', '8', '9']), "{}", text);
        }
    }
}

#[tokio::test]
async fn without_a_copywriter_it_is_the_template() {
    let brief = Brief { kind: Kind::Target, language: Language::English, facts: facts() };
    assert_eq!(or_template(None, &brief, "Target hit.".to_owned()).await, "Target hit.");
}
