//! The header `Stripe-Signature`: that a webhook is Stripe's, and not an old one.
//!
//! `t=<seconds>,v1=<hex>[,v1=<hex>…]`, where each `v1` is the HMAC-SHA256 of
//! `<seconds>.<body>` under one secret of the endpoint; while a secret is being
//! replaced there is one for each (<https://docs.stripe.com/webhooks/signatures>).

use std::time::Duration;

use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::secrets::{Secret, hex};

/// How far the time in a header may be from now, either way: what Stripe's own
/// libraries allow.
pub const TOLERANCE: Duration = Duration::from_secs(300);

/// More signatures than there ever are secrets; the rest of a longer header is not looked at.
const MOST_SIGNATURES: usize = 16;

/// Why a webhook is not believed. Nothing of what was sent is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No header, or none of the form above.
    #[error("the header Stripe-Signature is missing or cannot be read")]
    Malformed,
    /// It has signatures, but of other schemes than `v1`.
    #[error("the header Stripe-Signature has no signature of the scheme v1")]
    NoSignature,
    /// No signature is that of the body under any secret of ours.
    #[error("no signature in Stripe-Signature is that of this body")]
    NoMatch,
    /// The signature is right, but its time is too far from now.
    #[error("the time in Stripe-Signature is more than {}s from now", TOLERANCE.as_secs())]
    Stale,
}

/// Whether one of these secrets signed the body, and did so not long ago. Takes as
/// long for a signature that is nearly right as for any other.
///
/// # Errors
/// [`SignatureError`]. A stale signature is told from a wrong one, as only its owner could have made it.
pub fn verify(header: &str, body: &[u8], secrets: &[Secret], now: DateTime<Utc>) -> Result<(), SignatureError> {
    let mut time = None;
    let mut signatures: Vec<[u8; 32]> = vec![];
    let mut v1 = false;
    for part in header.split(',') {
        let (scheme, value) = part.trim().split_once('=').ok_or(SignatureError::Malformed)?;
        match scheme {
            "t" if time.is_none() => time = Some(value),
            "t" => return Err(SignatureError::Malformed),
            "v1" => {
                v1 = true;
                signatures.extend(unhex(value).filter(|_| signatures.len() < MOST_SIGNATURES));
            }
            _ => {}
        }
    }
    let time = time.ok_or(SignatureError::Malformed)?;
    let seconds: i64 = time.parse().map_err(|_| SignatureError::Malformed)?;
    if !v1 {
        return Err(SignatureError::NoSignature);
    }
    let mut matches = subtle::Choice::from(0);
    for secret in secrets {
        // Signed is the text of the time, whatever number it stands for.
        let expected = mac(secret.reveal(), time, body);
        for signature in &signatures {
            matches |= signature.ct_eq(&expected);
        }
    }
    if !bool::from(matches) {
        return Err(SignatureError::NoMatch);
    }
    if now.timestamp().abs_diff(seconds) > TOLERANCE.as_secs() {
        return Err(SignatureError::Stale);
    }
    Ok(())
}

/// The header that Stripe would send with this body at this time, with a signature
/// under each of the secrets.
#[must_use]
pub fn sign<S: AsRef<str>>(secrets: &[S], at: DateTime<Utc>, body: &[u8]) -> String {
    let time = at.timestamp().to_string();
    let mut header = format!("t={time}");
    for secret in secrets {
        header.push_str(",v1=");
        header.push_str(&hex(&mac(secret.as_ref(), &time, body)));
    }
    header
}

fn mac(secret: &str, time: &str, body: &[u8]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.finalize().into_bytes().into()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AT: i64 = 1_800_000_000;
    const BODY: &str = r#"{"id":"evt_1","object":"event","type":"invoice.paid","data":{"object":{"id":"in_1","description":"Gold – für Zoë"}}}"#;
    // Both libraries of Stripe say the same of BODY at AT:
    //   python: stripe.WebhookSignature._compute_signature(f"{AT}.{BODY}", secret)            (PyPI stripe 16.1.0)
    //   node:   stripe.webhooks.generateTestHeaderString({payload, secret, timestamp})        (npm stripe)
    const ONE: &str = "e64b87976cde3db941930be26878ddd16800b6e357b43cb9b528049cd64ca14c";
    const TWO: &str = "6a427156cbf97c1a10c82ab7f198073c0aa981d160391c3d266cb61059a19875";
    /// Of the empty body, under the first secret.
    const EMPTY: &str = "51a53b687e937840ee4132f26d115770d76ef81fdd37cf510f7213229d6563b4";

    fn secrets(texts: &[&str]) -> Vec<Secret> {
        texts.iter().map(|text| Secret::new((*text).to_owned())).collect()
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn check(header: &str, texts: &[&str], now: i64) -> Result<(), SignatureError> {
        verify(header, BODY.as_bytes(), &secrets(texts), at(now))
    }

    #[test]
    fn what_stripes_own_libraries_sign_is_believed() {
        assert_eq!(check(&format!("t={AT},v1={ONE}"), &["whsec_one"], AT), Ok(()));
        assert_eq!(check(&format!("t={AT},v1={TWO}"), &["whsec_two"], AT), Ok(()));
        assert_eq!(verify(&format!("t={AT},v1={EMPTY}"), b"", &secrets(&["whsec_one"]), at(AT)), Ok(()));
        assert_eq!(sign(&["whsec_one", "whsec_two"], at(AT), BODY.as_bytes()), format!("t={AT},v1={ONE},v1={TWO}"));
    }

    #[test]
    fn while_secrets_change_any_pair_will_do() {
        for (header, ours) in [
            (format!("t={AT},v1={ONE},v1={TWO}"), &["whsec_two"][..]),
            (format!("t={AT},v1={TWO},v1={ONE}"), &["whsec_two"]),
            (format!("t={AT},v1={ONE}"), &["whsec_two", "whsec_one"]),
            (format!("t={AT},v0={TWO},v1=zz,v1={ONE}"), &["whsec_one"]),
            (format!("t={AT}, v1={}", ONE.to_uppercase()), &["whsec_one"]),
        ] {
            assert_eq!(check(&header, ours, AT), Ok(()), "{header}");
        }
    }

    #[test]
    fn it_is_good_for_five_minutes_either_way() {
        let header = format!("t={AT},v1={ONE}");
        for now in [AT - 300, AT + 300] {
            assert_eq!(check(&header, &["whsec_one"], now), Ok(()));
        }
        for now in [AT - 301, AT + 301, 0] {
            assert_eq!(check(&header, &["whsec_one"], now), Err(SignatureError::Stale));
        }
    }

    #[test]
    fn everything_else_is_refused_for_its_own_reason() {
        use SignatureError::{Malformed, NoMatch, NoSignature};
        for (header, error) in [
            (String::new(), Malformed),
            (format!("v1={ONE}"), Malformed),
            (format!("t=soon,v1={ONE}"), Malformed),
            (format!("t={AT},t={AT},v1={ONE}"), Malformed),
            (format!("t={AT};v1={ONE}"), Malformed),
            (format!("t={AT}"), NoSignature),
            (format!("t={AT},v0={ONE}"), NoSignature),
            (format!("t={AT},v1={TWO}"), NoMatch),
            (format!("t={AT},v1=é{}", &ONE[2..]), NoMatch),
            (format!("t={},v1={ONE}", AT + 1), NoMatch),
            (format!("t=0{AT},v1={ONE}"), NoMatch),
        ] {
            assert_eq!(check(&header, &["whsec_one"], AT), Err(error), "{header}");
        }
        assert_eq!(check(&format!("t={AT},v1={ONE}"), &[], AT), Err(NoMatch));
        assert_eq!(verify(&format!("t={AT},v1={ONE}"), b"{}", &secrets(&["whsec_one"]), at(AT)), Err(NoMatch));
    }

    proptest! {
        #[test]
        fn no_header_panics(header in "(t=[0-9]{0,20}|v1=[0-9a-f]{0,64}|[a-z0-9=,é ]{0,9})(,(t=-?[0-9]{0,20}|v1=[0-9a-fé]{60,64}))*") {
            prop_assert!(check(&header, &["whsec_one"], AT).is_err());
        }
    }
}
