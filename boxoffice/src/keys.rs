//! Secrets as files: made once by `boxoffice keys`, read at start.
//!
//! A file in `keys.folder` fills a setting that is empty. What is set otherwise stays.

use anyhow::{Context as _, Result, bail};
use boxoffice_api::{config::Secret, token};
use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Signs bearer tokens (Ed25519, PKCS #8).
pub(crate) const TOKEN_PRIVATE: &str = "token-private.pem";
/// Checks bearer tokens.
pub(crate) const TOKEN_PUBLIC: &str = "token-public.pem";
/// Seed of the key that signs ticket codes: 64 hex digits.
pub(crate) const TICKET_SEED: &str = "ticket-seed.hex";
/// Signs status links.
pub(crate) const STATUS_LINK: &str = "status-link.secret";

/// Makes what is missing in the folder; returns the names of the files made.
///
/// # Errors
/// When the folder can't be written.
pub(crate) fn create(folder: &Path) -> Result<Vec<&'static str>> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let mut made = Vec::new();
    if !folder.join(TOKEN_PRIVATE).exists() {
        let pair = token::generate()?;
        write(folder, TOKEN_PUBLIC, &pair.public_pem)?;
        write(folder, TOKEN_PRIVATE, pair.private_pem.expose())?;
        made.extend([TOKEN_PRIVATE, TOKEN_PUBLIC]);
    }
    for name in [TICKET_SEED, STATUS_LINK] {
        if !folder.join(name).exists() {
            write(folder, name, &hex(&rand::random::<[u8; 32]>()))?;
            made.push(name);
        }
    }
    Ok(made)
}

/// Readable by its owner alone, and never over an existing file.
fn write(folder: &Path, name: &str, text: &str) -> Result<()> {
    let path = folder.join(name);
    let _ = fs::remove_file(&path);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| path.display().to_string())?;
    file.write_all(text.as_bytes())?;
    Ok(())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A secret of the folder; `None` without a folder or a file.
pub(crate) fn read(folder: Option<&PathBuf>, name: &str) -> Result<Option<Secret>> {
    let Some(folder) = folder else {
        return Ok(None);
    };
    let path = folder.join(name);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(Secret::new(if text.starts_with("-----") {
            text
        } else {
            text.trim().to_owned()
        }))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => bail!("{}: {error}", path.display()),
    }
}

/// 32 bytes from 64 hex digits.
pub(crate) fn seed(text: &str) -> Result<[u8; 32]> {
    match unhex(text) {
        Some(seed) => Ok(seed),
        None => bail!("tickets.seed: expected 64 hex digits; `boxoffice keys DIR` makes one"),
    }
}

/// 32 bytes from 64 hex digits and nothing else.
pub(crate) fn unhex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(i * 2..i * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_private() {
        let folder = std::env::temp_dir().join(format!("boxoffice-keys-{}", uuid::Uuid::new_v4()));
        assert_eq!(create(&folder).unwrap().len(), 4);
        assert!(create(&folder).unwrap().is_empty());
        let secret = read(Some(&folder), TICKET_SEED).unwrap().unwrap();
        assert!(seed(secret.expose()).is_ok());
        assert!(seed("12").is_err() && seed(&"z".repeat(64)).is_err());
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(folder.join(TOKEN_PRIVATE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::remove_dir_all(folder).unwrap();
    }
}
