//! What subscribers are told about the channel, in each language.

use aggregates::subscription::EndReason;
use chrono::{DateTime, TimeDelta, Utc};

use super::{
    english::English,
    russian::{Russian, date, plural},
};

/// How long access lasts, in the unit in which one would say it.
enum Left {
    Soon,
    Hours(i64),
    /// At this time of the day tomorrow, give or take two hours.
    Tomorrow,
    Days(i64),
}

impl Left {
    fn of(left: TimeDelta) -> Self {
        // To the nearest hour, and day.
        match (left.num_minutes() + 30) / 60 {
            ..1 => Self::Soon,
            22..=26 => Self::Tomorrow,
            hours @ 1..48 => Self::Hours(hours),
            hours => Self::Days((hours + 12) / 24),
        }
    }
}

/// Why access is over: what comes before its consequence.
const fn over(reason: Option<EndReason>) -> &'static str {
    match reason {
        Some(EndReason::Canceled | EndReason::PeriodOver) => "Your subscription has ended",
        Some(EndReason::GraceOver | EndReason::Unpaid) => "The last payment for your subscription did not arrive",
        Some(EndReason::Paused | EndReason::IncompleteExpired) => "Your subscription has not been paid",
        Some(EndReason::GrantOver | EndReason::ExtensionOver) => "The time you were given is over",
        Some(EndReason::Refunded) => "Your payment was refunded",
        Some(EndReason::Disputed) => "Your bank has asked for your payment back",
        Some(EndReason::Revoked | EndReason::UnknownStatus) | None => "Your access has ended",
    }
}

/// The same in Russian.
const fn over_in_russian(reason: Option<EndReason>) -> &'static str {
    match reason {
        Some(EndReason::Canceled | EndReason::PeriodOver) => "Ваша подписка закончилась",
        Some(EndReason::GraceOver | EndReason::Unpaid) => "Последняя оплата подписки не поступила",
        Some(EndReason::Paused | EndReason::IncompleteExpired) => "Подписка не была оплачена",
        Some(EndReason::GrantOver | EndReason::ExtensionOver) => "Предоставленный вам срок истёк",
        Some(EndReason::Refunded) => "Ваш платёж возвращён",
        Some(EndReason::Disputed) => "Ваш банк отозвал платёж",
        Some(EndReason::Revoked | EndReason::UnknownStatus) | None => "Ваш доступ закончился",
    }
}

/// The texts about the channel in one language. `plan` is the plan's name.
pub trait ChannelTexts {
    /// An instant, for people.
    fn instant(&self, at: DateTime<Utc>) -> String;
    /// Above the first link.
    fn channel_welcome(&self, plan: &str, until: Option<DateTime<Utc>>) -> String;
    /// Above the link of somebody who was in before.
    fn channel_welcome_back(&self, plan: &str, until: Option<DateTime<Utc>>) -> String;
    /// On the button that opens the channel.
    fn join_button(&self) -> &'static str;
    /// A payment failed. `until`: they stay in until then; `is_in`: they are in at all.
    fn payment_failed(&self, plan: &str, until: Option<DateTime<Utc>>, is_in: bool) -> String;
    /// The bank wants a payment confirmed.
    fn payment_unconfirmed(&self, plan: &str) -> String;
    /// On the button where one pays.
    fn pay_button(&self) -> &'static str;
    /// What was late is paid.
    fn payment_received(&self, plan: &str) -> String;
    /// Access ends soon: after what is `left`.
    fn access_ends(&self, plan: &str, left: TimeDelta, until: DateTime<Utc>) -> String;
    /// On the button where one goes on.
    fn renew_button(&self) -> &'static str;
    /// They are out.
    fn removed_from_channel(&self, plan: &str, reason: Option<EndReason>) -> String;
    /// Access is over before they used the link.
    fn invitation_over(&self, plan: &str, reason: EndReason) -> String;
    /// Another account has their place.
    fn place_moved(&self, plan: &str) -> String;
    /// Another account followed their link.
    fn link_misused(&self, plan: &str) -> String;
}

impl ChannelTexts for English {
    fn instant(&self, at: DateTime<Utc>) -> String {
        at.format("%-d %B %Y, %H:%M UTC").to_string()
    }

    fn channel_welcome(&self, plan: &str, until: Option<DateTime<Utc>>) -> String {
        let until = until.map(|until| format!(" It is yours until {}.", self.instant(until))).unwrap_or_default();
        format!(
            "Welcome to {plan}!{until}\n\nThe button below is your own way into the channel: ask to join, and you are \
             let in at once. It works for your account only, so please don't pass it on."
        )
    }

    fn channel_welcome_back(&self, plan: &str, until: Option<DateTime<Utc>>) -> String {
        let until = until.map(|until| format!(" It is yours until {}.", self.instant(until))).unwrap_or_default();
        format!("Welcome back to {plan}!{until}\n\nThe button below brings you into the channel again.")
    }

    fn join_button(&self) -> &'static str {
        "Join the channel"
    }

    fn payment_failed(&self, plan: &str, until: Option<DateTime<Utc>>, is_in: bool) -> String {
        let access = match (until, is_in) {
            (Some(until), _) => format!("You stay in the channel until {}.", self.instant(until)),
            (None, true) => "You are still in the channel.".to_owned(),
            (None, false) => "Until it is paid, you are out of the channel.".to_owned(),
        };
        format!(
            "Your payment for {plan} did not go through. {access}\n\nPlease check your card or choose another way to \
             pay; everything else goes on by itself."
        )
    }

    fn payment_unconfirmed(&self, plan: &str) -> String {
        format!("Your bank wants you to confirm the payment for {plan}. Please do so soon, or it will fail.")
    }

    fn pay_button(&self) -> &'static str {
        "Check my payment"
    }

    fn payment_received(&self, plan: &str) -> String {
        format!("Thank you, your payment for {plan} has arrived. Nothing else to do.")
    }

    fn access_ends(&self, plan: &str, left: TimeDelta, until: DateTime<Utc>) -> String {
        let when = match Left::of(left) {
            Left::Soon => "within the hour".to_owned(),
            Left::Hours(1) => "in an hour".to_owned(),
            Left::Hours(hours) => format!("in {hours} hours"),
            Left::Tomorrow => "tomorrow".to_owned(),
            Left::Days(days) => format!("in {days} days"),
        };
        format!("Your access to {plan} ends {when}, on {}.", self.instant(until))
    }

    fn renew_button(&self) -> &'static str {
        "Keep my subscription"
    }

    fn removed_from_channel(&self, plan: &str, reason: Option<EndReason>) -> String {
        let plan = if plan.is_empty() { "the channel" } else { plan };
        let why = over(reason);
        format!("{why}, so you are not in {plan} any more. You are welcome to come back at any time.")
    }

    fn invitation_over(&self, plan: &str, reason: EndReason) -> String {
        let why = over(Some(reason));
        format!("{why}, so your link into {plan} does not work any more. You are welcome to come back at any time.")
    }

    fn place_moved(&self, plan: &str) -> String {
        format!(
            "Your place in {plan} has moved to another Telegram account, so this one is not in it any more. If you did \
             not ask for that, please write to us."
        )
    }

    fn link_misused(&self, plan: &str) -> String {
        format!(
            "Somebody else tried to join {plan} with your link and was turned away. Your own access is safe. If that \
             was you with another account, please write to us."
        )
    }
}

impl ChannelTexts for Russian {
    fn instant(&self, at: DateTime<Utc>) -> String {
        format!("{}, {} UTC", date(at), at.format("%H:%M"))
    }

    fn channel_welcome(&self, plan: &str, until: Option<DateTime<Utc>>) -> String {
        let until = until.map(|until| format!(" Доступ открыт до {}.", self.instant(until))).unwrap_or_default();
        format!(
            "Добро пожаловать в {plan}!{until}\n\nКнопка ниже – ваш личный вход в канал: подайте заявку, и вас сразу \
             впустят. Она работает только для вашего аккаунта, поэтому не пересылайте её, пожалуйста."
        )
    }

    fn channel_welcome_back(&self, plan: &str, until: Option<DateTime<Utc>>) -> String {
        let until = until.map(|until| format!(" Доступ открыт до {}.", self.instant(until))).unwrap_or_default();
        format!("С возвращением в {plan}!{until}\n\nКнопка ниже снова приведёт вас в канал.")
    }

    fn join_button(&self) -> &'static str {
        "Войти в канал"
    }

    fn payment_failed(&self, plan: &str, until: Option<DateTime<Utc>>, is_in: bool) -> String {
        let access = match (until, is_in) {
            (Some(until), _) => format!("Вы остаётесь в канале до {}.", self.instant(until)),
            (None, true) => "Пока вы остаётесь в канале.".to_owned(),
            (None, false) => "До оплаты доступ в канал закрыт.".to_owned(),
        };
        format!(
            "Оплата за {plan} не прошла. {access}\n\nПроверьте, пожалуйста, карту или выберите другой способ оплаты; \
             остальное произойдёт само."
        )
    }

    fn payment_unconfirmed(&self, plan: &str) -> String {
        format!("Ваш банк просит подтвердить оплату за {plan}. Сделайте это, пожалуйста, скорее, иначе она не пройдёт.")
    }

    fn pay_button(&self) -> &'static str {
        "Проверить оплату"
    }

    fn payment_received(&self, plan: &str) -> String {
        format!("Спасибо, оплата за {plan} получена. Больше ничего делать не нужно.")
    }

    fn access_ends(&self, plan: &str, left: TimeDelta, until: DateTime<Utc>) -> String {
        let when = match Left::of(left) {
            Left::Soon => "в течение часа".to_owned(),
            Left::Hours(hours) => format!("через {}", plural(hours, "час", "часа", "часов")),
            Left::Tomorrow => "завтра".to_owned(),
            Left::Days(days) => format!("через {}", plural(days, "день", "дня", "дней")),
        };
        format!("Ваш доступ в {plan} заканчивается {when}: {}.", self.instant(until))
    }

    fn renew_button(&self) -> &'static str {
        "Продлить подписку"
    }

    fn removed_from_channel(&self, plan: &str, reason: Option<EndReason>) -> String {
        let plan = if plan.is_empty() { "канал" } else { plan };
        let why = over_in_russian(reason);
        format!("{why}, поэтому доступ в {plan} закрыт. Мы будем рады, если вы вернётесь.")
    }

    fn invitation_over(&self, plan: &str, reason: EndReason) -> String {
        let why = over_in_russian(Some(reason));
        format!("{why}, поэтому ваша ссылка в {plan} больше не работает. Мы будем рады, если вы вернётесь.")
    }

    fn place_moved(&self, plan: &str) -> String {
        format!(
            "Ваше место в {plan} перешло к другому аккаунту Telegram, поэтому с этого аккаунта доступ закрыт. Если вы об \
             этом не просили, напишите нам, пожалуйста."
        )
    }

    fn link_misused(&self, plan: &str) -> String {
        format!(
            "Кто-то другой попытался войти в {plan} по вашей ссылке и получил отказ. Ваш доступ не пострадал. Если это \
             были вы с другого аккаунта, напишите нам, пожалуйста."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_said_as_it_is() {
        let says = |minutes| {
            let (left, until) = (TimeDelta::minutes(minutes), DateTime::UNIX_EPOCH);
            let text = English.access_ends("VIP", left, until);
            let russian = Russian.access_ends("VIP", left, until);
            let english = text.split_once("ends ").unwrap().1.split_once(',').unwrap().0.to_owned();
            (english, russian.split_once("заканчивается ").unwrap().1.split_once(':').unwrap().0.to_owned())
        };
        for (minutes, english, russian) in [
            (0, "within the hour", "в течение часа"),
            (20, "within the hour", "в течение часа"),
            (61, "in an hour", "через 1 час"),
            (5 * 60, "in 5 hours", "через 5 часов"),
            (24 * 60, "tomorrow", "завтра"),
            (24 * 60 - 2, "tomorrow", "завтра"),
            (36 * 60, "in 36 hours", "через 36 часов"),
            (72 * 60 - 2, "in 3 days", "через 3 дня"),
            (120 * 60, "in 5 days", "через 5 дней"),
        ] {
            assert_eq!(says(minutes), (english.to_owned(), russian.to_owned()), "{minutes} minutes");
        }
    }
}
