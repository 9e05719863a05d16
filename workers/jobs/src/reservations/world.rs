//! What a batch touches, in memory: loaded once, changed by decisions, compared when it is written.

use super::{
    Accepted,
    step::{Happening, What},
    tables::Tables,
};
use boxoffice_contracts::{
    BookingId, ShowId,
    message::booking::{MendAction, PositionRequest},
    partner::PartnerId,
};
use boxoffice_runtime::Failure;
use boxoffice_saga::Booking;
use boxoffice_store::mysql::{
    bookings::Birth,
    claims::{Admission, AdmissionKey, Claim, SeatKey},
    positions::Place,
    shows::Show,
};
use sea_orm::prelude::Uuid;
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// Category of each seat of a layout.
pub type Categories = Arc<HashMap<boxoffice_contracts::SeatId, String>>;

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) bookings: HashMap<BookingId, Booking>,
    /// Whose bookings of partners are; the house's own are not here.
    pub(super) partners: HashMap<BookingId, PartnerId>,
    /// Bookings that were there before this batch.
    pub(super) known: HashSet<BookingId>,
    pub(super) births: HashMap<BookingId, Birth>,
    pub(super) places: HashMap<BookingId, Vec<Place>>,
    pub(super) claims: HashMap<SeatKey, Claim>,
    /// Claims as they were loaded.
    pub(super) claims_before: HashMap<SeatKey, Claim>,
    pub(super) admissions: HashMap<AdmissionKey, Admission>,
    pub(super) admissions_before: HashMap<AdmissionKey, Admission>,
    pub(super) shows: HashMap<ShowId, Show>,
    pub(super) layouts: HashMap<Uuid, Categories>,
    /// Positions whose ticket was scanned, of bookings that somebody wants to cancel.
    pub(super) scanned: HashMap<BookingId, Vec<u16>>,
}

impl World {
    /// Locks and loads what the happenings touch: bookings, then partners' shows, then counters, then claims, each
    /// by key.
    pub(super) async fn load<T: Tables>(
        tables: &mut T,
        happenings: &[Happening<'_>],
    ) -> Result<Self, Failure> {
        let ids: BTreeSet<BookingId> = happenings.iter().map(|h| h.booking).collect();
        let ids: Vec<BookingId> = ids.into_iter().collect();
        let mut world = Self::default();
        for (id, (booking, tenant)) in tables.lock_bookings(&ids).await? {
            world.belongs(id, &tenant);
            world.bookings.insert(id, booking);
        }
        world.known = world.bookings.keys().copied().collect();

        let known: Vec<BookingId> = world.known.iter().copied().collect();
        for place in tables.places(&known).await? {
            world.places.entry(place.booking).or_default().push(place);
        }
        world.load_shows(tables, happenings).await?;

        let (seats, counters) = world.inventory(happenings);
        world.admissions = tables.lock_admissions(&counters).await?;
        world.admissions_before = world.admissions.clone();
        world.claims = tables.lock_claims(&seats).await?;
        world.claims_before = world.claims.clone();

        let cancelled: Vec<BookingId> = happenings
            .iter()
            .filter(|h| may_cancel(h.what))
            .map(|h| h.booking)
            .collect();
        world.scanned = tables.scanned(&cancelled).await?;
        Ok(world)
    }

    /// Shows of new bookings, and of those whose late money must be judged.
    async fn load_shows<T: Tables>(
        &mut self,
        tables: &mut T,
        happenings: &[Happening<'_>],
    ) -> Result<(), Failure> {
        let wanted: BTreeSet<ShowId> = happenings
            .iter()
            .filter_map(|h| match h.what {
                What::Message(Accepted::Submit(submit)) => Some(submit.show_id),
                What::Message(Accepted::Authorized(_)) => self
                    .bookings
                    .get(&h.booking)
                    .filter(|b| b.status.is_terminal())
                    .map(|b| b.show_id),
                What::Message(_) | What::Tick => None,
            })
            .collect();
        let wanted: Vec<ShowId> = wanted.into_iter().collect();
        self.shows = tables.shows(&wanted).await?;
        // A partner may move its show until the first booking: what is decided on must still be so at the commit.
        let fed: Vec<ShowId> = self
            .shows
            .values()
            .filter(|show| show.is_fed)
            .map(|show| show.id)
            .collect();
        self.shows.extend(tables.shows_kept(&fed).await?);
        for show in self.shows.values() {
            let categories = tables.categories(show.layout_id).await?;
            self.layouts.insert(show.layout_id, categories);
        }
        Ok(())
    }

    /// Seats and counters that may change, sorted.
    fn inventory(&self, happenings: &[Happening<'_>]) -> (Vec<SeatKey>, Vec<AdmissionKey>) {
        let (mut seats, mut counters) = (BTreeSet::new(), BTreeSet::new());
        for happening in happenings {
            if let What::Message(Accepted::Submit(submit)) = happening.what
                && !self.known.contains(&happening.booking)
            {
                for position in &submit.positions {
                    match position {
                        PositionRequest::Seat(seat) => {
                            seats.insert((submit.show_id, seat.seat_id.clone()));
                        }
                        PositionRequest::Admission(admission) => {
                            counters.insert((submit.show_id, admission.category.clone()));
                        }
                    }
                }
            }
            if !may_move_inventory(happening.what) {
                continue;
            }
            for place in self
                .places
                .get(&happening.booking)
                .into_iter()
                .flatten()
                .filter(|p| p.live)
            {
                match &place.seat {
                    Some(seat) => {
                        seats.insert((place.show, seat.clone()));
                    }
                    None => {
                        counters.insert((place.show, place.category.clone()));
                    }
                }
            }
        }
        (seats.into_iter().collect(), counters.into_iter().collect())
    }

    /// A booking that this batch creates.
    pub(super) fn born(&mut self, id: BookingId, (birth, places): (Birth, Vec<Place>)) {
        self.belongs(id, &birth.owner.tenant);
        self.births.insert(id, birth);
        self.places.insert(id, places);
    }
}

impl World {
    /// Neither the house nor what can't be a partner's id is one.
    fn belongs(&mut self, id: BookingId, tenant: &str) {
        if let Ok(partner) = tenant.parse() {
            self.partners.insert(id, partner);
        }
    }
}

/// Whether what happened can claim, sell or free seats of a booking that is there.
fn may_move_inventory(what: What<'_>) -> bool {
    match what {
        What::Tick => true,
        What::Message(message) => match message {
            Accepted::Submit(_)
            | Accepted::Pay(_)
            | Accepted::Rendered(_)
            | Accepted::Disputed(_) => false,
            Accepted::Cancel(_)
            | Accepted::Mend(_)
            | Accepted::Authorized(_)
            | Accepted::ActionRequired(_)
            | Accepted::Declined(_)
            | Accepted::Unknown(_)
            | Accepted::Captured(_)
            | Accepted::CaptureFailed(_)
            | Accepted::Voided(_)
            | Accepted::Refunded(_)
            | Accepted::RefundFailed(_)
            | Accepted::RefundedOutside(_) => true,
        },
    }
}

/// Whether it asks for tickets to be void.
const fn may_cancel(what: What<'_>) -> bool {
    match what {
        What::Message(Accepted::Cancel(_)) => true,
        What::Message(Accepted::Mend(mend)) => matches!(mend.action, MendAction::Cancel),
        What::Message(_) | What::Tick => false,
    }
}
