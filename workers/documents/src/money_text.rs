//! Amounts of minor units as people write them.

use serde::{Deserialize, Serialize};

use crate::Language;

/// An amount in the minor units of its currency: `Money { minor: 1250, currency: "EUR" }` is € 12.50.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    pub minor: i64,
    /// ISO 4217, upper or lower case.
    pub currency: String,
}

impl Money {
    pub fn new(minor: i64, currency: &str) -> Money {
        Money {
            minor,
            currency: currency.to_owned(),
        }
    }

    /// `€1,234.50` in English, `1.234,50 €` in German; `CHF 12.50` and `12,50 CHF` where the
    /// currency has no sign of its own.
    pub fn text(&self, language: Language) -> String {
        format(self.minor, &self.currency, language)
    }
}

/// See [`Money::text`].
pub fn format(minor: i64, currency: &str, language: Language) -> String {
    let code = currency.to_ascii_uppercase();
    let sign = if minor < 0 { "-" } else { "" };
    let digits = digits(minor.unsigned_abs(), decimals(&code), language);
    match (language, symbol(&code)) {
        (Language::En, Some(symbol)) => format!("{sign}{symbol}{digits}"),
        (Language::En, None) => format!("{sign}{code} {digits}"),
        (Language::De, Some(symbol)) => format!("{sign}{digits} {symbol}"),
        (Language::De, None) => format!("{sign}{digits} {code}"),
    }
}

/// How many digits of the minor amount stand behind the decimal separator (ISO 4217).
pub fn decimals(code: &str) -> u32 {
    match code {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

fn symbol(code: &str) -> Option<&'static str> {
    match code {
        "EUR" => Some("€"),
        "GBP" => Some("£"),
        "USD" => Some("$"),
        "JPY" => Some("¥"),
        "UAH" => Some("₴"),
        _ => None,
    }
}

fn digits(minor: u64, decimals: u32, language: Language) -> String {
    let (thousands, point) = match language {
        Language::En => (',', '.'),
        Language::De => ('.', ','),
    };
    let unit = 10_u64.pow(decimals);
    let whole = (minor / unit).to_string();
    let mut text = String::with_capacity(whole.len() + 8);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            text.push(thousands);
        }
        text.push(digit);
    }
    if decimals > 0 {
        text.push(point);
        text.push_str(&format!(
            "{:0width$}",
            minor % unit,
            width = decimals as usize
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Language, format};

    #[test]
    fn every_currency_has_its_decimals() {
        for (minor, currency, en, de) in [
            (1_250, "EUR", "€12.50", "12,50 €"),
            (5, "eur", "€0.05", "0,05 €"),
            (0, "EUR", "€0.00", "0,00 €"),
            (-1_250, "EUR", "-€12.50", "-12,50 €"),
            (123_456_789, "EUR", "€1,234,567.89", "1.234.567,89 €"),
            (1_200, "JPY", "¥1,200", "1.200 ¥"),
            (12_500, "KWD", "KWD 12.500", "12,500 KWD"),
            (1_999, "CHF", "CHF 19.99", "19,99 CHF"),
        ] {
            assert_eq!(format(minor, currency, Language::En), en);
            assert_eq!(format(minor, currency, Language::De), de);
        }
    }

    #[test]
    fn the_ends_of_the_range_are_written_not_panicked() {
        assert_eq!(
            format(i64::MIN, "EUR", Language::En),
            "-€92,233,720,368,547,758.08"
        );
        assert_eq!(
            format(i64::MAX, "JPY", Language::En),
            "¥9,223,372,036,854,775,807"
        );
    }
}
