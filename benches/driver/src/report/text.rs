//! Numbers as people read them.

use super::Median;

/// Three digits that say something; thousands apart.
pub(crate) fn short(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    if value.abs() < 999.5 {
        return text;
    }
    let (sign, figures) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.as_str()),
    };
    let mut grouped = sign.to_owned();
    for (at, figure) in figures.chars().enumerate() {
        if at > 0 && (figures.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(figure);
    }
    grouped
}

/// From the smallest to the largest; nothing when there was only one.
pub(crate) fn range(of: &Median) -> String {
    if of.repetitions < 2 {
        return String::new();
    }
    format!("{}–{}", short(of.min), short(of.max))
}

/// With its unit, if it has one.
pub(crate) fn measured(value: f64, unit: &str) -> String {
    format!("{} {unit}", short(value)).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_thousands() {
        let shown = [
            0.0666, 1.0, 9.996, 12.34, 99.96, 655.4, 999.6, 23_606.6, 1e6,
        ];
        let texts = shown.map(short);
        assert_eq!(
            texts,
            [
                "0.067",
                "1.00",
                "10.0",
                "12.3",
                "100",
                "655",
                "1,000",
                "23,607",
                "1,000,000"
            ]
        );
        assert_eq!(
            (short(-1234.0), short(-123.0)),
            ("-1,234".into(), "-123".into())
        );
    }

    #[test]
    fn a_single_repetition_has_no_range() {
        let mut of = Median {
            median: 2.0,
            min: 1.0,
            max: 3.0,
            repetitions: 1,
        };
        assert_eq!(range(&of), "");
        of.repetitions = 2;
        assert_eq!(range(&of), "1.00–3.00");
        assert_eq!(
            (measured(2.0, "ms"), measured(2.0, "")),
            ("2.00 ms".into(), "2.00".into())
        );
    }
}
