//! What people read, whole: each text once in each language.

use chrono::TimeDelta;
use trading::Target;

use super::*;
use crate::bots::texts::{self, Texts};

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

fn levels(direction: Direction) -> Levels {
    let entry = price("4000.5");
    let away = |points: i64| direction.after(entry, Price::from_units(points * Price::SCALE));
    let target = |points, share| Target { price: away(points), share };
    Levels {
        direction,
        entry,
        zone_low: price("3999.5"),
        zone_high: price("4001.5"),
        stop: direction.after(entry, price("-10.5")),
        targets: vec![target(10, 50), target(20, 30), target(30, 20)],
    }
}

fn at() -> DateTime<Utc> {
    "2026-11-24T14:15:00Z".parse().unwrap()
}

fn result(gain: &str) -> SignalResult {
    SignalResult { gain: price(gain), risk: price("10.5"), pip: price("0.1") }
}

fn line(number: u32, exit: Exit, gain: &str, entered: bool) -> Line {
    Line { number, exit, entered, result: result(gain) }
}

fn lines() -> Vec<Line> {
    vec![
        line(12, Exit::Target, "17", true),
        line(13, Exit::Stop, "-10.5", true),
        line(14, Exit::Breakeven, "0", true),
        line(15, Exit::Expired, "0", false),
        line(16, Exit::Stagnant, "-2.25", true),
    ]
}

/// Every update there is.
fn updates() -> Vec<Update> {
    let mut updates = vec![
        Update::Entered { price: "4000.50".to_owned() },
        Update::Milestone { milestone: Milestone::Forty, gain: result("4.1") },
        Update::Milestone { milestone: Milestone::Seventy, gain: result("7.05") },
        Update::Target { target: 1, share: 50, gain: result("10"), is_last: false },
        Update::StopMoved,
        Update::Target { target: 2, share: 30, gain: result("20"), is_last: false },
        Update::Target { target: 3, share: 20, gain: result("30"), is_last: true },
        Update::Regained,
        Update::Closed { exit: Exit::Expired, is_entered: false, total: result("0") },
        Update::Closed { exit: Exit::Cancelled, is_entered: false, total: result("0") },
    ];
    let weaknesses = [Weakness::CrossedBack, Weakness::BackInChannel, Weakness::MomentumTurned, Weakness::RsiReversed];
    updates.extend(weaknesses.map(|weakness| Update::Weakened { weakness }));
    let closed = |exit, gain| Update::Closed { exit, is_entered: true, total: result(gain) };
    updates.extend(Exit::ALL.map(|exit| closed(exit, if exit == Exit::Stop { "-10.5" } else { "17" })));
    // Targets were hit before; the market gapped over the moved stop.
    updates.extend([closed(Exit::Stop, "9.45"), closed(Exit::Stop, "0"), closed(Exit::Breakeven, "-21")]);
    updates
}

fn openings(texts: &dyn Texts) -> Vec<String> {
    let (buy, sell) = (levels(Direction::Buy), levels(Direction::Sell));
    let strategy = Opening {
        symbol: "XAUUSD",
        number: 12,
        levels: &buy,
        strategy: Some((StrategyKind::Trend, Timeframe::M15)),
        waits: false,
        expires_at: None,
        pip: price("0.1"),
        decimals: 2,
        risk_percent: 1.0,
        late: None,
    };
    let by_hand = Opening {
        number: 13,
        levels: &sell,
        strategy: None,
        waits: true,
        expires_at: Some(at() + TimeDelta::hours(4)),
        risk_percent: 0.5,
        ..strategy.clone()
    };
    let late = |is_over| Some(Late { since: at(), is_over });
    let is_late = Opening { late: late(false), ..by_hand.clone() };
    let is_over = Opening { late: late(true), ..strategy.clone() };
    [strategy, by_hand, is_late, is_over].iter().map(|opening| texts.opening(opening)).collect()
}

fn posts(texts: &dyn Texts) -> String {
    let mut posts = vec![texts.signal_introduction().to_owned()];
    posts.extend(openings(texts));
    posts.extend(updates().iter().map(|update| {
        let head = texts.update_head(12, update);
        texts.update_words(update).map_or(head.clone(), |words| format!("{head}\n\n{words}"))
    }));
    for (period, lines) in [(Period::Day, lines()), (Period::Week, vec![line(17, Exit::Cancelled, "0", false)])] {
        let days = if period == Period::Day { 1 } else { 7 };
        let report = Report { period, from: at() - TimeDelta::days(days), to: at(), lines: &lines };
        posts.push(format!("{}\n\n{}", texts.report_head(&report), texts.report_words(&Totals::of(&lines))));
    }
    posts.join("\n\n----\n\n")
}

fn answers(texts: &dyn Texts) -> String {
    let open = OpenNow {
        number: 12,
        direction: Direction::Buy,
        entry: Some("4000.50".to_owned()),
        stop: "4000.50".to_owned(),
        targets: vec![("4010.50".to_owned(), true), ("4020.50".to_owned(), false)],
        now: Some(("4014.20".to_owned(), result("11.85"))),
    };
    let waiting = OpenNow { entry: None, now: None, direction: Direction::Sell, ..open.clone() };
    let standing = Standing {
        open: Some(open),
        paused: None,
        strategy: StrategyKind::Trend,
        queued: Some(StrategyKind::Reversion),
        next_check: Some(at()),
    };
    let paused = Standing { open: Some(waiting), paused: Some(at()), ..standing.clone() };
    let nothing = Standing { open: None, queued: None, ..standing.clone() };
    let last = Last { line: line(12, Exit::Target, "17", true), at: at() };
    let strategy = StrategyKind::Breakout;
    [
        texts.forex_welcome("Ann"),
        texts.forex_admin_help().to_owned(),
        texts.signal_status(&standing),
        texts.signal_status(&paused),
        texts.signal_status(&nothing),
        texts.signal_figures(&Figures { days: 30, totals: Totals::of(&lines()) }),
        texts.signal_figures(&Figures { days: 30, totals: Totals::default() }),
        texts.signal_last(Some(&last)),
        texts.signal_last(None),
        texts.signals_paused().to_owned(),
        texts.signals_resumed().to_owned(),
        texts.signals_as_before().to_owned(),
        texts.signal_ended(12),
        texts.no_signal_open().to_owned(),
        texts.price_unknown().to_owned(),
        texts.market_closed().to_owned(),
        texts.strategies(StrategyKind::Trend, Some(strategy)),
        texts.strategy_chosen(strategy, false),
        texts.strategy_chosen(strategy, true),
        texts.no_such_strategy(),
    ]
    .join("\n\n----\n\n")
}

#[test]
fn posts_read_well() {
    insta::assert_snapshot!("posts_in_english", posts(texts::in_language(None)));
    insta::assert_snapshot!("posts_in_russian", posts(texts::in_language(Some("ru"))));
}

#[test]
fn answers_read_well() {
    insta::assert_snapshot!("answers_in_english", answers(texts::in_language(None)));
    insta::assert_snapshot!("answers_in_russian", answers(texts::in_language(Some("ru"))));
}

/// A caption has 1,024 characters at most, with three targets and all notes.
#[test]
fn an_opening_fits_below_a_chart() {
    for language in [None, Some("ru")] {
        for opening in openings(texts::in_language(language)) {
            assert!(opening.encode_utf16().count() < 800, "{opening}");
        }
    }
}

/// A program that copies signals finds its words in the first lines of an opening alone.
#[test]
fn only_openings_have_words_that_copiers_act_on() {
    const WORDS: [&str; 9] = ["BUY", "SELL", "SL", "TP", "TP1", "ENTRY", "ENTRY:", "SL:", "CLOSE"];
    for language in [None, Some("ru")] {
        let texts = texts::in_language(language);
        let openings = openings(texts);
        for opening in &openings[..2] {
            let (copied, notes) = opening.split_once("\n\n").unwrap();
            let lines: Vec<&str> = copied.lines().collect();
            assert!(matches!(lines[0], "XAUUSD BUY" | "XAUUSD SELL"), "{copied}");
            let names: Vec<&str> = lines[1..].iter().filter_map(|line| line.split(' ').next()).collect();
            assert_eq!(names, ["Entry:", "SL:", "TP1:", "TP2:", "TP3:"]);
            assert!(copied.is_ascii(), "{copied}");
            assert!(notes.split_whitespace().all(|word| !WORDS[..6].contains(&word)), "{notes}");
        }
        let lines = lines();
        let report = Report { period: Period::Day, from: at() - TimeDelta::days(1), to: at(), lines: &lines };
        // Nor does one that comes late: its price is gone.
        let others = openings[2..].iter().cloned();
        let others = others.chain(updates().into_iter().map(|update| texts.update_head(1, &update)));
        for text in others.chain([texts.report_head(&report)]) {
            let found = text.split_whitespace().find(|word| WORDS.contains(&word.to_uppercase().as_str()));
            assert_eq!(found, None, "{text}");
        }
    }
}

/// Whatever the last price was, what all came to is what is commented.
#[test]
fn words_go_with_the_figures() {
    let closed = |exit, gain| Update::Closed { exit, is_entered: true, total: result(gain) };
    let even = Totals::of(&[line(1, Exit::Stop, "-10.5", true), line(2, Exit::Target, "10.5", true)]);
    for (language, loss, breakeven, good) in
        [(None, "Losses", "closed at breakeven", "Good work"), (Some("ru"), "Убытки", "закрыт в безубыток", "Хорошая")]
    {
        let texts = texts::in_language(language);
        let words = |exit, gain| texts.update_words(&closed(exit, gain)).unwrap_or_default();
        assert!(words(Exit::Stop, "-10.5").contains(loss));
        assert!(!words(Exit::Stop, "9.45").contains(loss) && words(Exit::Stop, "0").is_empty());
        assert!(texts.update_head(1, &closed(Exit::Stop, "9.45")).starts_with("🟢"));
        assert!(texts.update_head(1, &closed(Exit::Breakeven, "0")).contains(breakeven));
        assert!(!texts.update_head(1, &closed(Exit::Breakeven, "-21")).contains(breakeven));
        let even = texts.report_words(&even);
        assert!(!even.contains(good) && !even.to_lowercase().contains(&loss.to_lowercase()), "{even}");
    }
}

#[test]
fn amounts_have_their_signs() {
    assert_eq!(
        [signed(1.005, 1), signed(-1.25, 2), signed(-0.004, 2), signed(0.0, 1)],
        ["+1.0", "−1.25", "0.00", "0.0"]
    );
    assert_eq!([money(price("9")), money(price("-10.5")), money(price("-0.001"))], ["+$9.00", "−$10.50", "$0.00"]);
    let totals = Totals::of(&lines());
    assert_eq!((totals.won, totals.lost, totals.even, totals.unentered), (1, 2, 1, 1));
    assert_eq!(totals.win_rate().as_deref(), Some("25%"));
    assert_eq!(Totals::default().win_rate(), None);
}
