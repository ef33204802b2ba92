//! What there is, and what somebody has.

use aggregates::{
    Campaign, UniqueCode,
    campaign::{Asked, Audience, Refusal, Status, Terms},
};
use projections::{
    campaigns::{self, Filter, Sort},
    coupons::{self as held, Held},
};
use uuid::Uuid;

use super::{
    super::texts::Offer,
    Replies,
    input::card_data,
    turn::{Turn, button},
};
use crate::{
    coupons,
    integrations::telegram::text::{LONGEST, units},
    jobs::{Job, JobError},
};

/// Campaigns and coupons on one message.
const SHOWN: i64 = 10;

/// The campaigns that are open to everybody, the newest first.
pub(super) async fn campaigns(turn: &Turn<'_>) -> Result<Vec<Job>, JobError> {
    let filter = Filter { status: Some(Status::Active), ..Filter::default() };
    // Some of them may be for few.
    let page = campaigns::list(&turn.app.pool, &filter, Sort::CreatedAt, true, None, 5 * SHOWN).await;
    let rows = page.map_err(|error| JobError::retry(&error))?.rows;
    let offers: Vec<String> = rows
        .iter()
        .map(|row| &row.terms.0)
        .filter(|terms| !terms.unlisted && terms.audience == Audience::Everyone)
        .filter(|terms| terms.starts_at.is_none_or(|starts_at| starts_at <= turn.at))
        .filter(|terms| terms.ends_at.is_none_or(|ends_at| turn.at < ends_at))
        .take(SHOWN as usize)
        .map(|terms| turn.texts.offer(&Offer::new(terms, turn.texts)))
        .collect();
    Ok(match offers.is_empty() {
        true => turn.say(turn.texts.no_campaigns()),
        false => turn.say(fitting(turn.texts.campaigns(), &offers)),
    })
}

/// The coupons somebody was given or redeemed, with buttons for their cards.
pub(super) async fn coupons(turn: &Turn<'_>) -> Result<Vec<Job>, JobError> {
    let held = held::held_by(&turn.app.pool, turn.person.0, SHOWN).await.map_err(|error| JobError::retry(&error))?;
    let (mut lines, mut buttons) = (vec![], vec![]);
    for coupon in held {
        let found = campaigns::find(&turn.app.pool, coupon.campaign_id).await;
        let Some(row) = found.map_err(|error| JobError::retry(&error))? else { continue };
        let unique = unique(&coupon);
        let code = match unique {
            Some(unique) => coupons::text(turn.app, unique).await.map_err(|error| JobError::retry(&error))?,
            None => row.code.clone(),
        };
        let Some(code) = code else { continue };
        lines.push(match coupon.redeemed_at {
            Some(at) => turn.texts.coupon_redeemed(&code, &row.name, at),
            None => match good_for(turn, row.id, unique).await? {
                Some(terms) => turn.texts.coupon_open(&code, &Offer::new(&terms, turn.texts)),
                // Nothing to come for.
                None => continue,
            },
        });
        let data = card_data(row.id, unique);
        buttons.extend(button(turn.texts.card_button(&row.name), data).map(|button| vec![button]));
    }
    Ok(match lines.is_empty() {
        true => turn.say(turn.texts.no_coupons()),
        false => turn.ask(fitting(turn.texts.coupons(), &lines), buttons),
    })
}

/// The terms of a coupon that was given to somebody; none when it is good for nothing
/// any more, whatever is still to be done or waited for.
async fn good_for(turn: &Turn<'_>, campaign: Uuid, coupon: Option<UniqueCode>) -> Result<Option<Terms>, JobError> {
    let asked = Asked {
        person: turn.person,
        coupon,
        code: None,
        reservation: None,
        spend: None,
        submission: None,
        at: turn.at,
    };
    let look = |campaign: &Campaign| {
        let lost = match campaign.check(&asked) {
            Err(Refusal::Status { status, .. }) => matches!(status, Status::Ended | Status::Archived),
            Err(Refusal::Over { .. } | Refusal::CodeUsed | Refusal::CodeRevoked | Refusal::OtherKindOfCode) => true,
            Ok(_) | Err(_) => false,
        };
        if lost { None } else { campaign.terms_for(turn.person, coupon) }
    };
    let looked = turn.app.campaigns.look(&campaign.to_string(), |campaign, _, _| look(campaign)).await;
    looked.map_err(|error| JobError::retry(&error))
}

/// The card of a coupon, for who has it.
pub(super) async fn card(turn: &Turn<'_>, campaign: Uuid, coupon: Option<UniqueCode>) -> Result<Replies, JobError> {
    let theirs = held::holds(&turn.app.pool, turn.person.0, campaign, coupon).await;
    let theirs = theirs.map_err(|error| JobError::retry(&error))?;
    // A button can be forged; a card is for who holds the coupon.
    if !theirs.given && !theirs.redeemed {
        return Ok(Replies { jobs: vec![], notice: Some(turn.texts.button_is_old()) });
    }
    Ok(vec![Job::CouponCard {
        campaign,
        coupon,
        chat_id: turn.from.id,
        holder_name: turn.from.first_name.clone(),
        language: turn.from.language_code.clone(),
    }]
    .into())
}

/// As many of the paragraphs as Telegram takes in one message.
fn fitting(first: &str, paragraphs: &[String]) -> String {
    let mut text = first.to_owned();
    for paragraph in paragraphs {
        if units(&text) + units(paragraph) + 2 > LONGEST {
            break;
        }
        text.push_str("\n\n");
        text.push_str(paragraph);
    }
    text
}

fn unique(held: &Held) -> Option<UniqueCode> {
    let (batch, index) = held.batch.zip(held.index)?;
    Some(UniqueCode { batch: batch as u32, index: index as u32 })
}
