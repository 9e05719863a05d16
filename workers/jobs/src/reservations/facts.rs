//! From a message and what was loaded to the input that the saga decides on.

use super::{
    Accepted,
    step::{Happening, What},
    world::{Categories, World},
};
use boxoffice_contracts::{
    Code, Instant,
    message::booking::{self as message, POSITIONS_MAX, PositionRequest},
    principal::TENANT_HOUSE,
};
use boxoffice_runtime::Failure;
use boxoffice_saga::{
    Input,
    booking::{Position, RefundPolicy},
    input::{LateFacts, Mend, Offer, Submit},
};
use boxoffice_store::mysql::{
    bookings::Birth,
    positions::Place,
    shows::{self, Show},
};
use sea_orm::{ConnectionTrait, prelude::Uuid};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

/// Categories by seat of layouts that were asked for. A layout never changes, so this is never stale.
#[derive(Debug, Clone, Default)]
pub struct Layouts(Arc<Mutex<HashMap<Uuid, Categories>>>);

/// Layouts kept at once; beyond that all are dropped and read again.
const LAYOUTS_MAX: usize = 256;

impl Layouts {
    pub(crate) async fn get(
        &self,
        db: &impl ConnectionTrait,
        layout: Uuid,
    ) -> Result<Categories, Failure> {
        if let Some(there) = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&layout)
        {
            return Ok(Arc::clone(there));
        }
        let categories: Categories = Arc::new(shows::layout_categories(db, layout).await?);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= LAYOUTS_MAX {
            kept.clear();
        }
        kept.insert(layout, Arc::clone(&categories));
        Ok(categories)
    }
}

/// What a new booking brings beside its saga.
pub(super) type Newborn = (Birth, Vec<Place>);

/// The saga's input, and for a submit what is written once if it comes to life.
pub(super) fn input(
    world: &World,
    happening: &Happening<'_>,
    now: Instant,
) -> (Input, Option<Newborn>) {
    let What::Message(message) = happening.what else {
        return (Input::Tick, None);
    };
    let input = match message {
        Accepted::Submit(submit) => return newborn(world, submit),
        Accepted::Pay(pay) => Input::Pay {
            operation: pay.operation_id,
            method: pay.payment.as_ref().map(|payment| payment.method.clone()),
            accepted_at: pay.accepted_at,
            deadline: pay.deadline,
        },
        Accepted::Cancel(cancel) => Input::Cancel {
            operation: cancel.operation_id,
            positions: cancel.positions.clone(),
            by: cancel.by,
            deadline: cancel.deadline,
            scanned: world
                .scanned
                .get(&cancel.booking_id)
                .cloned()
                .unwrap_or_default(),
        },
        Accepted::Mend(order) => Input::Mend(Mend {
            operation: order.operation_id,
            action: order.action,
            deadline: order.deadline,
            scanned: world
                .scanned
                .get(&order.booking_id)
                .cloned()
                .unwrap_or_default(),
        }),
        Accepted::Authorized(answer) => Input::Authorized {
            attempt: answer.attempt,
            amount: answer.amount,
            late: late_facts(world, happening, now),
        },
        Accepted::ActionRequired(answer) => Input::ActionRequired {
            attempt: answer.attempt,
        },
        Accepted::Declined(answer) => Input::Declined {
            attempt: answer.attempt,
            code: answer.code,
        },
        Accepted::Unknown(answer) => Input::Unknown {
            attempt: answer.attempt,
        },
        Accepted::Captured(answer) => Input::Captured {
            generation: answer.generation,
            amount: answer.amount,
        },
        Accepted::CaptureFailed(answer) => Input::CaptureFailed {
            generation: answer.generation,
            code: answer.code,
        },
        Accepted::Voided(answer) => Input::Voided {
            generation: answer.generation,
        },
        Accepted::Refunded(answer) => Input::Refunded {
            refund: answer.refund_id,
            amount: answer.amount,
        },
        Accepted::RefundFailed(answer) => Input::RefundFailed {
            refund: answer.refund_id,
            code: answer.code,
        },
        Accepted::RefundedOutside(answer) => Input::RefundedOutside {
            amount: answer.amount,
        },
        Accepted::Disputed(_) => Input::Disputed,
        Accepted::Rendered(answer) => Input::Rendered {
            revision: answer.revision,
        },
    };
    (input, None)
}

fn newborn(world: &World, submit: &message::Submit) -> (Input, Option<Newborn>) {
    let (offer, places) = match offer(world, submit) {
        Ok((offer, places)) => (Ok(offer), places),
        Err(code) => (Err(code), Vec::new()),
    };
    let birth = Birth {
        owner: submit.owner.clone(),
        request_hash: unhex(&submit.request_hash),
        email: submit.customer.email.clone(),
        name: submit.customer.name.clone(),
        locale: submit.customer.locale.clone(),
    };
    let input = Input::Submit(Submit {
        booking: submit.booking_id,
        operation: submit.operation_id,
        show: submit.show_id,
        deadline: submit.deadline,
        late_policy: submit.late_policy,
        method: submit
            .payment
            .as_ref()
            .map(|payment| payment.method.clone()),
        pays: submit.payment.is_some(),
        tender: submit.tender,
        by_partner: submit.owner.tenant != TENANT_HOUSE,
        offer,
    });
    (input, Some((birth, places)))
}

/// 32 bytes from 64 hex digits; anything else hashes to zeros, which no request has.
fn unhex(text: &str) -> Vec<u8> {
    let digit = |at: usize| {
        text.get(at..at + 2)
            .and_then(|pair| u8::from_str_radix(pair, 16).ok())
    };
    (0..32)
        .map(|i| digit(i * 2))
        .collect::<Option<Vec<u8>>>()
        .unwrap_or_else(|| vec![0; 32])
}

/// What the show offers for the positions asked for.
fn offer(world: &World, submit: &message::Submit) -> Result<(Offer, Vec<Place>), Code> {
    let show = world.shows.get(&submit.show_id).ok_or(Code::ShowNotFound)?;
    let places = places(world, show, submit)?;
    let positions = places
        .iter()
        .map(|place| Position {
            no: place.no,
            price_minor: place.price_minor,
            retained_minor: 0,
            live: true,
        })
        .collect();
    let offer = Offer {
        currency: show.currency,
        positions,
        seats_free: are_free(world, &places),
        hold_shown_secs: show.hold_shown_secs,
        hold_grace_secs: show.hold_grace_secs,
        hold_cap_secs: show.hold_cap_secs,
        sales_from: show.sales_from,
        sales_until: show.sales_until,
        cancelled: show.cancelled,
        refund_policy: RefundPolicy {
            cancel_until: show.cancel_until,
            fee_minor: show.cancel_fee_minor,
        },
    };
    Ok((offer, places))
}

fn places(world: &World, show: &Show, submit: &message::Submit) -> Result<Vec<Place>, Code> {
    let categories = world
        .layouts
        .get(&show.layout_id)
        .ok_or(Code::ShowNotFound)?;
    let mut wanted = Vec::new();
    let mut seen = HashSet::new();
    for position in &submit.positions {
        match position {
            PositionRequest::Seat(seat) => {
                let category = categories.get(&seat.seat_id).ok_or(Code::SeatUnknown)?;
                if !seen.insert(&seat.seat_id) {
                    return Err(Code::SeatRepeated);
                }
                wanted.push((Some(seat.seat_id.clone()), category));
            }
            PositionRequest::Admission(admission) => {
                if !world
                    .admissions
                    .contains_key(&(show.id, admission.category.clone()))
                {
                    return Err(Code::CategoryUnknown);
                }
                wanted.extend((0..admission.count).map(|_| (None, &admission.category)));
            }
        }
    }
    if wanted.is_empty() || wanted.len() > POSITIONS_MAX {
        return Err(Code::ValidationFailed);
    }
    wanted
        .into_iter()
        .zip(1..)
        .map(|((seat, category), no)| {
            let price_minor = *show.prices.get(category).ok_or(Code::CategoryUnknown)?;
            Ok(Place {
                booking: submit.booking_id,
                show: show.id,
                no,
                seat,
                category: category.clone(),
                price_minor,
                retained_minor: 0,
                live: true,
            })
        })
        .collect()
}

/// Whether all places can be claimed at this moment of the batch.
fn are_free(world: &World, places: &[Place]) -> bool {
    let mut admissions: HashMap<(boxoffice_contracts::ShowId, &str), u32> = HashMap::new();
    for place in places {
        match &place.seat {
            Some(seat) if world.claims.contains_key(&(place.show, seat.clone())) => return false,
            Some(_) => {}
            None => {
                *admissions
                    .entry((place.show, place.category.as_str()))
                    .or_default() += 1
            }
        }
    }
    admissions.into_iter().all(|((show, category), count)| {
        world
            .admissions
            .get(&(show, category.to_owned()))
            .is_some_and(|admission| admission.taken.saturating_add(count) <= admission.capacity)
    })
}

/// Whether late money could still be honoured with the very same places at the very same price.
fn late_facts(world: &World, happening: &Happening<'_>, now: Instant) -> LateFacts {
    let no = LateFacts {
        seats_free: false,
        on_sale: false,
        price_unchanged: false,
    };
    let Some(booking) = world.bookings.get(&happening.booking) else {
        return no;
    };
    let Some(show) = world.shows.get(&booking.show_id) else {
        return no;
    };
    let places: Vec<Place> = world
        .places
        .get(&booking.id)
        .into_iter()
        .flatten()
        .filter(|p| p.live)
        .cloned()
        .collect();
    let price_unchanged = places
        .iter()
        .all(|place| show.prices.get(&place.category) == Some(&place.price_minor));
    LateFacts {
        seats_free: are_free(world, &places),
        on_sale: on_sale(show, now),
        price_unchanged,
    }
}

fn on_sale(show: &Show, now: Instant) -> bool {
    !show.cancelled && (show.sales_from..show.sales_until).contains(&now)
}
