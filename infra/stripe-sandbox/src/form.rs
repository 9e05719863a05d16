//! Form bodies as Stripe's clients send them: `metadata[booking]=bk_1&expand[]=latest_charge`.

use std::collections::BTreeMap;

use crate::errors::ApiError;

/// Decoded parameters of one request, bracket names kept as they are: nothing here nests deeper than one level.
#[derive(Debug, Clone, Default)]
pub(crate) struct Form(BTreeMap<String, String>);

impl Form {
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        Self(
            url::form_urlencoded::parse(encoded)
                .into_owned()
                .collect::<BTreeMap<_, _>>(),
        )
    }

    /// The same with another value.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.0.insert(name.to_owned(), value.to_owned());
        other
    }

    /// An empty value means "not given", as for Stripe.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    pub(crate) fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.text(name).ok_or_else(|| ApiError::missing(name))
    }

    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.text(name)
            .map(|value| {
                value.parse().map_err(|_not_a_number| {
                    ApiError::invalid(
                        name,
                        "parameter_invalid_integer",
                        format!("Invalid integer: {value}"),
                    )
                })
            })
            .transpose()
    }

    /// An amount in minor units; nothing can be charged or given back below one.
    pub(crate) fn amount(&self, name: &str) -> Result<Option<i64>, ApiError> {
        match self.integer(name)? {
            Some(amount) if amount < 1 => Err(ApiError::invalid(
                name,
                "parameter_invalid_integer",
                "This value must be greater than or equal to 1.".to_owned(),
            )),
            other => Ok(other),
        }
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(ApiError::invalid(
                name,
                "parameter_invalid_boolean",
                format!("Invalid boolean: {other}"),
            )),
        }
    }

    /// `metadata[a]=1&metadata[b]=2` → `{a: 1, b: 2}`.
    pub(crate) fn map(&self, name: &str) -> BTreeMap<String, String> {
        self.bracketed(name)
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    /// `expand[]=x`, `expand[0]=x`: does the list hold this value?
    pub(crate) fn lists(&self, name: &str, wanted: &str) -> bool {
        self.bracketed(name).any(|(_, value)| value == wanted)
    }

    /// Every value of `types[]=a` or `types[0]=a&types[1]=b`.
    pub(crate) fn list<'a>(&'a self, name: &'a str) -> Vec<&'a str> {
        self.bracketed(name).map(|(_, value)| value).collect()
    }

    /// The parameters in one order, whatever the order they were sent in: equal requests read equal.
    pub(crate) fn canonical(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.0)
            .finish()
    }

    fn bracketed<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(move |(key, value)| {
            let inner = key
                .strip_prefix(name)?
                .strip_prefix('[')?
                .strip_suffix(']')?;
            Some((inner, value.as_str()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_escapes_are_decoded() {
        let form = Form::parse(
            b"amount=2500&metadata[booking]=bk%201&metadata%5Bshow%5D=s&expand[0]=latest_charge",
        );
        assert_eq!(form.amount("amount").unwrap(), Some(2500));
        assert_eq!(form.map("metadata")["booking"], "bk 1");
        assert_eq!(form.map("metadata")["show"], "s");
        assert!(form.lists("expand", "latest_charge"));
    }

    #[test]
    fn order_of_parameters_does_not_matter() {
        assert_eq!(
            Form::parse(b"b=2&a=1").canonical(),
            Form::parse(b"a=1&b=2").canonical()
        );
    }

    #[test]
    fn rubbish_is_named() {
        let form = Form::parse(b"amount=12.5&confirm=yes&zero=0");
        assert_eq!(
            form.integer("amount").unwrap_err().param.as_deref(),
            Some("amount")
        );
        assert!(form.flag("confirm").is_err());
        assert!(form.amount("zero").is_err());
        assert!(form.required("currency").is_err());
    }
}
