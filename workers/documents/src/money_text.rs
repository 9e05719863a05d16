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

/// A rate of hundredths of a percent: `7%` or `7 %`, `5.5%` or `5,5 %`.
pub fn percent(basis_points: u32, language: Language) -> String {
    let (whole, rest) = (basis_points / 100, basis_points % 100);
    let point = match language {
        Language::En => '.',
        Language::De => ',',
    };
    let number = match rest {
        0 => whole.to_string(),
        rest if rest % 10 == 0 => format!("{whole}{point}{}", rest / 10),
        rest => format!("{whole}{point}{rest:02}"),
    };
    match language {
        Language::En => format!("{number}%"),
        Language::De => format!("{number} %"),
    }
}

/// The tax contained in a price that includes it, half a minor unit rounded up.
pub fn tax_included(minor: i64, basis_points: u32) -> i64 {
    let (minor, rate) = (i128::from(minor), i128::from(basis_points));
    let whole = 10_000 + rate;
    let tax = (2 * minor * rate + whole).div_euclid(2 * whole);
    // Less than the price, which fits.
    i64::try_from(tax).unwrap_or_default()
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
    use super::{Language, format, percent, tax_included};

    #[test]
    fn a_rate_is_written_with_the_digits_it_has() {
        for (rate, en, de) in [
            (700, "7%", "7 %"),
            (550, "5.5%", "5,5 %"),
            (1_925, "19.25%", "19,25 %"),
            (5, "0.05%", "0,05 %"),
        ] {
            assert_eq!(percent(rate, Language::En), en);
            assert_eq!(percent(rate, Language::De), de);
        }
    }

    #[test]
    fn the_tax_in_a_price_is_rounded_half_up() {
        for (minor, rate, tax) in [
            (1_070, 700, 70),
            (1_250, 700, 82),
            (1_190, 1_900, 190),
            (3, 10_000, 2),
            (0, 700, 0),
            (1_250, 0, 0),
            (i64::MAX, 10_000, i64::MAX / 2 + 1),
        ] {
            assert_eq!(tax_included(minor, rate), tax, "{minor} at {rate}");
        }
    }

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
