//! Signatures as Standard Webhooks 1.0 has them: HMAC-SHA256 over id, time and body.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;

/// Before the secret's Base64.
const PREFIX: &str = "whsec_";
/// What the standard asks for, in bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// Signs with a secret that the receiver knows.
#[derive(Clone)]
pub struct Signer(Hmac<Sha256>);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(..)")
    }
}

impl Signer {
    /// # Errors
    /// When the secret is not `whsec_` and 24 to 64 bytes in Base64; the text holds nothing of it.
    pub fn new(secret: &str) -> Result<Self, String> {
        let wrong = || format!("alerts.webhook_secret: {PREFIX} and 24 to 64 bytes in Base64");
        let key = secret.strip_prefix(PREFIX).ok_or_else(wrong)?;
        let key = BASE64_STANDARD.decode(key).map_err(|_error| wrong())?;
        if !LENGTHS.contains(&key.len()) {
            return Err(wrong());
        }
        let mac = Hmac::new_from_slice(&key).map_err(|_error| wrong())?;
        Ok(Self(mac))
    }

    /// The header's value.
    #[must_use]
    pub fn sign(&self, id: &str, at_secs: i64, body: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(format!("{id}.{at_secs}.{body}").as_bytes());
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The standard's own example.
    #[test]
    fn the_example_of_the_standard_is_signed_as_there() {
        let signer = Signer::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = signer.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_of_another_form_is_refused_without_being_told() {
        for secret in [
            "",
            "whsec_",
            "whsec_!!!",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_c2hvcnQ=",
        ] {
            let error = Signer::new(secret).unwrap_err();
            assert!(error.starts_with("alerts.webhook_secret"), "{error}");
            assert!(secret.len() < 8 || !error.contains(secret), "{error}");
        }
    }
}
