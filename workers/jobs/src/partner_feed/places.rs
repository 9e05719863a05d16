//! Prices of a partner's show, and how many places without numbers it sells.

use super::{Applied, refuse};
use boxoffice_contracts::{
    Code, ShowId,
    partner::{
        PartnerId,
        feed::{InventoryUpsert, PriceUpsert},
    },
    request::fields::FieldError,
};
use boxoffice_runtime::{Cause, Failure};
use boxoffice_store::mysql::partner_feed::{
    entities,
    places::{self, Area},
    shows::{self, Stored},
};
use sea_orm::ConnectionTrait;
use std::collections::{BTreeMap, BTreeSet};

type Refused = (Code, Vec<FieldError>);

/// Gives the show these prices and no others. What is booked keeps its own.
pub(super) async fn price(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    data: &PriceUpsert,
) -> Result<Applied, Failure> {
    let (show, stored) = match published(db, partner, &data.show_id).await? {
        Ok(found) => found,
        Err(refused) => return Ok(Err(refused)),
    };
    let known = places::categories(db, stored.layout).await?;
    let names = data.prices.iter().map(|price| price.category.as_str());
    let unknown = unknown("prices", names, |name| known.contains(name));
    if !unknown.is_empty() {
        return Ok(Err((Code::CategoryUnknown, unknown)));
    }
    let prices: BTreeMap<String, i64> = data
        .prices
        .iter()
        .map(|price| (price.category.clone(), price.amount_minor))
        .collect();
    places::price(db, show, &prices).await?;
    Ok(Ok(show))
}

/// Sells so many places of each area, and none of the areas that are left out.
pub(super) async fn capacity(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    data: &InventoryUpsert,
) -> Result<Applied, Failure> {
    let (show, stored) = match published(db, partner, &data.show_id).await? {
        Ok(found) => found,
        Err(refused) => return Ok(Err(refused)),
    };
    let there = places::lock_areas(db, show, stored.layout).await?;
    let capacities = match capacities(data, &there) {
        Ok(capacities) => capacities,
        Err(refused) => return Ok(Err(refused)),
    };
    for (category, capacity) in capacities {
        // Under the lock of the counter; the statement looks again all the same.
        if !places::set_capacity(db, show, category, capacity).await? {
            let detail = "a counter changed under its lock";
            return Err(Failure::Conflict(Cause::new("admission_moved", detail)));
        }
    }
    Ok(Ok(show))
}

/// What each counter is to be, if the hall and what is taken allow it.
fn capacities<'a>(
    data: &'a InventoryUpsert,
    there: &'a BTreeMap<String, Area>,
) -> Result<Vec<(&'a str, u32)>, Refused> {
    let names = data.areas.iter().map(|area| area.category.as_str());
    let unknown = unknown("areas", names, |name| there.contains_key(name));
    if !unknown.is_empty() {
        return Err((Code::CategoryUnknown, unknown));
    }
    let (mut beyond, mut below) = (Vec::new(), Vec::new());
    let mut capacities = Vec::new();
    let mut named = BTreeSet::new();
    for (i, area) in data.areas.iter().enumerate() {
        let Some(found) = there.get(&area.category) else {
            continue;
        };
        named.insert(area.category.as_str());
        capacities.push((area.category.as_str(), area.capacity));
        let pointer = format!("/data/areas/{i}/capacity");
        if area.capacity > found.hall_capacity {
            let detail = format!("the hall has {}", found.hall_capacity);
            beyond.push(FieldError::new(pointer, "out_of_range", detail));
        } else if area.capacity < found.sold.taken {
            below.push(taken(pointer, found.sold.taken));
        }
    }
    for (category, found) in there {
        if !named.contains(category.as_str()) {
            capacities.push((category.as_str(), 0));
            if found.sold.taken > 0 {
                below.push(taken("/data/areas".to_owned(), found.sold.taken));
            }
        }
    }
    if !beyond.is_empty() {
        return Err((Code::ValidationFailed, beyond));
    }
    if !below.is_empty() {
        return Err((Code::CapacityBelowTaken, below));
    }
    Ok(capacities)
}

fn taken(pointer: String, taken: u32) -> FieldError {
    let code = Code::CapacityBelowTaken.as_str();
    FieldError::new(pointer, code, format!("{taken} places are taken"))
}

fn unknown<'a>(
    list: &str,
    names: impl Iterator<Item = &'a str>,
    is_known: impl Fn(&str) -> bool,
) -> Vec<FieldError> {
    let mut found = Vec::new();
    for (i, name) in names.enumerate() {
        if !is_known(name) {
            let pointer = format!("/data/{list}/{i}/category");
            let code = Code::CategoryUnknown.as_str();
            found.push(FieldError::new(
                pointer,
                code,
                "the hall's plan has no such one",
            ));
        }
    }
    found
}

/// The partner's show, locked.
async fn published(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    own_id: &str,
) -> Result<Result<(ShowId, Stored), Refused>, Failure> {
    let unknown = || {
        let detail = "you have published no show of this id";
        refuse(Code::ShowNotFound, "/data/show_id", detail)
    };
    let Some(show) = entities::find_show(db, partner, own_id).await? else {
        return Ok(unknown());
    };
    let Some(stored) = shows::lock(db, partner, show).await? else {
        return Ok(unknown());
    };
    if !stored.is_assigned {
        let detail = "the show's venue is not assigned to you any more";
        return Ok(refuse(Code::Forbidden, "/data/show_id", detail));
    }
    Ok(Ok((show, stored)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_contracts::partner::feed::PartnerArea;
    use boxoffice_store::mysql::claims::Admission;

    fn area(capacity: u32, taken: u32) -> Area {
        Area {
            sold: Admission { capacity, taken },
            hall_capacity: 40,
        }
    }

    fn asked(areas: &[(&str, u32)]) -> InventoryUpsert {
        let area = |(category, capacity): &(&str, u32)| PartnerArea {
            category: (*category).to_owned(),
            capacity: *capacity,
        };
        InventoryUpsert {
            show_id: "s".to_owned(),
            areas: areas.iter().map(area).collect(),
        }
    }

    #[test]
    fn a_capacity_is_between_what_is_taken_and_what_the_hall_has() {
        let there = BTreeMap::from([
            ("Bar".to_owned(), area(10, 3)),
            ("Floor".to_owned(), area(20, 0)),
        ]);
        let all = asked(&[("Floor", 40), ("Bar", 3)]);
        assert_eq!(
            capacities(&all, &there).unwrap(),
            [("Floor", 40), ("Bar", 3)]
        );
        let one = asked(&[("Bar", 40)]);
        assert_eq!(
            capacities(&one, &there).unwrap(),
            [("Bar", 40), ("Floor", 0)]
        );
        let refused = |areas: &[(&str, u32)]| {
            let asked = asked(areas);
            let (code, errors) = capacities(&asked, &there).unwrap_err();
            let pointers: Vec<String> = errors.into_iter().map(|e| e.pointer).collect();
            (code, pointers.join(" "))
        };
        let below = Code::CapacityBelowTaken;
        assert_eq!(
            refused(&[("Floor", 1), ("Bar", 2)]),
            (below, "/data/areas/1/capacity".to_owned())
        );
        assert_eq!(refused(&[("Floor", 1)]), (below, "/data/areas".to_owned()));
        assert_eq!(
            refused(&[("Bar", 41)]),
            (Code::ValidationFailed, "/data/areas/0/capacity".to_owned())
        );
        assert_eq!(
            refused(&[("Bar", 3), ("bar", 1)]),
            (Code::CategoryUnknown, "/data/areas/1/category".to_owned())
        );
    }
}
