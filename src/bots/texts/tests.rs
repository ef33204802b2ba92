use super::*;

#[test]
fn benefits_read_as_people_say_them() {
    let said = |language: &str, benefit: &Benefit| in_language(Some(language)).benefit(benefit);
    for (basis_points, english, russian) in [
        (1_000, "10% off", "Скидка 10 %"),
        (1_250, "12.5% off", "Скидка 12,5 %"),
        (5, "0.05% off", "Скидка 0,05 %"),
        (10_000, "100% off", "Скидка 100 %"),
    ] {
        assert_eq!(said("en", &Benefit::Percent { basis_points }), english);
        assert_eq!(said("ru", &Benefit::Percent { basis_points }), russian);
    }
    for (days, english, russian) in [
        (1, "1 day free", "1 день бесплатно"),
        (3, "3 days free", "3 дня бесплатно"),
        (11, "11 days free", "11 дней бесплатно"),
        (14, "14 days free", "14 дней бесплатно"),
        (21, "21 days free", "21 день бесплатно"),
        (30, "30 days free", "30 дней бесплатно"),
    ] {
        assert_eq!(said("en", &Benefit::FreeDays { days }), english);
        assert_eq!(said("ru", &Benefit::FreeDays { days }), russian);
    }
}

#[test]
fn a_limit_is_told_with_its_period() {
    for (limit, period, english, russian) in [
        (
            1,
            Period::Ever,
            "You have redeemed A already. It can be used once by each person.",
            "Вы уже активировали A. Каждый может использовать его один раз.",
        ),
        (
            1,
            Period::Week,
            "You have redeemed A already this week. It can be used once a week by each person.",
            "Вы уже активировали A на этой неделе. Каждый может использовать его один раз в неделю.",
        ),
        (
            2,
            Period::Day,
            "You have redeemed A 2 times today already, which is as often as it goes a day.",
            "Вы уже активировали A 2 раза – сегодня больше нельзя.",
        ),
    ] {
        assert_eq!(in_language(None).redeemed_before("A", limit, period), english);
        assert_eq!(in_language(Some("ru")).redeemed_before("A", limit, period), russian);
    }
    let russian = in_language(Some("ru")).others_redeemed_before(2, Period::Month);
    assert_eq!(russian, "Вы уже активировали 2 таких купона – в этом месяце больше нельзя.");
}

#[test]
fn the_language_of_the_client_is_spoken() {
    let russian = in_language(Some("ru-RU")).stopped();
    assert_eq!(in_language(Some("RU")).stopped(), russian);
    for tag in [None, Some("en"), Some("pt-br"), Some("rue"), Some("")] {
        assert_ne!(in_language(tag).stopped(), russian, "{tag:?}");
    }
}

#[test]
fn menus_are_what_telegram_takes() {
    for language in [None, Some("ru")] {
        let texts = in_language(language);
        for (command, description) in texts.commands().iter().chain(texts.admin_commands()) {
            assert!((1..=32).contains(&command.len()) && command.bytes().all(|byte| byte.is_ascii_lowercase()));
            assert!((1..=256).contains(&description.chars().count()));
            let help = format!("{}\n{}", texts.help(), texts.admin_help());
            assert!(help.contains(&format!("/{command}")), "/{command} is explained");
        }
    }
}
