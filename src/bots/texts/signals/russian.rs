use aggregates::signal::{Milestone, Period};
use trading::{Direction, Exit, Price, StrategyKind, Weakness};

use super::{
    super::{
        channel::ChannelTexts,
        russian::{Russian, date},
    },
    Figures, Last, Late, Line, OpenNow, Opening, Report, SignalTexts, Standing, Totals, Update, lines, signed,
};

impl SignalTexts for Russian {
    fn signal_introduction(&self) -> &'static str {
        "Здесь публикуются сигналы. Каждый начинается с цен и номера, а всё, что с ним происходит, приходит ответами. \
         Отчёт за день и за неделю учитывает все сигналы, в том числе убыточные.\n\nЭто не обещание прибыли. Торгуйте \
         только тем, что готовы потерять."
    }

    fn pips(&self) -> &'static str {
        "п."
    }

    fn late_head(&self, opening: &Opening<'_>, late: Late) -> String {
        let way = match opening.levels.direction {
            Direction::Buy => "на рост",
            Direction::Sell => "на падение",
        };
        let what = match late.is_over {
            true => "Он уже завершён, следовать ему нельзя; чем он кончился, сказано в ответах.",
            false => "Прежде чем следовать ему, посмотрите, где цена.",
        };
        format!(
            "⚠️ Сигнал #{} по {} пришёл с опозданием: он дан {}. {what}\n\nОн {way} от {}; отказ на {}, цели {}.",
            opening.number,
            opening.symbol,
            self.instant(late.since),
            opening.zone("–"),
            opening.price(opening.levels.stop),
            opening.goals(),
        )
    }

    fn opening_notes(&self, opening: &Opening<'_>) -> String {
        let about = match opening.strategy {
            Some((strategy, timeframe)) => format!("{}, {}", name(strategy), timeframe.as_str().to_uppercase()),
            None => "вручную".to_owned(),
        };
        let risk = self.gain(&opening.risk());
        let mut notes = format!(
            "Сигнал #{} · {about}\nПрибыль к риску: {}\nЗакрываемые доли: {}\nРиск не больше {}% счёта: 1 R – это {}, \
             {} на унцию",
            opening.number,
            opening.rewards(),
            opening.shares(),
            opening.percent(),
            risk.pips.trim_start_matches('+'),
            risk.money.trim_start_matches('+'),
        );
        if opening.waits {
            notes.push_str("\nВходить, только когда цена придёт в зону");
        }
        if let Some(expires_at) = opening.expires_at {
            notes.push_str(&format!("\nДействует до {}", self.instant(expires_at)));
        }
        notes
    }

    fn update_head(&self, number: u32, update: &Update) -> String {
        let figures = |result| {
            let gain = self.gain(result);
            format!("{} · {} на унцию · {}", gain.pips, gain.money, gain.r)
        };
        match update {
            Update::Entered { price } => format!("🔵 #{number}: вход по {price}"),
            Update::Milestone { milestone, gain } => {
                format!("📈 #{number}: пройдено {}% пути до первой цели\n{}", milestone.percent(), figures(gain))
            }
            Update::Target { target, share, gain, .. } => {
                format!("✅ #{number}: достигнута цель {target}, закрыто {share}%\n{}", figures(gain))
            }
            Update::StopMoved => format!("🛡 #{number}: стоп перенесён в безубыток"),
            Update::Weakened { weakness } => format!("⚠️ #{number} слабеет: {}", weak(*weakness)),
            Update::Regained => format!("👍 #{number} снова выглядит как вначале"),
            Update::Closed { exit, is_entered: false, .. } => {
                let why = if *exit == Exit::Cancelled { "отменён" } else { "истёк" };
                format!("⚪️ #{number} {why}; входа не было")
            }
            Update::Closed { exit, total, .. } => {
                let (sign, what) = match exit {
                    Exit::Target => ("🏁", "последняя цель достигнута, всё закрыто"),
                    Exit::Stop if total.gain > Price::ZERO => ("🟢", "сработал стоп, но часть прибыли уже была взята"),
                    Exit::Stop => ("🔴", "сработал стоп"),
                    // A gap fills it beyond.
                    Exit::Breakeven if total.gain < Price::ZERO => ("🔴", "рынок перескочил через стоп в безубытке"),
                    Exit::Breakeven => ("🛡", "остаток закрыт в безубыток"),
                    Exit::Stagnant => ("⏳", "закрыт: цель не достигнута вовремя"),
                    Exit::Weak => ("⚠️", "закрыт: причина для него исчезла"),
                    Exit::Cancelled => ("✋", "закрыт вручную"),
                    Exit::Expired => ("⏳", "закрыт: его время вышло"),
                };
                format!("{sign} #{number}: {what}\nИтого: {}", figures(total))
            }
        }
    }

    fn update_words(&self, update: &Update) -> Option<&'static str> {
        match update {
            Update::Milestone { milestone: Milestone::Forty, .. } => Some("Движется к цели. Остаётся только ждать."),
            Update::Milestone { milestone: Milestone::Seventy, .. } => {
                Some("Большая часть пути пройдена. Кто хочет спокойствия, переносит стоп в безубыток сейчас.")
            }
            // The post of its end follows.
            Update::Target { is_last: true, .. } => None,
            Update::Target { target: 1, .. } => Some("Первая часть зафиксирована. Остальное пусть растёт."),
            Update::Target { .. } => Some("Спасибо всем, кто был терпелив."),
            Update::Closed { exit: Exit::Stop, is_entered: true, total } if total.gain < Price::ZERO => {
                Some("На этот раз не вышло. Убытки – часть торговли, и этот был ограничен заранее.")
            }
            Update::Closed { exit: Exit::Breakeven, is_entered: true, total } if total.gain < Price::ZERO => {
                Some("От разрыва в ценах не спасает ни один стоп.")
            }
            Update::Closed { exit: Exit::Stop, is_entered: true, total } if total.gain > Price::ZERO => {
                Some("Взятое раньше всё равно делает его прибыльным.")
            }
            _ => None,
        }
    }

    fn report_head(&self, report: &Report<'_>) -> String {
        let totals = Totals::of(report.lines);
        let title = match report.period {
            Period::Day => format!("📊 Отчёт за день, {}", date(report.to)),
            Period::Week => format!("📊 Отчёт за неделю, {} – {}", date(report.from), date(report.to)),
        };
        format!("{title}\n{}\n\n{}", summary(&totals), lines(report, line))
    }

    fn report_words(&self, totals: &Totals) -> &'static str {
        if totals.entered() == 0 {
            "Входов не было. Ждать – тоже позиция."
        } else if signed(totals.r, 2) == "0.00" {
            "Вышло в ноль. И такое здесь бывает."
        } else if totals.r > 0.0 {
            "Хорошая работа. Так будет не всегда."
        } else {
            "Время убытков. Им здесь такое же место, как и прибыли."
        }
    }

    fn forex_welcome(&self, name: &str) -> String {
        format!("Здравствуйте, {name}! Я публикую торговые сигналы по золоту.\n\n{}", self.forex_help())
    }

    fn forex_help(&self) -> &'static str {
        "/status – открытый сигнал и где он сейчас\n/stats – последние 30 дней\n/last – последний завершённый сигнал\n\
         /help – эта подсказка"
    }

    fn forex_admin_help(&self) -> &'static str {
        "Для администраторов:\n/pause [причина] – пока не открывать сигналов\n/resume – снова открывать\n/close \
         [причина] – закрыть открытый сигнал по последней цене\n/strategy [имя] – показать стратегии или выбрать одну"
    }

    fn forex_commands(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("status", "Открытый сигнал"),
            ("stats", "Последние 30 дней"),
            ("last", "Последний завершённый сигнал"),
            ("help", "Что я умею"),
        ]
    }

    fn forex_admin_commands(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("pause", "Не открывать сигналов"),
            ("resume", "Снова открывать сигналы"),
            ("close", "Закрыть открытый сигнал"),
            ("strategy", "Выбрать стратегию"),
        ]
    }

    fn signal_status(&self, standing: &Standing) -> String {
        let mut parts = vec![match &standing.open {
            None => "Открытых сигналов нет.".to_owned(),
            Some(open) => self::open(self, open),
        }];
        let mut strategy = format!("Стратегия: {}", name(standing.strategy));
        if let Some(queued) = standing.queued {
            strategy.push_str(&format!(", затем {}", name(queued)));
        }
        parts.push(strategy);
        if let Some(since) = standing.paused {
            parts.push(format!("⏸ Пауза с {}: сигналы не открываются.", self.instant(since)));
        } else if let Some(next) = standing.next_check {
            parts.push(format!("Следующая проверка: {}", self.instant(next)));
        }
        parts.join("\n\n")
    }

    fn signal_figures(&self, figures: &Figures) -> String {
        format!("Последние {} дней\n{}", figures.days, summary(&figures.totals))
    }

    fn signal_last(&self, last: Option<&Last>) -> String {
        match last {
            None => "Завершённых сигналов ещё нет.".to_owned(),
            Some(last) => format!("{}\n{}", line(&last.line), self.instant(last.at)),
        }
    }

    fn signals_paused(&self) -> &'static str {
        "Пауза: сигналы не открываются. Открытый продолжается."
    }

    fn signals_resumed(&self) -> &'static str {
        "Сигналы снова открываются."
    }

    fn signals_as_before(&self) -> &'static str {
        "Менять нечего: уже так."
    }

    fn signal_ended(&self, number: u32) -> String {
        format!("Сигнал #{number} закрыт.")
    }

    fn no_signal_open(&self) -> &'static str {
        "Открытых сигналов нет."
    }

    fn market_closed(&self) -> &'static str {
        "Рынок закрыт: сигнал можно закрыть, когда он откроется."
    }

    fn price_unknown(&self) -> &'static str {
        "Цена сейчас известна недостаточно точно, чтобы закрыть по ней сигнал. Попробуйте через минуту."
    }

    fn strategies(&self, active: StrategyKind, queued: Option<StrategyKind>) -> String {
        let list = StrategyKind::ALL.map(|strategy| {
            let mark = match strategy {
                _ if strategy == active => " – активна",
                _ if Some(strategy) == queued => " – следующая",
                _ => "",
            };
            format!("{}{mark}", strategy.as_str())
        });
        format!("{}\n\nВыбрать: /strategy trend", list.join("\n"))
    }

    fn strategy_chosen(&self, strategy: StrategyKind, is_queued: bool) -> String {
        match is_queued {
            true => format!("Сигналы ищет стратегия «{}», как только закроется открытый.", name(strategy)),
            false => format!("Сигналы теперь ищет стратегия «{}».", name(strategy)),
        }
    }

    fn no_such_strategy(&self) -> String {
        format!("Есть такие стратегии: {}", StrategyKind::ALL.map(StrategyKind::as_str).join(", "))
    }
}

fn name(strategy: StrategyKind) -> &'static str {
    match strategy {
        StrategyKind::Trend => "тренд",
        StrategyKind::Reversion => "возврат к среднему",
        StrategyKind::Breakout => "пробой",
        StrategyKind::Momentum => "импульс",
    }
}

fn weak(weakness: Weakness) -> &'static str {
    match weakness {
        Weakness::CrossedBack => "средние пересеклись обратно",
        Weakness::BackInChannel => "цена вернулась в канал",
        Weakness::MomentumTurned => "импульс развернулся",
        Weakness::RsiReversed => "RSI ушёл в другую крайность",
    }
}

fn how(line: &Line) -> &'static str {
    match line.exit {
        _ if !line.entered => "без входа",
        Exit::Target => "последняя цель",
        Exit::Stop => "стоп",
        Exit::Breakeven => "безубыток",
        Exit::Stagnant => "цель не достигнута вовремя",
        Exit::Weak => "причина исчезла",
        Exit::Cancelled => "вручную",
        Exit::Expired => "вышло время",
    }
}

fn line(line: &Line) -> String {
    match line.entered {
        false => format!("#{} – {}", line.number, how(line)),
        true => format!(
            "#{}  {} R · {} п. – {}",
            line.number,
            signed(line.result.r(), 2),
            signed(line.result.pips(), 1),
            how(line)
        ),
    }
}

fn summary(totals: &Totals) -> String {
    let mut counts = format!("Прибыльных: {}, убыточных: {}", totals.won, totals.lost);
    if totals.even > 0 {
        counts.push_str(&format!(", в ноль: {}", totals.even));
    }
    if totals.unentered > 0 {
        counts.push_str(&format!(", без входа: {}", totals.unentered));
    }
    if let Some(rate) = totals.win_rate() {
        counts.push_str(&format!(" ({rate} прибыльных)"));
    }
    format!("{counts}\nИтого: {} R · {} п.", signed(totals.r, 2), signed(totals.pips, 1))
}

fn open(texts: &Russian, open: &OpenNow) -> String {
    let direction = match open.direction {
        Direction::Buy => "на рост",
        Direction::Sell => "на падение",
    };
    let mut text = match &open.entry {
        Some(entry) => format!("Сигнал #{}: {direction}, вход был по {entry}", open.number),
        None => format!("Сигнал #{}: {direction}, ждёт свою зону", open.number),
    };
    if let Some((price, result)) = &open.now {
        let gain = texts.gain(result);
        text.push_str(&format!("\nСейчас {price}: {} · {} на унцию · {}", gain.pips, gain.money, gain.r));
    }
    text.push_str(&format!("\nСтоп на {}", open.stop));
    for (number, (price, hit)) in open.targets.iter().enumerate() {
        let mark = if *hit { " ✅" } else { "" };
        text.push_str(&format!("\nЦель {}: {price}{mark}", number + 1));
    }
    text
}
