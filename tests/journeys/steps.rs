//! Whatever step of a subscriber's life a process dies at, before it or after it, another process
//! goes on and it ends the same: nobody is in who should be out, nobody is out who paid, and
//! nobody gets a message twice, but for the one that was on its way.

use std::collections::BTreeSet;

use serde_json::json;

use super::shop::{Shop, begins};
use crate::support::{
    Process,
    steps::{Cut, Side, Steps},
};

/// What happens to somebody who subscribes, and whether they are in the channel after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Buy,
    Enter,
    FailToPay,
    Pay,
    Cancel,
}

impl Act {
    const ALL: [Self; 5] = [Self::Buy, Self::Enter, Self::FailToPay, Self::Pay, Self::Cancel];

    const fn ends_inside(self) -> bool {
        !matches!(self, Self::Buy | Self::Cancel)
    }
}

const SAID: [&str; 4] = [
    "Welcome to VIP!",
    "Your payment for VIP did not go through.",
    "Thank you, your payment for VIP has arrived.",
    "Your subscription has ended, so you are not in VIP any more.",
];

/// A message is sent, and it is noted that it was.
const SENT: &str = "telegram POST sendMessage";
const NOTED: &str = "job telegram_message done";
/// Comes when what a subscription says is told to the member twice, one version after the other, and not
/// when the later version is there before the first is told.
const SOMETIMES: &str = "event Confirmed";

/// A shop whose process is watched.
struct Watched {
    shop: Shop,
    steps: Steps,
    telegram: String,
    stripe: String,
    process: Option<Process>,
}

/// Somebody who subscribes.
struct Subscriber {
    user: i64,
    /// At Stripe, when they have one.
    subscription: String,
}

impl Watched {
    async fn open() -> Self {
        let shop = Shop::open().await;
        let mut steps = Steps::watch(shop.world.pool.clone()).await;
        let telegram = steps.gate("telegram", &shop.world.telegram.url).await;
        let stripe = steps.gate("stripe", &shop.stripe.url).await;
        let mut watched = Self { shop, steps, telegram, stripe, process: None };
        watched.start().await;
        watched.shop.channel().open(watched.process.as_ref().unwrap(), &watched.shop.price).await;
        watched
    }

    /// People who write to the bot for the first time.
    async fn arrive(&self, users: std::ops::Range<i64>) -> Vec<Subscriber> {
        for user in users.clone() {
            self.shop.world.telegram.say(user, "/start").await;
        }
        self.shop.settled().await;
        users.map(|user| Subscriber { user, subscription: String::new() }).collect()
    }

    async fn start(&mut self) {
        let settings = [
            ("TELEGRAM_API_URL", self.telegram.as_str()),
            ("STRIPE_API_URL", &self.stripe),
            // What a dead process had in hand is taken up soon; a living one has time to say that it lives.
            ("JOB_LEASE_SECONDS", "3"),
            ("REMOVALS_PER_HOUR", "1000"),
        ];
        self.process = Some(self.shop.process_with(&settings).await);
    }

    /// The act begins; whether whoever began it got an answer.
    async fn begin(&self, act: Act, who: &mut Subscriber) -> bool {
        let Subscriber { user, subscription } = who;
        match act {
            Act::Buy => {
                let email = format!("{user}@example.com");
                *subscription = self.shop.stripe.buy(&self.shop.price, *user, &email).await;
            }
            Act::Enter => self.shop.follow(*user, &self.shop.link(*user).await).await,
            Act::FailToPay => {
                self.shop.stripe.act(&format!("subscriptions/{subscription}/fail_next"), json!({})).await;
                self.shop.stripe.act(&format!("subscriptions/{subscription}/advance"), json!({})).await;
            }
            Act::Pay => {
                let invoice = self.shop.stripe.last_invoice(subscription).await;
                self.shop.stripe.act(&format!("invoices/{invoice}/pay"), json!({})).await;
            }
            Act::Cancel => return self.cancel(*user).await,
        }
        true
    }

    /// An admin asks for it; the same request as often as it takes.
    async fn cancel(&self, user: i64) -> bool {
        let process = self.process.as_ref().unwrap();
        let wish = json!({ "email": format!("{user}@example.com"), "when": "now", "reason": "asked by e-mail" });
        let request = process.admin(reqwest::Method::POST, "/api/telegram/cancel-subscription").await;
        let sent = request.header("idempotency-key", format!("cancel-{user}")).json(&wish).send().await;
        let Ok(answer) = sent else { return false };
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap_or_default());
        true
    }

    /// All of them do it, and all that comes of it is done.
    async fn undisturbed(&self, act: Act, everybody: &mut [Subscriber]) {
        for who in everybody.iter_mut() {
            assert!(self.begin(act, who).await, "{act:?} was not answered");
        }
        self.shop.settled().await;
        for who in everybody {
            self.look(act, who.user, None).await;
        }
    }

    /// The act is done, but the process dies at this step and another one goes on. Whether a message was on
    /// its way then: Telegram had it, and nobody had noted that.
    async fn cut(&mut self, act: Act, who: &mut Subscriber, cut: &Cut) -> bool {
        self.steps.seen().await;
        self.steps.arm(self.process.as_ref().unwrap(), cut).await;
        // The request of an admin ends when the process does.
        let (answered, stopped) = tokio::join!(self.begin(act, who), self.steps.killed());
        self.process.take().unwrap().ended().await;
        self.steps.go_on(stopped).await;
        let seen = self.steps.seen().await;
        self.start().await;
        if !answered {
            assert!(self.begin(act, who).await, "{act:?} was not answered by the next process");
        }
        self.shop.settled().await;
        self.look(act, who.user, Some(cut)).await;
        seen.contains(SENT) && !seen.contains(NOTED)
    }

    async fn look(&self, act: Act, user: i64, cut: Option<&Cut>) {
        let inside = self.shop.inside().await.contains(&user);
        assert_eq!(inside, act.ends_inside(), "{user} after {act:?}, killed at {cut:?}");
    }

    /// What was said in all: the same whatever happened, and twice only what was on its way when
    /// the process died, which is said again for sure.
    async fn overhear(&self, user: i64, on_its_way: bool, cut: Option<&Cut>) {
        let mut said = self.shop.said(user).await;
        let sent = said.len();
        said.dedup();
        begins(&said, &SAID);
        assert_eq!(sent, said.len() + usize::from(on_its_way), "{user}, killed at {cut:?}: {said:#?}");
    }
}

/// Each step of one act, in one shop; how many there are.
async fn each_step_of(act: Act) -> usize {
    let mut shop = Watched::open().await;
    // Steps that always come: what came each time when nothing was in the way.
    let mut found: Option<BTreeSet<String>> = None;
    for user in [39_998, 39_999] {
        let mut who = shop.arrive(user..user + 1).await;
        for each in Act::ALL {
            shop.steps.taken().await;
            shop.undisturbed(each, &mut who).await;
            if each == act {
                let taken = shop.steps.taken().await;
                found = Some(found.map_or(taken.clone(), |before| &before & &taken));
            }
        }
        shop.overhear(user, false, None).await;
    }
    let mut steps = found.unwrap();
    steps.remove(SOMETIMES);
    let cuts: Vec<Cut> =
        steps.iter().flat_map(|step| [Side::Before, Side::After].map(|side| (step.clone(), side))).collect();
    // For each of them somebody who lives through all, and it is cut there.
    let mut everybody = shop.arrive(40_000..40_000 + cuts.len() as i64).await;
    let mut on_its_way = vec![];
    for each in Act::ALL {
        if each != act {
            shop.undisturbed(each, &mut everybody).await;
            continue;
        }
        for (who, cut) in everybody.iter_mut().zip(&cuts) {
            println!("{act:?}, killed at {cut:?}");
            on_its_way.push(shop.cut(each, who, cut).await);
        }
    }
    for ((who, cut), on_its_way) in everybody.iter().zip(&cuts).zip(on_its_way) {
        shop.overhear(who.user, on_its_way, Some(cut)).await;
    }
    shop.shop.world.audit().await;
    steps.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_and_after_each_step_it_ends_the_same() {
    let lane = async |acts: &'static [Act]| {
        for act in acts {
            let steps = each_step_of(*act).await;
            // Each act is stored, worked, decided, carried on and told at the least.
            assert!(steps >= 6, "{act:?}: {steps} steps");
        }
    };
    // As many at once as a server has connections for; what takes longest is by itself.
    tokio::join!(lane(&[Act::Cancel]), lane(&[Act::Buy, Act::Enter]), lane(&[Act::FailToPay, Act::Pay]));
}
