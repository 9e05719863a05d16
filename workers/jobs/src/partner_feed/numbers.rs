//! The numbers that a partner gives to the states of its things: each is taken once, in rising order.

use super::{Handled, rejected};
use boxoffice_contracts::{
    Code, Instant, ShowId,
    partner::{PartnerId, event::CloudEvent, feed::FeedEntity},
    request::fields::FieldError,
};
use boxoffice_runtime::{Cause, Failure};
use boxoffice_store::mysql::partner_feed::entities::{self, Entity, Taken};
use sea_orm::ConnectionTrait;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// A state by its number and what it says.
pub(super) struct Number<'a> {
    pub(super) entity: FeedEntity,
    pub(super) own_id: &'a str,
    sequence: u64,
    content: [u8; 32],
}

/// How a state stands to the one that was taken last.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the very one that was taken.
    Taken(Option<ShowId>),
    Outdated(FieldError),
    Next,
    /// First and last number that never came.
    Gap((u64, u64)),
}

/// Greatest number that the database's column and every JSON reader keep exactly.
const SEQUENCE_MAX: u64 = (1 << 53) - 1;

impl<'a> Number<'a> {
    /// # Errors
    /// The refusal of a feed without a number.
    pub(super) fn of(
        message: &CloudEvent,
        entity: FeedEntity,
        own_id: &'a str,
        data: &impl Serialize,
    ) -> Result<Self, Handled> {
        let wrong = |word, detail: &'static str| {
            let mistake = FieldError::new("/sequence", word, detail);
            rejected(Code::ValidationFailed, vec![mistake])
        };
        let sequence = message
            .sequence
            .ok_or_else(|| wrong("required", "numbers the states of what is published"))?;
        if !(1..=SEQUENCE_MAX).contains(&sequence) {
            return Err(wrong("out_of_range", "is from 1 to 2^53 - 1"));
        }
        // Of the data as it was understood: blanks and the order of fields don't matter.
        let text = serde_json::to_vec(data)
            .map_err(|_error| wrong("malformed", "numbers data that can't be kept"))?;
        Ok(Self {
            entity,
            own_id,
            sequence,
            content: Sha256::digest(&text).into(),
        })
    }

    /// The state that was taken last, locked.
    pub(super) async fn last(
        &self,
        db: &impl ConnectionTrait,
        partner: &PartnerId,
    ) -> Result<Option<Entity>, Failure> {
        Ok(entities::lock(db, partner, self.entity, self.own_id).await?)
    }

    pub(super) fn judge(&self, last: Option<&Entity>) -> Verdict {
        let Some(last) = last else {
            return Verdict::Next;
        };
        let next = last.sequence.saturating_add(1);
        if self.sequence == last.sequence && self.content == *last.content {
            Verdict::Taken(last.show)
        } else if self.sequence < next {
            let detail = format!("{} was taken already", last.sequence);
            let code = Code::SequenceOutdated.as_str();
            Verdict::Outdated(FieldError::new("/sequence", code, detail))
        } else if self.sequence == next {
            Verdict::Next
        } else {
            Verdict::Gap((next, self.sequence - 1))
        }
    }

    pub(super) async fn save(
        &self,
        db: &impl ConnectionTrait,
        partner: &PartnerId,
        show: ShowId,
        is_first: bool,
        now: Instant,
    ) -> Result<(), Failure> {
        let taken = Taken {
            partner,
            kind: self.entity,
            own_id: self.own_id,
            sequence: self.sequence,
            content: self.content,
            show,
            is_first,
        };
        // Two first states at once: the other was first, and this one is judged again.
        entities::save(db, &taken, now)
            .await
            .map_err(|error| match Failure::from(error) {
                Failure::Conflict(cause) => {
                    Failure::Conflict(Cause::new("feed_overtaken", cause.detail))
                }
                other => other,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_contracts::partner::kinds;
    use serde_json::json;

    fn message(sequence: Option<u64>) -> CloudEvent {
        let at = "2026-11-21T18:30:00Z".parse().unwrap();
        let id = boxoffice_contracts::MessageId::of_partner("acme", "1");
        CloudEvent {
            sequence,
            ..kinds::to_partner(kinds::SHOW_UPSERT, id, at, &json!({})).unwrap()
        }
    }

    fn number(sequence: u64, data: &str) -> Number<'static> {
        Number::of(&message(Some(sequence)), FeedEntity::Show, "s", &data).unwrap()
    }

    #[test]
    fn a_state_is_taken_once_in_rising_order_and_gaps_are_named() {
        let last = Entity {
            sequence: 5,
            content: number(5, "same").content.to_vec(),
            show: None,
        };
        let judged = |sequence, data| number(sequence, data).judge(Some(&last));
        assert_eq!(number(77, "same").judge(None), Verdict::Next);
        assert_eq!(judged(5, "same"), Verdict::Taken(None));
        assert!(matches!(judged(5, "other"), Verdict::Outdated(_)));
        assert!(matches!(judged(4, "same"), Verdict::Outdated(_)));
        assert_eq!(judged(6, "other"), Verdict::Next);
        assert_eq!(judged(7, "other"), Verdict::Gap((6, 6)));
        assert_eq!(
            judged(SEQUENCE_MAX, "x"),
            Verdict::Gap((6, SEQUENCE_MAX - 1))
        );
    }

    #[test]
    fn a_feed_without_a_number_is_refused_with_the_place() {
        for sequence in [None, Some(0), Some(SEQUENCE_MAX + 1)] {
            let refused = Number::of(&message(sequence), FeedEntity::Show, "s", &"x");
            let Err(Handled {
                outcome: super::super::Outcome::Rejected { code, errors },
                ..
            }) = refused.map(drop)
            else {
                panic!("{sequence:?} was taken")
            };
            assert_eq!(code, Code::ValidationFailed);
            assert_eq!(errors[0].pointer, "/sequence");
        }
    }
}
