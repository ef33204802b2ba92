//! Russian.

use aggregates::{
    campaign::{Benefit, Period},
    conversation::CampaignStep,
    submission::Answer,
};
use chrono::{DateTime, Datelike, Utc};

use super::{Numbers, Offer, Texts, percent};

pub(super) struct Russian;

/// A number with its noun: 1 день, 2 дня, 5 дней (CLDR's plural rules for `ru`).
pub(super) fn plural(count: i64, one: &str, few: &str, many: &str) -> String {
    let noun = match (count % 10, count % 100) {
        (1, tens) if tens != 11 => one,
        (2..=4, tens) if !(12..=14).contains(&tens) => few,
        _ => many,
    };
    format!("{count} {noun}")
}

pub(super) fn date(time: DateTime<Utc>) -> String {
    const MONTHS: [&str; 12] = [
        "января",
        "февраля",
        "марта",
        "апреля",
        "мая",
        "июня",
        "июля",
        "августа",
        "сентября",
        "октября",
        "ноября",
        "декабря",
    ];
    format!("{} {} {}", time.day(), MONTHS[time.month0() as usize], time.year())
}

const fn no_more(period: Period) -> &'static str {
    match period {
        Period::Ever => "больше нельзя",
        Period::Day => "сегодня больше нельзя",
        Period::Week => "на этой неделе больше нельзя",
        Period::Month => "в этом месяце больше нельзя",
    }
}

impl Texts for Russian {
    fn welcome(&self, name: &str) -> String {
        format!(
            "Здравствуйте, {name}! Пришлите мне код купона, и я его активирую.\n\n\
             /campaigns покажет, какие есть акции, /help – что я умею."
        )
    }

    fn help(&self) -> &'static str {
        "Пришлите код купона или используйте команды:\n\n\
         /redeem КОД – активировать код\n\
         /validate КОД – проверить код, не используя его\n\
         /campaigns – какие есть акции\n\
         /mycoupons – ваши купоны и их карточки\n\
         /cancel – прервать ответы на вопросы\n\
         /stop – не получать новости (/start вернёт их)\n\
         /help – показать это сообщение"
    }

    fn admin_help(&self) -> &'static str {
        "Для администраторов:\n\n\
         /newcampaign – создать акцию\n\
         /stats – как идут дела\n\
         /broadcast – написать всем\n\
         /pause, /resume – приостановить акцию и продолжить её"
    }

    fn commands(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("redeem", "Активировать код"),
            ("validate", "Проверить код, не используя его"),
            ("campaigns", "Какие есть акции"),
            ("mycoupons", "Ваши купоны и их карточки"),
            ("stop", "Не получать новости"),
            ("help", "Что я умею"),
        ]
    }

    fn admin_commands(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("newcampaign", "Создать акцию"),
            ("stats", "Как идут дела"),
            ("broadcast", "Написать всем"),
            ("pause", "Приостановить акцию"),
            ("resume", "Продолжить акцию"),
        ]
    }

    fn stopped(&self) -> &'static str {
        "Больше не буду присылать новости. Коды по-прежнему работают; /start вернёт новости."
    }

    fn benefit(&self, benefit: &Benefit) -> String {
        match benefit {
            Benefit::Percent { basis_points } => format!("Скидка {} %", percent(*basis_points, ',')),
            Benefit::Amount(money) => format!("Скидка {money}"),
            Benefit::FreeDays { days } => {
                format!("{} бесплатно", plural((*days).into(), "день", "дня", "дней"))
            }
            Benefit::Text { text } => text.clone(),
        }
    }

    fn valid_until(&self, ends_at: DateTime<Utc>) -> String {
        format!("Действует до {}, {} UTC", date(ends_at), ends_at.format("%H:%M"))
    }

    fn which_code(&self) -> &'static str {
        "Какой код? Пришлите его после команды, вот так:\n/redeem WELCOME10"
    }

    fn which_code_to_check(&self) -> &'static str {
        "Какой код? Пришлите его после команды, вот так:\n/validate WELCOME10"
    }

    fn redeemed(&self, campaign: &str, code: &str, number: u32) -> String {
        format!("Готово! Код {code} активирован.\n\n{campaign}\nАктивация № {number}")
    }

    fn redeemed_before(&self, code: &str, limit: u32, period: Period) -> String {
        if limit == 1 {
            let (when, each) = match period {
                Period::Ever => ("", ""),
                Period::Day => (" сегодня", " в день"),
                Period::Week => (" на этой неделе", " в неделю"),
                Period::Month => (" в этом месяце", " в месяц"),
            };
            format!("Вы уже активировали {code}{when}. Каждый может использовать его один раз{each}.")
        } else {
            format!("Вы уже активировали {code} {} – {}.", plural(limit.into(), "раз", "раза", "раз"), no_more(period))
        }
    }

    fn used_before(&self, code: &str) -> String {
        format!("Вы уже активировали {code}. Его можно использовать только один раз.")
    }

    fn others_redeemed_before(&self, limit: u32, period: Period) -> String {
        let coupons = plural(limit.into(), "такой купон", "таких купона", "таких купонов");
        format!("Вы уже активировали {coupons} – {}.", no_more(period))
    }

    fn not_redeemable(&self) -> &'static str {
        "К сожалению, этот код не активировать. Проверьте, нет ли опечатки; возможно также, что он ещё не действует или уже исчерпан."
    }

    fn locked_out(&self, minutes: i64) -> String {
        let time = match minutes {
            ..=119 => plural(minutes.max(1), "минуту", "минуты", "минут"),
            _ => plural((minutes + 59) / 60, "час", "часа", "часов"),
        };
        format!("Слишком много неработающих кодов. Попробуйте снова через {time}.")
    }

    fn good(&self, code: &str, offer: &Offer) -> String {
        format!("Код {code} действует.\n\n{}{}", offer.campaign, self.details(offer))
    }

    fn good_with_questions(&self, code: &str, offer: &Offer) -> String {
        format!("{}\n\nСначала нужно ответить на несколько вопросов.", self.good(code, offer))
    }

    fn campaigns(&self) -> &'static str {
        "Вот какие есть акции. Если у вас есть код, пришлите его мне."
    }

    fn no_campaigns(&self) -> &'static str {
        "Сейчас акций нет. Если у вас есть код, всё равно пришлите его мне."
    }

    fn coupons(&self) -> &'static str {
        "Ваши купоны:"
    }

    fn no_coupons(&self) -> &'static str {
        "У вас пока нет купонов. Пришлите мне код или посмотрите /campaigns."
    }

    fn coupon_redeemed(&self, code: &str, campaign: &str, at: DateTime<Utc>) -> String {
        format!("• {code} – {campaign}\nАктивирован {}", date(at))
    }

    fn redeem_button(&self) -> &'static str {
        "Активировать"
    }

    fn card_button(&self, campaign: &str) -> String {
        format!("Карточка: {campaign}")
    }

    fn button_is_old(&self) -> &'static str {
        "Эта кнопка больше не действует."
    }

    fn questions_begin(&self, campaign: &str, count: usize) -> String {
        let questions = plural(i64::try_from(count).unwrap_or(i64::MAX), "вопрос", "вопроса", "вопросов");
        format!("{campaign}: ответьте, пожалуйста, на {questions}, и мы посмотрим ваши ответы. /cancel прервёт опрос.")
    }

    fn choose(&self) -> &'static str {
        "Нажмите, пожалуйста, одну из кнопок."
    }

    fn too_long(&self) -> &'static str {
        "Слишком длинно. Ответьте, пожалуйста, не более чем в 1000 символов."
    }

    fn submitted(&self, campaign: &str) -> String {
        format!("Спасибо! Ваши ответы для «{campaign}» приняты. Я напишу вам, когда их посмотрят.")
    }

    fn submitted_before(&self, campaign: &str) -> String {
        format!("Ваши ответы для «{campaign}» уже приняты. Я напишу вам, когда их посмотрят.")
    }

    fn rejected(&self, campaign: &str, reason: &str) -> String {
        format!(
            "Ваши ответы для «{campaign}» не одобрены:\n\n{reason}\n\nМожно прислать код ещё раз и ответить заново."
        )
    }

    fn cancelled(&self) -> &'static str {
        "Хорошо, оставим это."
    }

    fn nothing_to_cancel(&self) -> &'static str {
        "Отменять нечего."
    }

    fn campaign_step(&self, step: CampaignStep) -> &'static str {
        match step {
            CampaignStep::Name => "Новая акция. Как она называется? /cancel прервёт создание.",
            CampaignStep::Code => {
                "Какой код будут присылать? От 3 до 32 латинских букв, цифр, дефисов и подчёркиваний."
            }
            CampaignStep::Benefit => "Что даёт код? Например 10%, 5 EUR, 30 дней или любые ваши слова.",
            CampaignStep::TotalLimit => "Сколько всего активаций? Число; пропустите, если без ограничения.",
            CampaignStep::LimitPerPerson => {
                "Сколько раз может активировать один человек? Число; пропустите, если без ограничения."
            }
            CampaignStep::EndsAt => {
                "До какого времени (UTC)? Например 2027-01-31 или 2027-01-31 18:00. Пропустите, если без срока."
            }
            CampaignStep::Confirm => "Всё верно?",
        }
    }

    fn campaign_step_wrong(&self, step: CampaignStep) -> &'static str {
        match step {
            CampaignStep::Name => "В названии от 1 до 120 символов, в одну строку. Как называется акция?",
            CampaignStep::Code => {
                "Такого кода быть не может: от 3 до 32 латинских букв, цифр, дефисов и подчёркиваний. Какой код?"
            }
            CampaignStep::Benefit => "Не понимаю. Напишите 10%, 5 EUR, 30 дней или словами (не более 200 символов).",
            CampaignStep::TotalLimit | CampaignStep::LimitPerPerson => {
                "Пришлите целое число от 1 (на человека не больше общего) или пропустите."
            }
            CampaignStep::EndsAt => {
                "Пришлите время в будущем, например 2027-01-31 или 2027-01-31 18:00, или пропустите."
            }
            CampaignStep::Confirm => "Нажмите, пожалуйста, одну из кнопок.",
        }
    }

    fn skip(&self) -> &'static str {
        "Пропустить"
    }

    fn campaign_summary(&self, code: &str, offer: &Offer, total: Option<u32>, each: Option<u32>) -> String {
        let limit =
            |count: Option<u32>| count.map_or("без ограничения".to_owned(), |count| count.to_string());
        let ends = offer.ends_at.map_or("Без срока".to_owned(), |ends_at| self.valid_until(ends_at));
        format!(
            "{}\nКод: {code}\nДаёт: {}\nВсего: {}\nНа человека: {}\n{ends}\n\nВсё верно?",
            offer.campaign,
            offer.benefit.as_deref().unwrap_or("–"),
            limit(total),
            limit(each),
        )
    }

    fn campaign_choices(&self) -> [&'static str; 3] {
        ["Открыть сейчас", "Оставить черновиком", "Не создавать"]
    }

    fn drafted(&self, campaign: &str) -> String {
        format!("Акция «{campaign}» сохранена как черновик.")
    }

    fn opened(&self, campaign: &str, code: &str, link: Option<&str>) -> String {
        let link = link.map(|link| format!("\n\nПо этой ссылке код активируется сразу:\n{link}")).unwrap_or_default();
        format!("Акция «{campaign}» открыта: код {code} можно активировать.{link}")
    }

    fn code_taken(&self, code: &str) -> String {
        format!("Код {code} занят другой акцией, поэтому эта осталась черновиком. Завершите другую или смените код.")
    }

    fn broadcast_text(&self) -> &'static str {
        "Что написать всем? Работает HTML Telegram: <b>жирный</b>, <i>курсив</i>, ссылки. /cancel прервёт."
    }

    fn broadcast_wrong(&self, reason: &str) -> String {
        format!("Так отправить нельзя: {reason}. Напишите, пожалуйста, ещё раз.")
    }

    fn broadcast_preview(&self, recipients: i64) -> String {
        format!("Это получат {}. Отправить?", plural(recipients, "человек", "человека", "человек"))
    }

    fn broadcast_choices(&self) -> [&'static str; 2] {
        ["Отправить", "Не отправлять"]
    }

    fn broadcast_sent(&self) -> &'static str {
        "Рассылка началась."
    }

    fn submission(&self, campaign: &str, name: &str, answers: &[Answer]) -> String {
        let answers: String = answers.iter().map(|said| format!("\n\n{}\n→ {}", said.question, said.answer)).collect();
        format!("{name}: ответы на вопросы акции «{campaign}».{answers}")
    }

    fn submission_choices(&self) -> [&'static str; 2] {
        ["Одобрить", "Отклонить"]
    }

    fn approved(&self) -> &'static str {
        "Одобрено. Купон активируется."
    }

    fn approval_failed(&self, reason: &str) -> String {
        format!("Заявка была одобрена, но купон не удалось активировать: {reason}. Решите ещё раз.")
    }

    fn why_rejected(&self) -> &'static str {
        "Почему? Я передам вашими словами. /cancel прервёт."
    }

    fn reason_too_long(&self) -> &'static str {
        "Слишком длинно. Уложитесь, пожалуйста, в 500 символов."
    }

    fn rejection_told(&self) -> &'static str {
        "Отклонено. Причина сообщена."
    }

    fn decided_before(&self) -> &'static str {
        "По этим ответам уже есть решение."
    }

    fn numbers(&self, numbers: &Numbers) -> String {
        format!(
            "Открытых акций: {}\nАктивировано сегодня: {}, за 7 дней: {}\nНеудачных кодов сегодня: {}\n\
             Людей за 7 дней: {}, можно написать: {}\nОтветов ждут проверки: {}",
            numbers.active_campaigns,
            numbers.redeemed_today,
            numbers.redeemed_week,
            numbers.missed_today,
            numbers.people_week,
            numbers.reachable,
            numbers.pending,
        )
    }

    fn which_to_pause(&self) -> &'static str {
        "Какую акцию приостановить?"
    }

    fn which_to_resume(&self) -> &'static str {
        "Какую акцию продолжить?"
    }

    fn nothing_to_pause(&self) -> &'static str {
        "Открытых акций нет."
    }

    fn nothing_to_resume(&self) -> &'static str {
        "Приостановленных акций нет."
    }

    fn paused(&self, campaign: &str) -> String {
        format!("Акция «{campaign}» приостановлена. /resume продолжит её.")
    }

    fn resumed(&self, campaign: &str) -> String {
        format!("Акция «{campaign}» продолжается.")
    }

    fn not_possible(&self, campaign: &str) -> String {
        format!("С акцией «{campaign}» сейчас так нельзя.")
    }

    fn no_such_campaign(&self, code: &str) -> String {
        format!("Акции с кодом {code} нет.")
    }
}
