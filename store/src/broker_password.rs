//! Passwords as RabbitMQ keeps them: salted and hashed, so that ours never has to know one.
//!
//! `base64(salt ‖ SHA-512(salt ‖ password))`, <https://www.rabbitmq.com/docs/passwords#computing-password-hash>.

use base64::{Engine, engine::general_purpose::STANDARD as B64};
use sha2::{Digest, Sha512};

/// What the management API calls this way of hashing.
pub const ALGORITHM: &str = "rabbit_password_hashing_sha512";
pub const SALT_BYTES: usize = 4;

/// The hash that the broker compares with.
#[must_use]
pub fn hash(password: &str, salt: [u8; SALT_BYTES]) -> String {
    let mut salted = salt.to_vec();
    salted.extend(
        Sha512::new()
            .chain_update(salt)
            .chain_update(password)
            .finalize(),
    );
    B64.encode(salted)
}

/// Whether the hash is this password's.
#[must_use]
pub fn matches(hashed: &str, password: &str) -> bool {
    let salt = B64.decode(hashed).ok();
    let salt = salt.and_then(|bytes| <[u8; SALT_BYTES]>::try_from(bytes.get(..SALT_BYTES)?).ok());
    salt.is_some_and(|salt| hash(password, salt) == hashed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That a broker takes it is shown by every story of a partner.
    #[test]
    fn a_hash_begins_with_its_salt_and_fits_its_password_only() {
        let hashed = hash("secret", [1, 2, 3, 4]);
        assert!(hashed.starts_with("AQIDB"), "{hashed}");
        assert_eq!(B64.decode(&hashed).unwrap().len(), 4 + 64);
        assert!(matches(&hashed, "secret"));
        for other in ["Secret", "", "secret "] {
            assert!(!matches(&hashed, other), "{other:?}");
        }
        assert!(!matches("", "secret"));
        assert!(!matches("AQI=", "secret"));
        assert_ne!(hash("secret", [1, 2, 3, 5]), hashed);
    }
}
